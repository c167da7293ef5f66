#!/usr/bin/env bash
# Copies inputs that earlier runs of fuzz/run.sh found interesting from Go's cache into
# the committed corpora, testdata/fuzz of each target's package: N (20) for each target, of 1 KiB
# at most, those whose names, hashes of their contents, come first. go test runs them all.
#
#   fuzz/keep.sh [N]
set -euo pipefail
cd "$(dirname "$0")/.."
most=${1:-20}
cache=$(go env GOCACHE)/fuzz/$(go list -m)
for dir in $(cd "$cache" && find . -type d -name 'Fuzz*' | sort); do
	package=$(dirname "$dir") target=$(basename "$dir")
	grep -qr "^func $target(" --include='*_test.go' "$package" || continue
	to=$package/testdata/fuzz/$target
	mkdir -p "$to"
	find "$cache/$dir" -type f -size -2 | sort | head -n "$most" | while read -r input; do
		cp -n "$input" "$to/"
	done
	echo "$to: $(find "$to" -type f | wc -l) inputs"
done
