"""Classifies 2,000 objects of an S3 server with the command line, and resumes the run without reading an object again. Then
a worker classifies them, which creates no further job, and writes its results into the same bucket.

usage: object_store.py LLAMACLOUD_PROD WEED CLASSIFY_WORKER RESTATE_SERVER
"""

import datetime
import hashlib
import hmac
import json
import os
import random
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

OBJECTS = 2000
KEY, SECRET, REGION = "gate", "gate-secret", "us-east-1"
LOOPBACK = "127.0.0.1"
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
RULES = """rules:
  - type: invoice
    description: An invoice asks for payment of an amount by a due date.
  - type: recipe
    description: A recipe lists ingredients and how to cook a meal with them.
"""


def free_port():
    """A port that is free, as is the one that SeaweedFS derives from it for gRPC."""
    while True:
        port = random.randint(20000, 50000)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind((LOOPBACK, port))
                second.bind((LOOPBACK, port + 10000))
                return port
            except OSError:
                continue


def get(url):
    return NO_PROXY.open(url, timeout=10).read().decode()


def wait_for(what, condition):
    for _ in range(600):
        try:
            found = condition()
            if found:
                return found
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"FAILED: {what} within a minute")


def send(method, endpoint, path, query="", content=b""):
    """Sends a signed request (AWS Signature Version 4) and returns the response."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    host = urllib.parse.urlsplit(endpoint).netloc
    digest = hashlib.sha256(content).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{urllib.parse.quote(path)}\n{query}\n{lines}\n{names}\n{digest}"
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in [now[:8], REGION, "s3", "aws4_request"]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    url = endpoint + urllib.parse.quote(path) + (f"?{query}" if query else "")
    request = urllib.request.Request(url, content if method == "PUT" else None, headers, method=method)
    return NO_PROXY.open(request, timeout=30)


def put(endpoint, path, content):
    return send("PUT", endpoint, path, content=content).status == 200


def stored_rows(endpoint):
    """The rows of all objects below `results/`."""
    listing = send("GET", endpoint, "/bucket", "list-type=2&prefix=results%2F").read().decode()
    keys = re.findall(r"<Key>([^<]+)</Key>", listing)
    lines = [line for key in keys for line in send("GET", endpoint, f"/bucket/{key}").read().splitlines()]
    return keys, [json.loads(line) for line in lines]


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    return NO_PROXY.open(request, timeout=30).status < 300


def run_worker(worker, engine, environment, endpoint, service, processes, log):
    """Submits the objects to an engine with one worker, and checks the results."""
    ingress, admin, node, listen, health = (free_port() for _ in range(5))
    os.mkdir("engine")
    with open("restate.toml", "w", encoding="utf-8") as settings:
        settings.write(
            f'rocksdb-total-memory-size = "256 MiB"\ndefault-num-partitions = 4\nbind-ip = "{LOOPBACK}"\n'
            f'bind-port = {node}\nadvertised-address = "http://{LOOPBACK}:{node}"\n'
            f"[admin]\nbind-port = {admin}\n[ingress]\nbind-port = {ingress}\n"
        )
    command = [engine, "--config-file", "restate.toml", "--base-dir", "engine", "--listen-mode", "tcp", "--no-logo"]
    processes.append(subprocess.Popen(command, env={"RESTATE_DISABLE_TELEMETRY": "true"}, stdout=log, stderr=log))
    environment = environment | {
        "RESTATE_INGRESS_URL": f"http://{LOOPBACK}:{ingress}", "RESTATE_ADMIN_URL": f"http://{LOOPBACK}:{admin}",
    }
    command = [
        worker, "serve", "--rules", "rules.yaml", "--rate-limit", "none", "--results", "s3://bucket/results/",
        "--listen", f"{LOOPBACK}:{listen}", "--health", f"{LOOPBACK}:{health}",
    ]
    processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    wait_for("no worker", lambda: get(f"http://{LOOPBACK}:{health}/ready") is not None)
    wait_for("no engine", lambda: post(f"http://{LOOPBACK}:{admin}/deployments", {"uri": f"http://{LOOPBACK}:{listen}"}))
    started = time.monotonic()
    subprocess.run([worker, "submit", "s3://bucket/inbox/", "--wait"], env=environment, check=True, timeout=600)
    seconds = time.monotonic() - started
    subprocess.run([worker, "results", "--output", "worker.jsonl"], env=environment, check=True, timeout=60)
    rows = [json.loads(line) for line in open("worker.jsonl", encoding="utf-8")]
    keys, stored = stored_rows(endpoint)
    created = sum(json.loads(get(f"{service}/_emulator/counters"))["jobs"].values())
    print(f"worker: {len(rows)} results, {len(stored)} rows in {len(keys)} objects, {created} jobs at the service, {seconds:.1f} s")
    jobs = {row["job_id"] for row in rows}
    if (len(rows), len(jobs), created) != (OBJECTS, OBJECTS, OBJECTS) or {row["job_id"] for row in stored} != jobs:
        sys.exit("FAILED: the worker's results are not those of one job for each object")


def object_reads(metrics):
    """The number of reads of objects that the server has counted. It counts requests for the facts of a missing one too."""
    total = 0
    for line in get(metrics).splitlines():
        if line.startswith("SeaweedFS_s3_request_total{") and re.search(r'code="200".*type="GET"', line):
            total += float(line.rsplit(" ", 1)[1])
    return int(total)


def main():
    program, weed, worker, engine = (os.path.abspath(path) for path in sys.argv[1:])
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    os.mkdir("data")
    master, volume, filer, s3, metrics = (free_port() for _ in range(5))
    endpoint, metrics_url = f"http://{LOOPBACK}:{s3}", f"http://{LOOPBACK}:{metrics}/metrics"
    environment = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    processes = []
    try:
        command = [
            weed, "server", "-dir=data", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", f"-master.port={master}",
            f"-volume.port={volume}", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", "-s3.iam=false",
            "-volume.max=50", "-master.volumeSizeLimitMB=64", f"-metricsPort={metrics}", f"-metricsIp={LOOPBACK}",
        ]
        log = open("servers.log", "w", encoding="utf-8")
        processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        command = [
            program, "emulator", "--port", "0", "--port-file", "port", "--rate-limit", "none",
            "--running-after", "10", "--completed-after", "50",
        ]
        processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        port = wait_for("no emulator", lambda: os.path.exists("port") and open("port", encoding="utf-8").read().strip())
        service = f"http://{LOOPBACK}:{port}"

        def bucket():
            try:
                return put(endpoint, "/bucket", b"")
            except urllib.error.HTTPError as error:
                return error.code == 409
        wait_for("no bucket", bucket)
        for number in range(OBJECTS):
            text = f"Invoice {number}: the amount of {number} EUR is due by Friday, payment by transfer."
            # The volumes of a new bucket may not be ready.
            path = f"/bucket/inbox/{number % 10}/{number:04}.txt"
            wait_for(f"{path} is not stored", lambda: put(endpoint, path, text.encode()))
        put(endpoint, "/bucket/inbox/~$draft.docx", b"not a document")
        put(endpoint, "/bucket/other/letter.txt", b"not below the prefix")
        with open("rules.yaml", "w", encoding="utf-8") as rules:
            rules.write(RULES)

        environment.update({
            "LLAMA_CLOUD_BASE_URL": service, "LLAMA_CLOUD_API_KEY": "llx-gate", "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION, "NO_PROXY": LOOPBACK,
        })
        command = [
            program, "classify", "run", "s3://bucket/inbox", "--rules", "rules.yaml", "--journal", "run.journal",
            "--resume", "--rate-limit", "1000/s", "--format", "jsonl",
        ]
        results = []
        for name in ["classified", "resumed"]:
            reads, started = object_reads(metrics_url), time.monotonic()
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
            seconds = time.monotonic() - started
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            statuses = {row["status"] for row in rows}
            jobs = len({row["job_id"] for row in rows})
            created = sum(json.loads(get(f"{service}/_emulator/counters"))["jobs"].values())
            reads = object_reads(metrics_url) - reads
            print(f"{name}: {len(rows)} rows, {jobs} jobs, {created} at the service, {reads} reads, {seconds:.1f} s")
            results.append((done.returncode, len(rows), statuses, jobs, created, reads))
            if done.returncode != 0:
                print(done.stderr[-2000:])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"peak memory of a run: {peak} MB")
        expected = [(0, OBJECTS, {"COMPLETED"}, OBJECTS, OBJECTS, reads) for reads in (2 * OBJECTS, 0)]
        if results != expected:
            sys.exit(f"FAILED: expected {expected}, found {results}")
        run_worker(worker, engine, environment, endpoint, service, processes, log)
    finally:
        for process in processes:
            # SeaweedFS does not end on SIGTERM.
            process.kill()
            process.wait()


main()
