#!/usr/bin/env bash
# Plays other implementations' clients against `hybi echo`: the same script of
# messages in each, what comes back compared octet by octet. Prints a row each;
# the exit status is 1 if one fails. Installs the clients if they are missing.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
server=
finish() {
	[ -z "$server" ] || kill "$server" 2> /dev/null || true
	rm -rf "$work"
}
trap finish EXIT

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if ! /usr/bin/python3 -c 'import websockets' 2> /dev/null; then
	$sudo apt-get update -qq
	$sudo apt-get install -y -qq python3-websockets > "$work/apt.log" 2>&1 || { cat "$work/apt.log"; exit 1; }
fi
# Debian's node will do, and so will any other.
command -v npm > /dev/null || $sudo apt-get install -y -qq nodejs npm > "$work/apt.log" 2>&1 || { cat "$work/apt.log"; exit 1; }
npm install --silent --no-audit --no-fund --prefix "$work" ws@8.23.0 > "$work/npm.log" 2>&1 || { cat "$work/npm.log"; exit 1; }

go build -o "$work/hybi" ../cmd/hybi
"$work/hybi" echo -addr 127.0.0.1:0 > "$work/out" 2> "$work/err" &
server=$!
for _ in $(seq 100); do
	url=$(sed -n 's/^listening on //p' "$work/out")
	[ -z "$url" ] || break
	sleep 0.05
done
[ -n "$url" ] || { echo "hybi echo does not listen:"; cat "$work/err"; exit 1; }

failed=0
row() { # name, command...
	local name=$1 outcome
	shift
	if outcome=$(timeout 60 "$@" 2>&1); then
		printf '%-24s ok      %s\n' "$name" "$outcome"
	else
		printf '%-24s FAILED  %s\n' "$name" "$outcome"
		failed=1
	fi
}
row "Python websockets" /usr/bin/python3 client.py "$url"
NODE_PATH="$work/node_modules" row "Node ws" node client.js "$url"

# A drained server ends with status 0 and has counted nothing amiss.
kill -TERM "$server"
wait "$server" || { echo "hybi echo ended with status $?"; failed=1; }
server=
if grep -E 'protocol error|refused|timeout|panic|full' "$work/err"; then
	echo "hybi echo counted faults"
	failed=1
fi
exit $failed
