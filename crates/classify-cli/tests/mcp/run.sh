#!/usr/bin/env bash
# Runs `llamacloud-prod mcp` with the official MCP client for Python against `llamacloud-prod emulator`: all tools, bad
# arguments, paths and links out of the root, a cancelled call, a closed pipe, a killed server. Counts the jobs.
#
#   tests/mcp/run.sh [FOLDER]
#
# FOLDER keeps the installed client; without it, it is in the target directory. If the client cannot be installed, the
# script skips the exchange with a message, or fails with REQUIRED=1.
set -euo pipefail

version=2.3.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
venv=${1:-$target/mcp-client}/python-$version
work=$(mktemp -d)
pid=
clean_up() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT

# The tests of the feature, which build the binary with it.
cargo test --quiet --locked -p classify-cli --features mcp --bin llamacloud-prod mcp::
cargo test --quiet --locked -p classify-cli --features mcp --test mcp_feature --test help --test help_examples
binary=$work/llamacloud-prod
cp "$target/debug/llamacloud-prod" "$binary"

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import mcp' 2>/dev/null; then
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check "mcp==$version" >"$work/pip.log" 2>&1 ||
        { echo "SKIPPED: mcp $version for Python could not be installed; is the network there?"; exit "${REQUIRED:-0}"; }
fi

"$binary" emulator --port 0 --port-file "$work/port" --rate-limit none --running-after 20 --completed-after 400 \
    >"$work/emulator.out" &
pid=$!
for _ in $(seq 1 200); do
    if [ -s "$work/port" ]; then break; fi
    kill -0 "$pid" || { echo "FAILED: the emulator did not start"; exit 1; }
    sleep 0.05
done

# The exchange is on loopback; a proxy has no part in it.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
timeout 120 "$venv/bin/python" -B "$here/exchange.py" "$binary" "http://127.0.0.1:$(cat "$work/port")" "$work"
