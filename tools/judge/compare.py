#!/usr/bin/env python3
"""Compares the API server's verdicts with those of `eds validate`, file by file.

    compare.py --judge JUDGE --eds EDS --crds CRDS --policies POLICIES FILE...

Prints how many agree, and every kind of disagreement with one file of it. KNOWN holds those that are
meant: what eds refuses although the API server takes it. Exit 0: all agree, or are known; 1: not.
"""
import argparse
import collections
import json
import subprocess
import sys

KNOWN = {
    "EDS002": "a duplicate key: kubectl's YAML reader keeps the last value, so the API server never sees both",
    "EDS011": "the composite in place of a claim: a kind of its own to the API server, not for people to write",
    "EDS202": "account $SYS: the API server cannot know that NATS refuses JetStream there",
    "EDS003": "aliases that expand to more than a million values, or nesting beyond 200 levels",
}


def main():
    parser = argparse.ArgumentParser()
    for option in ["judge", "eds", "crds", "policies"]:
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    asked = subprocess.run([args.judge, "-crds", args.crds, "-policies", args.policies],
                           input="\n".join(args.files) + "\n", capture_output=True, text=True, check=False)
    report = subprocess.run([args.eds, "validate", "--format", "json", *args.files],
                            capture_output=True, text=True, check=False)
    if asked.returncode or report.returncode not in (0, 1):
        sys.stderr.write(asked.stderr + report.stderr)
        return 2
    # Objects of other kinds have no verdict; whether they exist is another API's to say.
    refused = collections.defaultdict(list)
    judged = set()
    for line in asked.stdout.splitlines():
        verdict = json.loads(line)
        reasons = verdict.get("errors") or []
        other = any(r.startswith("no such kind") and "bizma" not in r for r in reasons)
        judged.add(verdict["file"])
        if not verdict["accepted"] and not other:
            refused[verdict["file"]].append("; ".join(reasons)[:200])
    errors = collections.defaultdict(set)
    for finding in json.loads(report.stdout)["findings"]:
        if finding["severity"] == "error":
            errors[finding["file"]].add(finding["code"])
    kinds = collections.Counter()
    example = {}
    accepted = 0
    for file in args.files:
        accepted += file in judged and not refused[file]
        if bool(refused[file]) == bool(errors[file]):
            continue
        if refused[file]:
            kind = "only the API server refuses: " + refused[file][0]
        elif errors[file] <= KNOWN.keys():
            kind = "known: " + "; ".join(KNOWN[code] for code in sorted(errors[file]))
        else:
            kind = "only eds refuses: " + ", ".join(sorted(errors[file]))
        kinds[kind] += 1
        example.setdefault(kind, file)
    differ = sum(kinds.values())
    known = sum(n for kind, n in kinds.items() if kind.startswith("known"))
    print(f"{len(args.files)} files, {accepted} accepted by the API server: "
          f"{len(args.files) - differ} agree, {known} known differences, {differ - known} others")
    for kind, count in kinds.most_common():
        print(f"  {count} x {kind} (e.g. {example[kind]})")
    return 1 if differ > known else 0


if __name__ == "__main__":
    sys.exit(main())
