#!/usr/bin/env bash
# Lets the official clients judge the emulator: installs them into a folder outside the repository, starts
# `llamacloud-prod emulator`, and runs the scenarios beside this script.
#
#   tests/official/run.sh [FOLDER]
#
# FOLDER keeps the installed clients for the next run; without it they go into a temporary folder. EMULATOR names a
# command to start instead of the one that is built here; it takes the options below. Without network the scenarios of
# the clients that cannot be installed are skipped, and said to be; with REQUIRED=1 that is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
crate=$(cd "$here/../.." && pwd)
keep=${1:-}
folder=${keep:-$(mktemp -d)}
mkdir -p "$folder"
pid=
clean_up() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    if [ -z "$keep" ]; then rm -rf "$folder"; fi
}
trap clean_up EXIT

if [ -z "${EMULATOR:-}" ]; then
    (cd "$crate" && cargo build --quiet --locked -p classify-cli)
    target=$(cd "$crate" && cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    EMULATOR="$target/debug/llamacloud-prod emulator"
fi

port_file=$folder/port
line=$folder/line
# Of a process that was killed: it must not be taken for this one's.
echo 1 >"$port_file"
rm -f "$line"
mkfifo "$line"
begin=${EPOCHREALTIME//[.,]/}
# shellcheck disable=SC2086 # a program and its subcommand
$EMULATOR --port 0 --port-file "$port_file" --script "$here/scenario.yaml" --allow-loopback-webhooks --rate-limit none \
    --running-after 30 --completed-after 100 --webhook-delay 50 >"$line" &
pid=$!
EMULATOR_URL=
read -r -t 60 EMULATOR_URL <"$line" || true
ready=${EPOCHREALTIME//[.,]/}
[ -n "$EMULATOR_URL" ] || { echo "FAILED: the emulator did not start"; exit 1; }
echo "the emulator answers after $(((ready - begin) / 1000)) ms"
[ "$EMULATOR_URL" = "http://127.0.0.1:$(cat "$port_file")" ] || { echo "FAILED: the port file says something else"; exit 1; }
export EMULATOR_URL
# The scenarios talk to loopback; a proxy has no part in that.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

passed=0
failed=0
skipped=0
skip() {
    echo "SKIPPED: $1 could not be installed; is the network there?"
    skipped=$((skipped + 1))
}

python_client() { # version, script
    local venv=$folder/python-$1
    if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import llama_cloud, jsonschema' 2>/dev/null; then
        python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check \
            "llama-cloud==$1" "jsonschema==4.26.0" >"$folder/pip.log" 2>&1 || { skip "llama-cloud $1 for Python"; return; }
    fi
    echo "== llama-cloud $1 for Python"
    timeout 300 "$venv/bin/python" -B -W ignore::DeprecationWarning "$here/$2" && passed=$((passed + 1)) || failed=$((failed + 1))
}

typescript_client() { # version
    local place=$folder/typescript-$1
    mkdir -p "$place"
    if [ ! -d "$place/node_modules/@llamaindex/llama-cloud" ] || [ ! -d "$place/node_modules/ajv" ]; then
        (cd "$place" && npm install --silent --no-audit --no-fund --no-save "@llamaindex/llama-cloud@$1" ajv@8.17.1) \
            >"$folder/npm.log" 2>&1 || { skip "@llamaindex/llama-cloud $1"; return; }
    fi
    echo "== @llamaindex/llama-cloud $1"
    # The script must lie beside the modules that it imports.
    cp "$here/scenarios.mjs" "$place/"
    (cd "$place" && SCHEMA=$here/schema.json timeout 300 node scenarios.mjs) && passed=$((passed + 1)) || failed=$((failed + 1))
}

python_client 2.19.0 v2.py
python_client 2.14.1 v1.py
typescript_client 2.16.0

kill -TERM "$pid"
if wait "$pid"; then
    echo "the emulator stopped cleanly on SIGTERM"
else
    echo "FAILED: the emulator did not stop cleanly on SIGTERM"
    failed=$((failed + 1))
fi
pid=

echo "official clients: $passed passed, $failed failed, $skipped skipped"
if [ "${REQUIRED:-0}" = 1 ] && [ "$skipped" -gt 0 ]; then
    echo "FAILED: nothing may be skipped here"
    exit 1
fi
[ "$failed" -eq 0 ]
