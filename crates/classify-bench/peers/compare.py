#!/usr/bin/env python3
"""This project's command line and the official Python client over the same unreliable service.

    python3 crates/classify-bench/peers/compare.py

Starts the emulator twice, with the service's published rate limits and with one request in ten failing by the same
seed: a reset or a 500 after the request was processed, a 503, or a reset before it was processed. Each client gets its
own emulator, the same documents and the same rules. The emulator counts jobs and requests. The official client is installed
from PyPI into an environment that is removed at the end, or kept with --venv.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from clients import HERE, PYTHON_VERSION, build, install_python_client
from rows import print_header, print_row

KEY = "llx-of-the-comparison"
MEASURES = (("jobs created", "", 0), ("requests sent", "", 0), ("documents with an outcome", "", 0), ("wall time", "s", 1))
FAULTS = ["reset-after", "500-after", "503", "reset-before"]
RULES = [
    {"type": "invoice", "description": "An invoice asks for payment of an amount by a due date."},
    {"type": "recipe", "description": "A recipe lists ingredients and how to cook a meal with them."},
]


def documents(folder: Path, count: int) -> None:
    for index in range(count):
        text = f"Invoice {index}: the amount of {index * 7} is due by Friday, payment by transfer."
        if index % 3 == 0:
            text = f"Recipe {index}: cook the ingredients for {index} minutes. A meal for four."
        (folder / f"{index:04}.txt").write_text(text)


def control(url: str, method: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/_emulator/{path}", data, method=method)
    if data:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


@contextmanager
def emulator(program: str, options: argparse.Namespace):
    """Starts an emulator with the faults of the options."""
    command = [program, "emulator", "--completed-after", str(options.job_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        # The first fault that triggers is applied; together they affect one request in ten.
        probability = 1 - (1 - options.faults) ** (1 / len(FAULTS))
        rules = [{"fault": fault, "when": {"chance": probability}} for fault in FAULTS]
        control(url, "PUT", "faults", {"seed": options.seed, "rules": rules})
        yield url
    finally:
        process.terminate()
        process.wait()


def environment(url: str) -> dict:
    return os.environ | {"LLAMA_CLOUD_API_KEY": KEY, "LLAMA_CLOUD_BASE_URL": url}


def ours(program: str, folder: Path, url: str) -> int:
    rules = [word for rule in RULES for word in ("--rule", f"{rule['type']}={rule['description']}")]
    command = [program, "classify", "run", str(folder), *rules]
    done = subprocess.run(command, env=environment(url), stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return sum(row["status"] == "COMPLETED" for row in rows)


def official(python: str, folder: Path, url: str, threads: int) -> int:
    command = [python, str(HERE / "official.py"), str(folder), json.dumps(RULES), str(threads)]
    done = subprocess.run(command, env=environment(url), check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    if result["errors"]:
        print(f"the official client raised: {result['errors']}", file=sys.stderr)
    return result["outcomes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--faults", type=float, default=0.1, help="the part of all requests that fail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--job-ms", type=int, default=1000, help="how long a job takes")
    parser.add_argument("--threads", type=int, default=8, help="of the official client")
    parser.add_argument("--official", default=PYTHON_VERSION, help="the official client's version")
    parser.add_argument("--venv", type=Path, help="an environment to install it into and keep")
    options = parser.parse_args()

    [*_, cli] = build("-p", "classify-cli")
    with tempfile.TemporaryDirectory() as scratch:
        python = install_python_client(options.venv or Path(scratch) / "venv", options.official)
        folder = Path(scratch) / "documents"
        folder.mkdir()
        documents(folder, options.documents)
        clients = (
            lambda url: ours(cli, folder, url),
            lambda url: official(python, folder, url, options.threads),
        )
        runs = []
        for run in clients:
            with emulator(cli, options) as url:
                start = time.monotonic()
                outcomes = run(url)
                elapsed = time.monotonic() - start
                counters = control(url, "GET", "counters")
            print(json.dumps({"outcomes": outcomes, "counters": counters}), file=sys.stderr)
            runs.append((counters["jobs_total"], counters["requests_total"], outcomes, elapsed))

    print_header()
    for (what, unit, digits), mine, baseline in zip(MEASURES, *runs, strict=True):
        print_row(f"{options.documents} documents, {options.faults:.0%} of requests fail: {what}", mine, baseline, unit, digits)


if __name__ == "__main__":
    main()
