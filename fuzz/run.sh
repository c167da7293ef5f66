#!/usr/bin/env bash
# Runs fuzz targets, each for DURATION (30s, 5m, or 1000x for so many inputs): those
# named, or every one of the module. One line each; stops at the first that fails. An
# input that fails is kept under testdata/fuzz of the target's package.
#
#   fuzz/run.sh DURATION [TARGET ...]
#
#   WORKERS  processes for one target (as many as there are processors)
set -eu
if [ $# -lt 1 ]; then
	echo "usage: $0 DURATION [TARGET ...]" >&2
	exit 2
fi
duration=$1
shift
workers=${WORKERS:-$(getconf _NPROCESSORS_ONLN)}
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# go test -list prints a package's targets, then its line "ok <package> ...".
if ! go test -list '^Fuzz' ./... >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
targets=$(awk '/^Fuzz/ { names = names " " $1 } /^ok/ { n = split(names, all, " "); for (i = 1; i <= n; i++) print $2, all[i]; names = "" }' "$log")
if [ -z "$targets" ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
if [ $# -gt 0 ]; then
	chosen=
	for name; do
		line=$(grep -E " $name\$" <<<"$targets") || { echo "no fuzz target $name; there are:" >&2; echo "$targets" >&2; exit 2; }
		chosen+=$line$'\n'
	done
	targets=${chosen%$'\n'}
fi

fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -parallel "$workers" "$1" >"$log" 2>&1; }

# Up to Go 1.26 the end of the time can pass for a failure of the target, without an
# input that shows one (golang/go#75804): such a run says nothing and is repeated.
cut_short() {
	grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written\|panic:\|_test.go:' "$log"
}

# figures of the last line that Go printed: "elapsed: 30s, execs: 12 (3/sec), new interesting: 4 (total: 56)".
figures() { sed -nE 's/.*elapsed: ([^,]*), execs: ([0-9]+) .*\(total: ([0-9]+)\).*/\1, \2 inputs, corpus \3/p' "$log" | tail -n 1; }

while read -r package target; do
	if fuzz "$package" "$target" "$duration" || { cut_short && fuzz "$package" "$target" "$duration"; }; then
		echo "ok   $target $package $(figures)"
	else
		echo "FAIL $target $package"
		cat "$log"
		exit 1
	fi
done <<<"$targets"
