#!/usr/bin/env bash
# The long runs, each recorded as one line of fuzz/results.txt: fuzz targets for
# DURATION each (20m), those named or all; the simulated kernel over SEEDS seeds
# (1000000); the planted faults. Then writes fuzz/RESULTS.md from what is recorded.
#
#   fuzz/long.sh fuzz [DURATION [TARGET ...]]
#   fuzz/long.sh simulation [SEEDS]
#   fuzz/long.sh planted
#   fuzz/long.sh page              only writes the page
#
# Two at a time of the first may run side by side, with other targets.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
record=fuzz/results.txt
touch "$record"

commit=$(git rev-parse --short=12 HEAD)
[[ -z $(git status --porcelain -- . ":!$record" ':!fuzz/RESULTS.md') ]] || commit+='+'

# keep KIND NAME FIGURES... replaces the line of KIND and NAME.
keep() {
	(
		flock 9
		{ grep -v "^$1|$2|" "$record" || true; (IFS='|'; echo "$*"); } | sort >"$record.new"
		mv "$record.new" "$record"
	) 9>"$record.lock"
	rm -f "$record.lock"
}

one_target() { # DURATION TARGET
	local line
	line=$(fuzz/run.sh "$1" "$2" | tail -n 1) || { echo "$line"; exit 1; }
	echo "$line"
	keep fuzz "$2" "$(sed -E 's/.*, ([0-9]+) inputs, corpus ([0-9]+).*/\1|\2/' <<<"$line")" "$1" "$(date -u +%F)" "$commit"
}

simulation() { # SEEDS
	local tmp from
	tmp=$(mktemp -d)
	go test -c -o "$tmp/sim.test" ./reactor
	from=$SECONDS
	(cd reactor && "$tmp/sim.test" -test.timeout=2h -test.run='^TestSimulation$' -sim.seeds="$1" -test.v) >"$tmp/out" 2>&1 ||
		{ grep -m5 -A3 'seed' "$tmp/out"; rm -rf "$tmp"; exit 1; }
	keep simulation "$1" "$((SECONDS - from)) s" "$(date -u +%F)" "$commit"
	rm -rf "$tmp"
}

planted() {
	local out
	out=$(reactor/planted.sh) || { echo "$out"; exit 1; }
	sed -i '/^planted|/d' "$record"
	tail -n +2 <<<"$out" | while read -r name seeds found; do
		keep planted "$name" "$seeds" "${found//|/,}" "$(date -u +%F)" "$commit"
	done
}

page() {
	cat <<-'HEAD'
		# Long runs

		Written by `fuzz/long.sh` from `fuzz/results.txt`, where it records each run; nothing here is typed by hand. A `+` behind a
		commit: the tree had changes that were not committed. CI runs the same for seconds (`.ci/run`).

		## Fuzzing

		Each target one process (`WORKERS=1 fuzz/long.sh fuzz DURATION TARGET`), on a machine of two processors that did other work too, so that
		the number of inputs says how much was tried and nothing about speed. None failed.

		| target | for | inputs | corpus | day | commit |
		|---|---|---:|---:|---|---|
	HEAD
	awk -F'|' '$1 == "fuzz" { printf "| `%s` | %s | %s | %s | %s | `%s` |\n", $2, $5, $3, $4, $6, $7 }' "$record"
	cat <<-'SIMULATION'

		## The simulated kernel

		The real loop against a kernel driven by a seed, seeds 0 to N-1, no invariant broken: `fuzz/long.sh simulation N`. A seed
		that fails is run again, with a trace, by `go test ./reactor -run TestSimulation -sim.seed=SEED -v`.

		| seeds | took | day | commit |
		|---:|---|---|---|
	SIMULATION
	awk -F'|' '$1 == "simulation" { printf "| %s | %s | %s | `%s` |\n", $2, $3, $4, $5 }' "$record"
	cat <<-'PLANTED'

		## The check on the checker

		Faults planted on purpose, each a patch in `reactor/testdata/planted`, all found (`fuzz/long.sh planted`, which is
		`reactor/planted.sh` recorded; CI runs that too):

		| fault | seeds until found | found by |
		|---|---:|---|
	PLANTED
	awk -F'|' '$1 == "planted" { printf "| %s | %s | `%s` |\n", $2, $3, $4 }' "$record"
}

what=${1:-}
shift || true
case $what in
fuzz)
	duration=${1:-20m}
	shift || true
	if [ $# -eq 0 ]; then
		mapfile -t all < <(go test -list '^Fuzz' ./... | grep '^Fuzz')
		set -- "${all[@]}"
	fi
	for target; do one_target "$duration" "$target"; done
	;;
simulation) simulation "${1:-1000000}" ;;
planted) planted ;;
page) ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
page >fuzz/RESULTS.md
