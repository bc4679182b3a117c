#!/usr/bin/env python3
"""Measures the command line: start-up, a list of 20,000 jobs, and a run over many small documents.

    python3 crates/classify-bench/peers/command_line.py
    python3 crates/classify-bench/peers/command_line.py --documents 100000 --binary PATH

- `--help` and `completion bash`: the least processor time of twenty runs, and the peak of their memory.
- `mcp`: the time from its start to its response to `initialize`, and the peak of its memory after `tools/list`.
- `classify list --format jsonl` of 20,000 jobs, compared with `list ureq` of this crate, which reads the same list from
  the same server with the library and prints nothing. They take turns; medians of processor time.
- `classify run` over documents of one line each, without rate limits, with the emulator in another process (1,000 by
  default): wall time, processor time per document, peak memory, and the number of jobs, which must be that of the documents.

Without --binary, the command line is built with the profile `dist`, as for a release. The peak is read with GNU time
(Debian's package `time`), because the peak that the system reports for a child of Python includes that of Python.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from clients import build
from rows import print_header, print_row

PAGE_SIZE = 100
ENVIRONMENT = {"PATH": os.environ["PATH"], "LLAMA_CLOUD_API_KEY": "llx-bench", "NO_PROXY": "127.0.0.1"}
RULES = "rules:\n  - type: invoice\n    description: asks for payment\n  - type: other\n    description: anything else\n"


def measure(*command: str, cwd: Path | None = None, quiet: bool = True) -> dict:
    """Runs a command and returns its processor and wall time in ms and its peak memory in MiB."""
    with tempfile.NamedTemporaryFile() as peak:
        start = time.monotonic()
        process = subprocess.Popen(
            ["/usr/bin/time", "-f", "%M", "-o", peak.name, *command],
            cwd=cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if quiet else None,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} ended with {process.returncode}")
        peak_kib = int(Path(peak.name).read_text())
    user, system = usage.ru_utime * 1000, usage.ru_stime * 1000
    return {"user": user, "system": system, "cpu": user + system, "wall": wall * 1000, "peak": peak_kib / 1024}


def start_up(binary: str) -> None:
    for arguments in (["--help"], ["completion", "bash"]):
        runs = [measure(binary, *arguments) for _ in range(20)]
        name = "`" + " ".join(arguments) + "`"
        print_row(f"{name}, processor time", min(run["cpu"] for run in runs), unit="ms", digits=1)
        print_row(f"{name}, peak memory", max(run["peak"] for run in runs), unit="MiB", digits=1)


def mcp(binary: str) -> None:
    times, peaks = [], []
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    messages = [
        {"id": 1, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
    ]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(20):
            start = time.monotonic()
            process = subprocess.Popen(
                [binary, "mcp", "--root", folder, "--state-dir", folder], env=ENVIRONMENT, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for message in messages:
                process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
            process.stdin.flush()
            process.stdout.readline()
            times.append((time.monotonic() - start) * 1000)
            process.stdout.readline()
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
            process.communicate()
    print_row("`mcp`, start to first response", statistics.median(times), unit="ms", digits=1)
    print_row("`mcp`, peak memory", max(peaks), unit="MiB", digits=1)


@contextmanager
def server(*command: str):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def lists(binary: str, programs: dict, jobs: int, rounds: int) -> None:
    with server(programs["page_server"], str(jobs // PAGE_SIZE), str(PAGE_SIZE)) as pages:
        base_url = pages.stdout.readline().strip()
        list_command = [binary, "classify", "list", "--format", "jsonl", "--base-url", base_url, "--page-size", str(PAGE_SIZE)]
        lines = subprocess.run(list_command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE).stdout.count(b"\n")
        if lines != jobs:
            raise SystemExit(f"`classify list` printed {lines} lines, not {jobs}")
        ours, library = [], []
        for _ in range(rounds):
            ours.append(measure(*list_command)["cpu"])
            library.append(measure(programs["list"], "ureq", base_url)["cpu"])
    print_row(f"`classify list` of {jobs:,} jobs, processor time; baseline: the library's list", statistics.median(ours), statistics.median(library), "ms")


def run(binary: str, documents: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "rules.yaml").write_text(RULES)
        inbox = folder / "inbox"
        for number in range(documents):
            part = inbox / f"{number // 1000:04}"
            part.mkdir(parents=True, exist_ok=True)
            (part / f"{number:06}.txt").write_text(f"Invoice {number}: please pay by Friday.\n")
        port_file = folder / "port"
        emulator = [
            binary, "emulator", "--port", "0", "--port-file", str(port_file), "--completed-after", "0", "--running-after", "0",
            "--rate-limit", "none",
        ]
        with server(*emulator):
            while not port_file.exists() or not port_file.read_text().strip():
                time.sleep(0.05)
            base_url = f"http://127.0.0.1:{port_file.read_text().strip()}"
            found = measure(
                binary, "classify", "run", "inbox", "--rules", "rules.yaml", "--base-url", base_url, "--rate-limit", "100000/s",
                "--output", "rows.jsonl", "--quiet", cwd=folder, quiet=False,
            )
            rows = [json.loads(line) for line in (folder / "rows.jsonl").open()]
        jobs = len({row["job_id"] for row in rows if row["status"] == "COMPLETED"})
        if (len(rows), jobs) != (documents, documents):
            raise SystemExit(f"{len(rows)} rows and {jobs} jobs for {documents} documents")
    name = f"`classify run` over {documents:,} documents: {jobs:,} jobs"
    print_row(f"{name}, wall time", found["wall"] / 1000, unit="s", digits=1)
    print_row(f"{name}, processor time each", found["cpu"] / documents, unit="ms", digits=2)
    print_row(f"{name}, of it system time", found["system"] / documents, unit="ms", digits=2)
    print_row(f"{name}, peak memory", found["peak"], unit="MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--binary", help="a built command line")
    options = parser.parse_args()
    programs = {Path(path).stem: path for path in build("--release", "-p", "classify-bench", "--bins")}
    binary = options.binary or build("--profile", "dist", "-p", "classify-cli", "--features", "cloud,mcp")[0]
    print_header()
    start_up(binary)
    mcp(binary)
    lists(binary, programs, options.jobs, options.rounds)
    run(binary, options.documents)


if __name__ == "__main__":
    main()
