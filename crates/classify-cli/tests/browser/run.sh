#!/usr/bin/env bash
# Opens the page of `classify run --report` in a headless Chromium, sorts and filters it, follows its links, and sees that
# nothing that a document is called, or that the service says, runs or fetches anything. axe-core examines roles and
# contrast. Prints how long a page with 50,000 documents takes.
#
#   tests/browser/run.sh [FOLDER]
#
# FOLDER keeps the pages and their screenshots (light, dark, narrow, on paper) for inspection; without it they are
# deleted. Chromium is Debian's and is installed if it is missing; axe-core is installed with npm into FOLDER. If one of
# them cannot be installed, the script skips its checks with a message, or fails with REQUIRED=1.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
keep=${1:-}
folder=${keep:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
pid=
clean_up() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    if [ -z "$keep" ]; then rm -rf "$folder"; fi
}
trap clean_up EXIT

if ! command -v chromium >/dev/null; then
    apt-get update -q >"$folder/apt.log" 2>&1 &&
        apt-get install -q -y --no-install-recommends chromium >>"$folder/apt.log" 2>&1 ||
        { echo "SKIPPED: chromium could not be installed; is the network there?"; exit "${REQUIRED:-0}"; }
fi

axe=$folder/axe/node_modules/axe-core/axe.min.js
if [ ! -f "$axe" ]; then
    mkdir -p "$folder/axe"
    (cd "$folder/axe" && npm install --silent --no-audit --no-fund --no-save --ignore-scripts axe-core@4.14.1) >"$folder/npm.log" 2>&1 || {
        echo "SKIPPED: axe-core could not be installed; is the network there?"
        if [ "${REQUIRED:-0}" = 1 ]; then exit 1; fi
        axe=
    }
fi

cd "$here/../.."
cargo build --quiet --locked -p classify-cli
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
binary=$target/debug/llamacloud-prod

rm -rf "$folder/work" && mkdir "$folder/work" && cd "$folder/work"
python3 -B "$here/documents.py"
"$binary" emulator --port-file port --script script.yaml --rate-limit none --completed-after 20 >emulator.out &
pid=$!
for _ in $(seq 1 200); do
    if [ -s port ]; then break; fi
    kill -0 "$pid" || { echo "FAILED: the emulator did not start"; exit 1; }
    sleep 0.05
done

classify() { # the code that it must end with, then words
    local wanted=$1 status=0
    shift
    LLAMA_CLOUD_API_KEY=llx-any LLAMA_CLOUD_BASE_URL="http://127.0.0.1:$(cat port)" NO_PROXY=127.0.0.1 \
        timeout 300 "$binary" classify run "$@" --rules rules.yaml --poll-interval 50ms --rate-limit 10000/s --quiet >rows.jsonl || status=$?
    [ "$status" = "$wanted" ] || { echo "FAILED: classify run $* ended with $status"; exit 1; }
}
classify 3 docs --review-below 0.8 --labels truth.csv --copy-to 'sorted/{type}/' --report "$folder/report.html"
classify 0 many --labels many.csv --report "$folder/many.html"
classify 3 docs/empty.txt --report "$folder/none.html"
classify 0 nothing --report "$folder/empty.html"
classify 0 inbox --move-to 'moved/{type}/' --report pages/moved.html
classify 3 slow --timeout 1s --report "$folder/stopped.html"

timeout 600 python3 -B "$here/judge.py" "$folder" ${axe:+"$axe"}
