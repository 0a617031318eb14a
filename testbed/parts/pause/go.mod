module eds.testbed/pause

go 1.26
