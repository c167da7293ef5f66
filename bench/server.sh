#!/usr/bin/env bash
# Takes COUNT (15) samples of the echo over sockets by each server, interleaved: one
# pass of everything per sample, so that a machine that drifts hurts all alike. Keeps
# the raw samples in bench/results/ and puts its tables behind those of bench/run.sh
# in benchstat.txt: each of the two scripts leaves the other's part as it is. With the
# whole grid it draws the chart docs/charts/echo.svg and writes the README's block too.
#
#   bench/server.sh [COUNT]  fewer than 5: a trial, which only writes to bench/results/tmp
#
#   SERVERS    raw rawc hybi gnet gobwas gws gorilla fasthttp coder nbio (all of them);
#              rawc, the loop in C, needs cc and is left out without, which the
#              output says
#   ECHOTIME   for each echo (300ms)
#   GRID       whole, or small: without 1,000 and 10,000 connections and larger sizes
#   PARTS      echo calls idle (all of them); calls needs strace and is left out
#              without, which the output says. They are counted in one pass, idle
#              memory in three, before and after what is timed.
#
#   GRID=small ECHOTIME=10ms SERVERS='raw rawc hybi gws' PARTS=echo bench/server.sh 1
#              does it run at all? A few seconds, once everything is built.
#
# Run it on a quiet machine, at a commit. Server and generator pin themselves to a
# processor each. Needs Linux and bash. Takes some fifteen minutes.
set -euo pipefail
export LC_ALL=C GOFLAGS="${GOFLAGS:-} -mod=readonly" GOWORK=off
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=${1:-15}
echotime=${ECHOTIME:-300ms}
grid=${GRID:-whole}
read -ra servers <<<"${SERVERS:-raw rawc hybi gnet gobwas gws gorilla fasthttp coder nbio}"
read -ra parts <<<"${PARTS:-echo calls idle}"
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
mark='hybi: benchmarks over sockets' # the first line of this script's part of benchstat.txt

[[ $count =~ ^[1-9][0-9]*$ ]] || { echo "usage: bench/server.sh [COUNT]" >&2; exit 2; }
[[ $grid == whole || $grid == small ]] || { echo "bench/server.sh: GRID is whole or small" >&2; exit 2; }
for s in "${servers[@]}"; do
	[[ " raw rawc hybi gnet gobwas gws gorilla fasthttp coder nbio " == *" $s "* ]] || { echo "bench/server.sh: no server $s" >&2; exit 2; }
done
for p in "${parts[@]}"; do
	[[ " echo calls idle " == *" $p "* ]] || { echo "bench/server.sh: no part $p" >&2; exit 2; }
done
has() { [[ " $2 " == *" $1 "* ]]; }

# without says what is not measured, at once and in the table.
lacking=
without() {
	lacking+="${lacking:+; }$1"
	echo "bench/server.sh: $1" >&2
}
if has rawc "${servers[*]}" && ! command -v cc >/dev/null; then
	without "no loop in C: there is no cc"
	read -ra servers <<<"$(printf '%s\n' "${servers[@]}" | grep -vx rawc | paste -sd ' ')"
fi
if has calls "${parts[*]}" && ! command -v strace >/dev/null; then
	without "no system calls: there is no strace"
	read -ra parts <<<"$(printf '%s\n' "${parts[@]}" | grep -vx calls | paste -sd ' ')"
fi

commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo none)
state=$commit
if [[ -n $(git status --porcelain -- . ':!benchstat.txt' ':!bench/results' ':!docs/charts' ':!README.md' 2>/dev/null) ]]; then
	state="$commit with uncommitted changes"
fi
results=bench/results
[ "$count" -ge 5 ] || results=bench/results/tmp # a trial: nothing that is committed is touched
mkdir -p "$results"
raw=$results/$(date -u +%Y-%m-%dT%H%MZ)-$commit-server.txt

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Built once, so that all samples are of the same programs.
go test -c -o "$tmp/bench.test" ./bench
go build -o "$tmp/" ./cmd/hybi ./bench/rawecho
! has rawc "${servers[*]}" || cc -O2 -o "$tmp/rawecho-c" bench/rawecho-c/rawecho.c
(cd bench/peers && go build -o "$tmp/" ./report ./echo)
export HYBI_BENCH_BIN=$tmp

# sample BENCHMARK TIME SERVERS... runs a benchmark once.
sample() {
	local name=$1 time=$2
	shift 2
	(cd bench && HYBI_BENCH_SERVERS="$*" "$tmp/bench.test" -test.run='^$' -test.bench="^Benchmark$name\$" \
		-test.v -test.benchtime="$time" -test.timeout=10m) >>"$tmp/raw" || { tail -n 20 "$tmp/raw" >&2; exit 1; }
}
# The servers of the budgets stand side by side in every pass, so that little time is
# between the two of a ratio; they change places among themselves, and the libraries'
# servers too.
core=() peers=()
for s in "${servers[@]}"; do
	case $s in
	raw | rawc | hybi) core+=("$s") ;;
	*) peers+=("$s") ;;
	esac
done
# turn N LIST... turns a list by N places.
turn() {
	local n=$1
	shift
	[ $# = 0 ] || { n=$((n % $#)) && printf '%s ' "${@:n + 1}" "${@:1:n}"; }
}

started=$SECONDS
: >"$tmp/raw"
if has calls "${parts[*]}"; then
	HYBI_BENCH_CALLS=1 sample Calls 1x "${core[@]}"
	echo "system calls, $((SECONDS - started)) s" >&2
fi
for ((i = 1; i <= count; i++)); do
	read -ra turned <<<"$(turn "$i" "${core[@]}") $(turn "$i" "${peers[@]}")"
	if has echo "${parts[*]}"; then
		HYBI_BENCH_GRID=$grid sample Echo "$echotime" "${turned[@]}"
	fi
	if has idle "${parts[*]}" && [ "$i" -le 3 ]; then
		sample Idle 1x "${turned[@]}"
	fi
	echo "sample $i of $count, $((SECONDS - started)) s" >&2
done
took=$((SECONDS - started))
# Only what benchstat reads: results and their configuration.
grep -E '^(Benchmark[^ ]+[[:space:]]+[0-9]|goos: |goarch: |pkg: |cpu: )' "$tmp/raw" >"$raw"
skipped=$(grep -cE -- '--- SKIP' "$tmp/raw" || true)
[ "$skipped" = 0 ] || without "$skipped benchmarks were skipped, for want of descriptors"

cpuinfo() { sed -n "s/^$1[[:space:]]*: //p" /proc/cpuinfo | head -n 1; }
versions() {
	sed -nE '/^require \(/,/^\)/s,^\t([^ ]+) (v[^ ]+)$,\1 \2,p' bench/peers/go.mod |
		grep -E 'gnet|gobwas|gws|gorilla|fasthttp|coder|nbio' | paste -sd , | sed 's/,/, /g'
}
title() { printf '\n\n%s\n%s\n\n' "$1" "${1//?/-}"; }

# table TITLE ARGUMENTS... prints one comparison.
table() {
	title "$1"
	shift
	printf '    benchstat'
	local arg
	for arg in "$@"; do
		[[ $arg == *[!A-Za-z0-9,./-]* ]] && arg="'$arg'"
		printf ' %s' "$arg"
	done
	printf ' %s\n\n' "$raw"
	GOFLAGS= go run "$benchstat" "$@" "$raw" | sed -E 's/[[:space:]]+$//' | { grep -vE '^(goos|goarch|pkg|cpu): ' || true; }
}

GOFLAGS= go run "$benchstat" "$raw" >/dev/null # fetched now, so that only tables are written below
{
	printf '\n\n'
	cat <<-HEADER
		$mark
		${mark//?/=}

		processor   $(cpuinfo 'model name'), $(nproc) processors
		kernel      $(uname -sr)
		compilers   $(go env GOVERSION) $(go env GOOS)/$(go env GOARCH) GOAMD64=$(go env GOAMD64); $(cc --version 2>/dev/null | head -n 1 || echo no cc)
		commit      $state
		servers     ${servers[*]}
		peers       $(versions)
		descriptors $(ulimit -Hn)
		not here    ${lacking:-nothing}
		samples     $count, interleaved: one pass of everything for each; $took s; raw: $raw

		Written by bench/server.sh; nothing in it is typed by hand. To have it again:

		    SERVERS='${servers[*]}' PARTS='${parts[*]}' GRID=$grid ECHOTIME=$echotime bench/server.sh $count

		It builds once, and then runs for each sample, the servers changing places:

		    HYBI_BENCH_SERVERS='${servers[*]}' HYBI_BENCH_GRID=$grid ./bench.test -test.bench=Echo -test.benchtime=$echotime

		Each server is a process of its own with one loop, or GOMAXPROCS=1 where it has a goroutine for each connection, on a
		processor of its own; the generator has another. raw is bench/rawecho and rawc bench/rawecho-c: epoll loops in Go and in
		C that send the octets back and know no WebSocket. bench/peers/echo tells how the libraries are called. Processor time
		is the kernel's of the server's process, system calls included. Figures are medians; ratios are of samples paired pass by
		pass: their median, and in parentheses the least and the most. System calls are counted by strace in a run of their
		own; idle memory is from three passes. What the figures cannot tell is in bench/doc.go.
	HEADER
	title 'BUDGETS OVER SOCKETS'
	"$tmp/report" -commit "$state" "$raw" server | sed -E 's/[[:space:]]+$//'
	if has echo "${parts[*]}"; then
		table 'Echo: raw against hybi' -filter '.name:Echo /server:(raw OR rawc OR hybi) -.unit:sec/op' -ignore pkg -col '/server@(raw rawc hybi)'
	fi
	if has calls "${parts[*]}"; then
		table 'System calls per message' -filter '.name:Calls -.unit:sec/op' -ignore pkg -col '/server@(raw rawc hybi)'
	fi
} >"$tmp/part.txt"
if [ "$count" -lt 5 ]; then
	mv "$tmp/part.txt" "$results/benchstat-server.txt"
	echo "fewer than 5 samples: wrote $results/benchstat-server.txt only" >&2
	exit
fi
[ -e benchstat.txt ] || : >benchstat.txt
sed "/^$mark\$/,\$d" benchstat.txt | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$tmp/benchstat.txt" # less blank lines at its end
cat "$tmp/part.txt" >>"$tmp/benchstat.txt"
mv "$tmp/benchstat.txt" benchstat.txt
if has echo "${parts[*]}" && [ "$grid" = whole ]; then
	"$tmp/report" -commit "$state" "$raw" server-charts docs/charts
	"$tmp/report" -commit "$state" "$raw" server-readme README.md
fi
echo "wrote benchstat.txt and $raw" >&2
