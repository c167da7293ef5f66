#!/usr/bin/env bash
# The check on the checker: plants one fault after the other, each a patch in
# testdata/planted, into a copy of the module, and runs the simulation until it finds
# that. Prints what found each, and after how many seeds. A fault that is not found, or
# a patch that does not apply any more, is an error.
#
#	reactor/planted.sh [name ...]
set -uo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/module"
tar -cf - --exclude=.git --exclude=./bench --exclude=./interop . | tar -xf - -C "$copy/module"

status=0
patches=(reactor/testdata/planted/*.patch)
if [ $# -gt 0 ]; then
	patches=("${@/#/reactor/testdata/planted/}")
	patches=("${patches[@]/%/.patch}")
fi
printf '%-22s %8s  %s\n' fault seeds 'found by'
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	if ! (cd "$copy/module" && git apply --whitespace=nowarn "$OLDPWD/$patch"); then
		echo "$name: does not apply"
		status=1
		continue
	fi
	if ! (cd "$copy/module" && go test -c -vet=off -o "$copy/sim.test" ./reactor); then
		echo "$name: does not build"
		status=1
	elif timeout 60 "$copy/sim.test" -test.run '^TestSimulation$' -sim.seeds=20000 >"$copy/out" 2>&1; then
		printf '%-22s %8s  %s\n' "$name" '-' 'NOT FOUND'
		status=1
	else
		found=$(grep -m1 -oE 'seed [0-9]+: .*|fatal error: .*' "$copy/out" || echo 'timed out')
		seeds=$(grep -m1 -oE 'after [0-9]+ seeds' "$copy/out" | grep -oE '[0-9]+' || echo '?')
		printf '%-22s %8s  %s\n' "$name" "$seeds" "$(cut -c1-110 <<<"${found#seed *: }")"
	fi
	(cd "$copy/module" && git apply --whitespace=nowarn -R "$OLDPWD/$patch")
done
exit $status
