// Command etcd runs the etcd server. Upstream keeps its main package in a
// module that pins nothing; this one keeps the pins in go.mod and go.sum.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
