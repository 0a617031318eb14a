# report.json of a migration to a plot: ready pods at each second, with the phases below.
def scale: (if .seconds > 0 then 720 / .seconds else 1 end);
def top: ([.samples[].ready] | max) + 1;
def said: {"room": "scaler and Service go", "hand-over": "ServiceAccount handed over", "deployment": "claim applied",
    "old-pods": "old pods end", "keep-objects": "claim goes, objects stay", "keep-direct": "claim goes, objects stay",
    "back": "manifests applied", "claims-pods": "claim's pods end"};
. as $r | scale as $x | top as $top | (180 / $top) as $y
| def at($s): 40 + $s * $x; def up($n): 200 - $n * $y;
def line: [.samples[] | "\(at(.at) * 10 | round / 10),\(up(.ready) * 10 | round / 10)"] | join(" ");
"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 780 290\" font-family=\"sans-serif\" font-size=\"11\">",
"<title>Ready pods during the migration (\(.form)): \(.published) messages, \(.lost) lost, \(.doubled) with two effects</title>",
"<rect width=\"780\" height=\"290\" fill=\"white\"/>",
(range(0; $top + 1) | "<path d=\"M40 \(up(.))H760\" stroke=\"#ddd\"/><text x=\"30\" y=\"\(up(.) + 4)\" text-anchor=\"end\">\(.)</text>"),
"<polyline fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\" points=\"\(line)\"/>",
([.samples | to_entries[] | select(.key == 0 or .value.phase != $r.samples[.key - 1].phase).value] | to_entries[]
 | "<path d=\"M\(at(.value.at)) 20V\(212 + (.key % 5) * 14)\" stroke=\"#999\" stroke-dasharray=\"1 3\"/><text x=\"\(at(.value.at) + 3)\" y=\"\(212 + (.key % 5) * 14)\">\(said[.value.phase] // .value.phase)</text>"),
"<text x=\"40\" y=\"14\" fill=\"#1f77b4\">ready pods</text><text x=\"760\" y=\"14\" text-anchor=\"end\">\(.published) messages in \(.seconds) s</text>",
"</svg>"
