#!/usr/bin/env bash
# Takes COUNT (15) samples of all benchmarks, interleaved: one pass of everything
# per sample, so that a machine that drifts hurts all alike. Keeps the raw samples
# in bench/results/, and writes of them benchstat.txt at the top of the repository,
# the charts in docs/charts/, and the block in the README that shows these. The part
# of benchstat.txt that is by bench/server.sh it leaves as it is.
#
#   bench/run.sh [COUNT]     fewer than 5: a trial, which only writes to bench/results/tmp
#
#   PACKAGES   what is measured: mask codec handshake peers bench (all of them);
#              bench is the echo over sockets. Charts and README need mask, codec
#              and peers, and are left as they are without.
#   BENCHTIME  for each micro-benchmark (30ms)
#   ECHOTIME   for each echo over sockets (1s)
#
# Run it on a quiet machine, at a commit. Needs Linux and bash; taskset if there.
# Takes some twenty minutes.
set -euo pipefail
export LC_ALL=C GOFLAGS="${GOFLAGS:-} -mod=readonly" GOWORK=off
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=${1:-15}
benchtime=${BENCHTIME:-30ms}
echotime=${ECHOTIME:-1s}
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
read -ra packages <<<"${PACKAGES:-mask codec handshake peers bench}"

[[ $count =~ ^[1-9][0-9]*$ ]] || { echo "usage: bench/run.sh [COUNT]" >&2; exit 2; }
for p in "${packages[@]}"; do
	[[ " mask codec handshake peers bench " == *" $p "* ]] || { echo "bench/run.sh: no package $p" >&2; exit 2; }
done
measured() { [[ " ${packages[*]} " == *" $1 "* ]]; }

# One processor for the micro-benchmarks: the last, as the first has most of the
# interrupts. The echo pins its two processes itself.
pin=()
if command -v taskset >/dev/null; then
	cpus=$(taskset -cp $$ | sed 's/.*[:,-] *//')
	pin=(taskset -c "$cpus")
fi

commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo none)
state=$commit
if [[ -n $(git status --porcelain -- . ':!benchstat.txt' ':!bench/results' ':!docs/charts' ':!README.md' 2>/dev/null) ]]; then
	state="$commit with uncommitted changes"
fi
mkdir -p bench/results
raw=bench/results/$(date -u +%Y-%m-%dT%H%MZ)-$commit.txt

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Built once, so that all samples are of the same programs.
for p in "${packages[@]}"; do
	case $p in
	peers) (cd bench/peers && go test -trimpath -c -o "$tmp/peers.test" .) ;;
	*) go test -trimpath -c -o "$tmp/$p.test" "./$p" ;;
	esac
done
go build -trimpath -o "$tmp/" ./cmd/hybi ./bench/rawecho
(cd bench/peers && go build -trimpath -o "$tmp/" ./report)
export HYBI_BENCH_BIN=$tmp

# sample PACKAGE runs its benchmarks once.
sample() {
	local args=(-test.run='^$' -test.bench=. -test.timeout=10m)
	case $1 in
	bench) (cd bench && "$tmp/bench.test" "${args[@]}" -test.benchtime="$echotime") ;;
	peers) (cd bench/peers && "${pin[@]}" "$tmp/peers.test" "${args[@]}" -test.benchtime="$benchtime") ;;
	*) (cd "$1" && "${pin[@]}" "$tmp/$1.test" "${args[@]}" -test.benchtime="$benchtime") ;;
	esac
}

# The packages change places from pass to pass.
started=$SECONDS
: >"$tmp/raw"
for ((i = 1; i <= count; i++)); do
	for ((j = 0; j < ${#packages[@]}; j++)); do
		p=${packages[(i + j) % ${#packages[@]}]}
		sample "$p" >>"$tmp/raw" || { tail -n 20 "$tmp/raw" >&2; exit 1; }
	done
	echo "sample $i of $count, $((SECONDS - started)) s" >&2
done
# Only what benchstat reads: results and their configuration.
grep -E '^(Benchmark[^ ]+[[:space:]]+[0-9]|goos: |goarch: |pkg: |cpu: )' "$tmp/raw" >"$raw"

cpuinfo() { sed -n "s/^$1[[:space:]]*: //p" /proc/cpuinfo | head -n 1; }
flags=$(cpuinfo flags | tr ' ' '\n' |
	{ grep -Ex 'sse2|ssse3|sse4_1|avx|avx2|bmi2|erms|fsrm|avx512(f|bw|vl|vbmi|_vbmi2)|gfni|hypervisor' || true; } | paste -sd ' ')
versions() {
	sed -nE '/^require \(/,/^\)/s,^\t([^ ]+) (v[^ ]+)$,\1 \2,p' bench/peers/go.mod |
		grep -vE '^(github.com/hybi-go/|golang.org/x/perf|gonum.org/)' | paste -sd , | sed 's/,/, /g'
}

# values NAME KEY [FIRST...] lists the values of a benchmark's key, FIRST first.
values() {
	local name=$1 key=$2
	shift 2
	{ printf '%s\n' "$@"; sed -nE "s,^Benchmark$name/(.*/)?$key=([^/ 	]*).*,\2,p" "$raw" | sed 's/-[0-9]*$//'; } |
		awk 'NF && !seen[$0]++' | paste -sd ' '
}

title() { printf '\n\n%s\n%s\n\n' "$1" "${1//?/-}"; }

# table PACKAGE TITLE ARGUMENTS... prints one comparison, if PACKAGE was measured.
table() {
	measured "$1" || return 0
	title "$2"
	shift 2
	printf '    benchstat'
	local arg
	for arg in "$@"; do
		[[ $arg == *[!A-Za-z0-9,./-]* ]] && arg="'$arg'"
		printf ' %s' "$arg"
	done
	printf ' %s\n\n' "$raw"
	GOFLAGS= go run "$benchstat" "$@" "$raw" | sed -E 's/[[:space:]]+$//' | { grep -vE '^(goos|goarch|pkg|cpu): ' || true; }
}

# report ARGUMENTS... prints what bench/peers/report makes of the samples.
report() { "$tmp/report" -commit "$state" "$raw" "$@" | sed -E 's/[[:space:]]+$//'; }

GOFLAGS= go run "$benchstat" "$raw" >/dev/null # fetched now, so that only tables are written below
{
	cat <<-HEADER
		hybi: benchmarks
		================

		processor   $(cpuinfo 'model name'), $(nproc) processors
		flags       $flags
		kernel      $(uname -sr)
		go          $(go env GOVERSION) $(go env GOOS)/$(go env GOARCH) GOAMD64=$(go env GOAMD64)
		commit      $state
		mask        $(sed -n 's/^mask: //p' "$tmp/raw" | head -n 1)
		peers       $(versions)
		measured    ${packages[*]}
		GOMAXPROCS  ${GOMAXPROCS:-not set}; one processor for the micro-benchmarks: ${pin[*]:-no, there is no taskset}
		samples     $count, interleaved: one pass of everything for each; $((SECONDS - started)) s; raw: $raw

		Written by bench/run.sh; nothing in it is typed by hand. To have it again:

		    PACKAGES='${packages[*]}' BENCHTIME=$benchtime ECHOTIME=$echotime bench/run.sh $count

		It builds once, and then runs for each sample, the packages in turn:

		    go test -trimpath -c ./PACKAGE; go build -trimpath ./cmd/hybi ./bench/rawecho; cd bench/peers && go test -trimpath -c .
		    ${pin[*]:+${pin[*]} }./PACKAGE.test -test.run='^\$' -test.bench=. -test.benchtime=$benchtime    (mask, codec, handshake, peers)
		    ./bench.test -test.run='^\$' -test.bench=. -test.benchtime=$echotime    (it pins itself)

		The tables of budgets and of libraries are by bench/peers/report, the others by go run
		$benchstat

		What the rows mean. Figures are medians. Ratios are of samples paired pass by pass: their median, and in
		parentheses the least and the most. In benchstat's tables ± is the spread of the samples, "vs base" compares
		with the first column, and "~" says that the samples show no difference.

		XOR, XORTo  one payload of size octets, walking over those of a 64 KiB buffer as they come from the wire; copy is
		            Go's copy of the same payloads, xor is mask.XOR as callers have it, the others are its kernels
		XORSpot     the same payload over and over: all in the nearest cache
		Mask        XOR and XORSpot once more, beside other libraries' functions: bench/peers/doc.go tells which
		Parse       one frame of size octets of payload, parsed and unmasked in place; a buffer of 64 KiB full of them is
		            filled anew by a copy before each pass, which is in the figure; Refill, or impl=refill, is that copy
		            alone. "Net of refill" is with it subtracted from both sides, pass by pass
		Append      one frame written; Encode, to a connection that throws it away
		UTF8        one text validated; std is unicode/utf8.Valid, the others the levels of the processor; the best is in use
		UnmaskText  one text unmasked and validated, in one pass and in two, beside mask.XOR alone
		XORMixed    as XOR, of lengths from 1 to size that no branch predictor can know
		ParseMixed  as Parse, of such lengths to max; ParseRun by NextRun
		Request     one opening handshake, from the head as the client sends it to the answer
		Echo        per message, through sockets: a server in a process of its own with one loop; raw echoes octets and
		            knows no WebSocket. cpu-sec/msg is the server's processor time, system calls included; user and sys are
		            the kernel's sampling of it, which is coarse; sleeps/msg, how often the server found nothing to do
		Idle        growth of hybi's resident memory, in octets per silent connection

		What the figures cannot tell is in bench/doc.go; above all, absolute times do not travel.
	HEADER

	title BUDGETS
	report budgets
	printf '\n%s\n%s\n' 'Not measured by these benchmarks: the same echo by a loop in C and system calls per message, which bench/server.sh' \
		'measures (further down), and heap objects in millions of echoed messages.'

	only='.unit:sec/op'
	codec='pkg:"github.com/hybi-go/hybi/codec"'
	table mask 'mask.XOR and its kernels, against copy' -filter ".name:XOR $only" -ignore 'pkg,/phase' -col "/impl@($(values XOR impl copy xor))"
	table mask 'mask.XORTo, against copy' -filter ".name:XORTo $only" -ignore 'pkg,/phase' -col '/impl@(copy xorto)'
	table mask 'mask.XOR in one spot, against copy' -filter ".name:XORSpot $only" -ignore 'pkg,/phase' -col '/impl@(copy xor)'
	if measured peers; then
		title 'hybi against each library'
		report libraries
	fi
	table codec 'Parser.Next: binary against text' -filter ".name:Parse .unit:sec/frame $codec" -ignore pkg -col '/type@(binary text)'
	table codec 'Parser.Next, binary, refill included: against the refill alone' -filter "(.name:Refill OR (.name:Parse /type:binary)) .unit:sec/frame $codec" -ignore 'pkg,/type' -row /size -col '.name@(Refill Parse)'
	table codec 'AppendFrame: server against client, which masks' -filter '.name:Append .unit:sec/frame' -ignore pkg -col '/role@(server client)'
	table codec 'ParseHeader' -filter ".name:ParseHeader $only" -ignore pkg -col '/to@(server client)'
	table mask 'mask.XOR of lengths that differ, against copy' -filter ".name:XORMixed $only" -ignore 'pkg,/phase' -col '/impl@(copy xor)'
	table codec 'Parser.Next against NextRun, binary' -filter '(.name:Parse OR .name:ParseRun) /type:binary .unit:sec/frame' -ignore 'pkg,/type' -row /size -col '.name@(Parse ParseRun)'
	table codec 'The same of lengths that differ' -filter '.name:ParseMixed .unit:sec/frame' -ignore pkg -col '/form@(next run)'
	table codec 'Unmasking and validating text: one pass against two' -filter ".name:UnmaskText $only" -ignore pkg -col '/impl@(mask-alone two-passes joined)'
	table codec 'UTF-8 validation, against unicode/utf8' -filter ".name:UTF8 $only" -ignore pkg -col "/impl@($(values UTF8 impl std))"
	table handshake 'Opening handshake' -filter '.name:(Request OR SlowHead OR Refusal) .unit:(sec/op OR allocs/op)' -ignore pkg
	table bench 'Echo: raw against hybi' -filter '.name:Echo -.unit:sec/op' -ignore pkg -col '/server@(raw hybi)'
	table bench 'Idle connections' -filter '.name:Idle .unit:rss-B/conn' -ignore pkg
} >"$tmp/benchstat.txt"
if [ "$count" -lt 5 ]; then # a trial: nothing that is committed is touched
	mkdir -p bench/results/tmp
	mv "$raw" "$tmp/benchstat.txt" bench/results/tmp/
	echo "fewer than 5 samples: wrote bench/results/tmp/benchstat.txt only" >&2
	exit
fi
if measured mask && measured codec && measured peers; then
	report charts docs/charts
	report readme README.md
fi
# What bench/server.sh wrote stays where it is, behind this.
[ -e benchstat.txt ] || : >benchstat.txt
sed -n '/^hybi: benchmarks over sockets$/,$p' benchstat.txt >"$tmp/sockets.txt"
if [ -s "$tmp/sockets.txt" ]; then
	{ printf '\n\n'; cat "$tmp/sockets.txt"; } >>"$tmp/benchstat.txt"
fi
mv "$tmp/benchstat.txt" benchstat.txt
echo "wrote benchstat.txt and $raw" >&2
