#!/usr/bin/env python3
"""Lists 20,000 jobs over loopback: both adapters, hand-written loops, and the official clients.

    python3 crates/classify-bench/peers/listing.py

The clients are `list` of this crate in four variants, `list.py` and `list.mjs`. Each runs in its own process, requests
the same bytes from the same server (200 pages of 100 jobs, built before the first request), counts the jobs and adds up
their confidences. The whole process is measured, including start-up: processor time, wall time, and the peak of its
memory as reported by the system. The clients take turns, and the medians are printed. This script has no budgets;
crates/classify-bench/instructions checks the adapters against budgets of counts. The official clients are installed from
their registries into a folder that is removed at the end, or kept with --keep. Linux only, because the peak is read from
/proc.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from clients import HERE, build, install_python_client, install_typescript_client
from rows import print_header, print_row

PAGE_SIZE = 100
OURS = ("ureq", "ureq_plain", "reqwest", "reqwest_plain")
PAIRS = (
    ("ureq", "ureq_plain"),
    ("reqwest", "reqwest_plain"),
    ("ureq", "llama-cloud for Python"),
    ("reqwest", "llama-cloud for Python"),
    ("ureq", "llama-cloud for TypeScript"),
    ("reqwest", "llama-cloud for TypeScript"),
)
MEASURES = (("cpu", "processor time", "ms", 0), ("wall", "wall time", "ms", 0), ("peak", "peak memory", "MiB", 1))


@contextmanager
def page_server(program: str, pages: int):
    process = subprocess.Popen([program, str(pages), str(PAGE_SIZE)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def measure(command: list[str], expected: str) -> dict:
    """Runs one client to its end and checks its output."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stdout = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not stdout.startswith(expected):
        raise SystemExit(f"{command} ended with {process.returncode} and stdout {stdout!r}, not {expected!r}")
    peak = int(re.search(r"peak_kib (\d+)", stdout).group(1))
    return {"cpu": (usage.ru_utime + usage.ru_stime) * 1000, "wall": wall * 1000, "peak": peak / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder to install the official clients into and keep")
    options = parser.parse_args()
    pages = options.jobs // PAGE_SIZE
    expected = f"jobs {pages * PAGE_SIZE} confidence {pages * PAGE_SIZE * 0.93:.2f} "

    programs = build("--release", "-p", "classify-bench", "--bins")
    program = {Path(path).stem: path for path in programs}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        python = install_python_client(folder / "python")
        install_typescript_client(folder / "typescript")
        script = shutil.copy(HERE / "list.mjs", folder / "typescript")
        clients = {name: [program["list"], name] for name in OURS}
        clients |= {
            "llama-cloud for Python": [python, str(HERE / "list.py")],
            "llama-cloud for TypeScript": ["node", str(script)],
        }
        runs = {name: [] for name in clients}
        with page_server(program["page_server"], pages) as url:
            for _ in range(options.rounds):
                for name, command in clients.items():
                    runs[name].append(measure([*command, url], expected))

    def median(name: str, what: str) -> float:
        return statistics.median(run[what] for run in runs[name])

    print_header()
    for ours, baseline in PAIRS:
        for what, name, unit, digits in MEASURES:
            label = f"list {pages * PAGE_SIZE:,} jobs, {ours} vs. {baseline}: {name}"
            print_row(label, median(ours, what), median(baseline, what), unit, digits)


if __name__ == "__main__":
    main()
