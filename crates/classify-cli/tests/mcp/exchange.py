"""The exchange of an MCP client with `llamacloud-prod mcp`: exchange.py BINARY BASE_URL FOLDER.

Every scenario has rules of its own, so that its jobs are new, and counts the jobs of the service before and after.
"""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

BINARY, BASE_URL, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
KEY = "llx-canary-of-the-key"
SECRET = "canary of a file outside of the root"
CONTENT = "canary of a document"
DOCUMENTS = 12
# The documents that cannot be classified: an empty file, and a link out of the root.
UNREADABLE = 2
ROW_KEYS = {"path", "status", "type", "confidence", "reasoning", "job_id", "file_id", "error", "error_code"}

root = FOLDER / "root"
state = FOLDER / "state"
log = FOLDER / "server.log"
failures = 0


def check(what, is_true, detail=""):
    global failures
    if not is_true:
        failures += 1
        print(f"FAILED: {what}: {detail}")


def create_files():
    outside = FOLDER / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (outside / "rules.yaml").write_text(f"rules: {{invoice: '{SECRET}'}}\n")
    inbox = root / "inbox"
    inbox.mkdir(parents=True)
    for number in range(DOCUMENTS):
        kind = "Invoice: the total amount is due by a date." if number % 2 else "Recipe: flour, sugar, eggs."
        (inbox / f"{number:02}.txt").write_text(f"{kind} {CONTENT} {number}")
    (inbox / "empty.txt").write_text("")
    (inbox / "link.txt").symlink_to("../../outside/secret.txt")
    (root / "out").symlink_to(outside)
    (root / "rules.yaml").write_text(
        "rules:\n"
        "- {type: invoice, description: asks for payment of a total amount by a due date}\n"
        "- {type: other, description: anything that is not described by the other rule}\n"
    )


def rules(name):
    """Rules that no other scenario has."""
    return [
        {"type": "invoice", "description": f"asks for payment of a total amount by a due date ({name})"},
        {"type": "other", "description": "anything that is not described by the other rule"},
    ]


def command(*words):
    environment = os.environ | {"LLAMA_CLOUD_API_KEY": KEY, "LLAMA_CLOUD_BASE_URL": BASE_URL}
    result = subprocess.run([BINARY, *words], cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    return result.returncode, [json.loads(line) for line in result.stdout.splitlines()]


def jobs():
    return command("classify", "list", "--format", "jsonl", "--page-size", "100")[1]


def server_command(*words):
    fast = [] if "--rate-limit" in words else ["--rate-limit", "10000/s"]
    return ["mcp", "--poll-interval", "50ms", *fast, *words]


@asynccontextmanager
async def server(*words, key=KEY, mode="auto", cwd=root):
    environment = {"LLAMA_CLOUD_BASE_URL": BASE_URL, "XDG_STATE_HOME": str(state), "NO_PROXY": "127.0.0.1"}
    if key:
        environment["LLAMA_CLOUD_API_KEY"] = key
    parameters = StdioServerParameters(command=BINARY, args=server_command(*words), env=environment, cwd=cwd)
    with log.open("a") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode=mode) as client:
            yield client


async def call(client, tool, progress=None, /, **arguments):
    async def on_progress(done, total, message):
        progress.append((done, total, message))

    result = await client.call_tool(tool, arguments, progress_callback=on_progress if progress is not None else None)
    if result.is_error:
        raise AssertionError(f"{tool}: {result.content[0].text}")
    return result.structured_content


async def error(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    check(f"{tool} {arguments} is an error", result.is_error, result.structured_content)
    found = json.loads(result.content[0].text).get("error", {})
    check(f"error of {tool} has a message and a remedy", found.get("message") and found.get("hint"), found)
    check("no error contains a file outside of the root", SECRET not in json.dumps(found), found)
    return found


async def finish(client, run_id, progress=None):
    for _ in range(3):
        status = await call(client, "status", progress, run_id=run_id, wait_seconds=20)
        if status["state"] != "running":
            return status
    raise AssertionError(f"{run_id} goes on: {status}")


async def descriptions():
    for mode in ["auto", "legacy"]:
        async with server(mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            names = {"check_rules", "estimate", "classify", "status", "results", "cancel"}
            check("all tools are listed", set(tools) == names, set(tools))
            for tool in tools.values():
                check(f"{tool.name} has schemas", tool.input_schema["properties"] and tool.output_schema, tool)
                for name, schema in tool.input_schema["properties"].items():
                    check(f"{tool.name}.{name} is described", schema.get("description"), schema)
            check("the cost is named", "one paid job per new document" in tools["classify"].description, "")
            check("the root is named", str(root.resolve()) in client.instructions, client.instructions)


async def local_tools():
    before = len(jobs())
    async with server(key=None) as client:
        found = await call(client, "check_rules", rules_file="rules.yaml")
        check("good rules are valid", found == {"valid": True, "rules": 2, "diagnostics": []}, found)
        found = await call(client, "check_rules", rules=[{"type": "a", "description": "bill"}])
        check("a short description is invalid", not found["valid"], found)
        check("its field is named", found["diagnostics"][0]["field"].startswith("configuration.rules[0]"), found)
        progress = []
        found = await call(client, "estimate", progress, paths=["inbox"], rules_file="rules.yaml", max_pages=2)
        check("an estimate counts the jobs", found["jobs"] == DOCUMENTS, found)
        check("an estimate counts the pages", found["pages_at_most"] == 2 * DOCUMENTS, found)
        unreadable = {row["path"]: row["error"] for row in found["unreadable_documents"]}
        check("an estimate lists unreadable files", set(unreadable) == {"inbox/empty.txt", "inbox/link.txt"}, found)
        check("a link out names the remedy", "--root" in unreadable["inbox/link.txt"], unreadable)
        values = [done for done, _, _ in progress]
        check("progress increases", values == sorted(set(values)) and len(values) > 0, progress)
        found = await error(client, "classify", paths=["inbox"], rules_file="rules.yaml")
        check("classify needs a key", found["kind"] == "auth", found)
    check("nothing was created", len(jobs()) == before)


async def bad_arguments():
    before = len(jobs())
    good = {"paths": ["inbox"], "rules": rules("bad")}
    async with server("--max-documents", "5") as client:
        for arguments, text in [
            ({"rules": good["rules"]}, "paths"),
            (good | {"path": "inbox"}, "path"),
            (good | {"paths": "inbox"}, "paths"),
            (good | {"paths": []}, "paths"),
            (good | {"paths": ["none.pdf"]}, "none.pdf"),
            (good | {"paths": ["*.pdf"]}, "no documents"),
            (good | {"paths": ["s3://bucket/*.pdf"]}, "no documents"),
            (good | {"paths": ["s3://bucket/a.pdf"]}, "s3://bucket/a.pdf"),
            (good | {"paths": ["https://example.com/a.pdf"]}, "https://example.com/a.pdf"),
            (good | {"rules": []}, "no rules"),
            (good | {"rules": [{"type": "a", "description": "b"}]}, "rules[0].description"),
            (good | {"configuration_id": "cfg-1"}, "configuration_id"),
            (good | {"max_pages": -1}, "max_pages"),
            (good, "more than 5 documents"),
        ]:
            for tool in ["estimate", "classify"]:
                found = await error(client, tool, **arguments)
                check(f"the error names {text}", text in found["message"], found)
                check("the exit code is that of usage", found["exit_code"] == 2, found)
        run_id = "run-" + "0" * 20
        for tool in ["status", "results", "cancel"]:
            for unknown in [run_id, "../../root", ""]:
                found = await error(client, tool, run_id=unknown)
                check("an unknown run is not found", found["kind"] == "not_found", found)
        await error(client, "status", run_id=run_id, wait_seconds=51)
        await error(client, "results", run_id=run_id, limit=0)
        await error(client, "results", run_id=run_id, below_confidence=2)
        try:
            await client.call_tool("delete", {})
            check("an unknown tool is an error of the protocol", False)
        except MCPError as found:
            check("an unknown tool is named", "delete" in str(found), found)
    check("nothing was created", len(jobs()) == before)


def start_without_root():
    """A client that starts its servers in the home folder must name a root."""
    home = FOLDER / "home"
    home.mkdir()
    for folder in ["/", str(home)]:
        environment = os.environ | {"LLAMA_CLOUD_API_KEY": KEY, "HOME": str(home)}
        result = subprocess.run([BINARY, "mcp", "--format", "json"], cwd=folder, env=environment, capture_output=True,
                                text=True, timeout=20, stdin=subprocess.DEVNULL)
        found = json.loads(result.stderr)["error"]
        check(f"{folder} is not a root by default", result.returncode == 2 and "--root" in found["hint"], found)
    environment["XDG_STATE_HOME"] = str(state)
    result = subprocess.run([BINARY, "mcp", "--root", str(home)], cwd="/", env=environment, capture_output=True, text=True,
                            timeout=20, input="no message\n")
    check("a closed pipe is a normal end", (result.returncode, result.stdout, result.stderr) == (0, "", ""), result)


async def paths_outside():
    before = len(jobs())
    outside = FOLDER / "outside"
    (root / "key.txt").write_text(KEY)
    async with server("--api-key-file", "key.txt", key=None) as client:
        for path in ["../outside/secret.txt", str(outside / "secret.txt"), "..", "../outside/*.txt", "inbox/../inbox",
                     "inbox/link.txt", "out", "out/secret.txt", "out/*.txt", "/etc/passwd"]:
            for tool in ["estimate", "classify"]:
                found = await error(client, tool, paths=["inbox", path], rules=rules("outside"))
                check("the error names the path", found["message"].startswith(path), found)
                check("the error names the root", str(root.resolve()) in found["message"], found)
                check("the error names the remedy", "--root" in found["hint"], found)
        for path in ["../outside/rules.yaml", "out/rules.yaml"]:
            found = await error(client, "check_rules", rules_file=path)
            check("a rules file outside is rejected", path in found["message"], found)
        found = await error(client, "check_rules", rules_file="key.txt")
        found = await call(client, "estimate", paths=["key.txt"], rules=rules("outside"))
        check("the file of the key is not read", found["jobs"] == 0, found)
    (root / "key.txt").unlink()
    check("nothing was created", len(jobs()) == before)


async def classify_twice():
    before = len(jobs())
    request = {"paths": ["inbox"], "rules": rules("twice")}
    async with server() as client:
        estimate = await call(client, "estimate", **request)
        first = await call(client, "classify", **request)
        check("classify returns at once", first["state"] == "running" and first["finished"] < DOCUMENTS, first)
        check("estimate and classify have the same run", first["run_id"] == estimate["run_id"], estimate)
        again = await call(client, "classify", **request | {"paths": ["./inbox", str(root / "inbox")]})
        check("the same request is the same run", again["run_id"] == first["run_id"], again)
        progress = []
        status = await finish(client, first["run_id"], progress)
        check("the run finishes", status["state"] == "finished" and status["error"] is None, status)
        check("all documents have rows", status["finished"] == DOCUMENTS + UNREADABLE, status)
        check("unreadable documents fail", status["failed"] == UNREADABLE, status)
        check("types are counted", sum(status["types"].values()) + status["no_match"] == DOCUMENTS, status)
        values = [done for done, _, _ in progress]
        check("progress increases", values == sorted(set(values)) and len(values) > 1, progress)
        check("jobs = documents", len(jobs()) - before == DOCUMENTS, len(jobs()) - before)

        page = await call(client, "results", run_id=first["run_id"])
        rows = {row["path"]: row for row in page["rows"]}
        check("rows have the keys of classify run", all(set(row) == ROW_KEYS for row in rows.values()), page)
        check("a link out has a row", "--root" in rows["inbox/link.txt"]["error"], rows["inbox/link.txt"])
        invoices = await call(client, "results", run_id=first["run_id"], type="invoice")
        expected = [path for path, row in rows.items() if row["type"] == "invoice"]
        found = [row["path"] for row in invoices["rows"]]
        check("results by type", sorted(found) == sorted(expected) and expected, invoices)
        confidences = sorted(row["confidence"] for row in rows.values() if row["confidence"] is not None)
        middle = confidences[len(confidences) // 2]
        review = await call(client, "results", run_id=first["run_id"], below_confidence=middle)
        expected = [path for path, row in rows.items() if row["confidence"] is None or row["confidence"] < middle]
        check("results below a confidence", sorted(row["path"] for row in review["rows"]) == sorted(expected), review)
        pages, offset = [], 0
        while offset is not None:
            part = await call(client, "results", run_id=first["run_id"], limit=5, offset=offset)
            pages += part["rows"]
            offset = part["next_offset"]
        check("pages are complete", pages == page["rows"], pages)

        third = await call(client, "classify", **request)
        status = await finish(client, third["run_id"])
        check("the third call is the same run", third["run_id"] == first["run_id"], third)
        check("its results are from the journal", status["from_journal"] == DOCUMENTS, status)
        stopped = await call(client, "cancel", run_id=first["run_id"])
        check("a finished run stays finished", stopped["state"] == "finished", stopped)
        estimate = await call(client, "estimate", **request)
        check("an estimate knows the journal", (estimate["jobs"], estimate["settled"]) == (0, DOCUMENTS), estimate)
    # Another process knows the run, and the command line has the same rows and jobs.
    async with server() as client:
        page = await call(client, "results", run_id=first["run_id"])
        check("another process has the rows", {row["path"]: row for row in page["rows"]} == rows, page)
    words = [f"--rule={rule['type']}={rule['description']}" for rule in request["rules"]]
    _, found = command("classify", "run", "inbox", *words, "--exclude", "link.txt", "--exclude", "empty.txt",
                       "--poll-interval", "50ms", "--format", "jsonl")
    shared = {path: row for path, row in rows.items() if path not in ("inbox/link.txt", "inbox/empty.txt")}
    check("classify run has the same rows", {row["path"]: row for row in found} == shared, found)
    check("jobs = documents after all calls", len(jobs()) - before == DOCUMENTS, len(jobs()) - before)


async def cancelled_call():
    before = len(jobs())
    request = {"paths": ["inbox/*.txt"], "exclude": ["link.txt", "empty.txt"], "rules": rules("cancelled call")}
    async with server("--rate-limit", "20/s") as client:
        run_id = (await call(client, "classify", **request))["run_id"]
        with anyio.move_on_after(0.3) as scope:
            await call(client, "status", run_id=run_id, wait_seconds=50)
        check("the call was cancelled", scope.cancelled_caught)
        with anyio.fail_after(5):
            status = await call(client, "status", run_id=run_id)
        check("the run goes on after a cancelled call", status["state"] == "running", status)
        status = await finish(client, run_id)
        check("the run finishes", (status["state"], status["finished"]) == ("finished", DOCUMENTS), status)
    check("jobs = documents after a cancelled call", len(jobs()) - before == DOCUMENTS, len(jobs()) - before)


async def cancelled_run():
    before = len(jobs())
    request = {"paths": ["inbox"], "include": ["[01]*.txt"], "rules": rules("cancelled run")}
    async with server("--rate-limit", "20/s") as client:
        run_id = (await call(client, "classify", **request))["run_id"]
        while len(jobs()) - before < 2:
            await anyio.sleep(0.02)
        stopped = await call(client, "cancel", run_id=run_id)
        created = len(jobs()) - before
        check("the run is stopped", stopped["state"] == "stopped", stopped)
        check("the output says what stays paid", "stay paid" in stopped["note"], stopped)
        check("the run stopped before its end", 2 <= created < DOCUMENTS, created)
        await anyio.sleep(0.5)
        check("no more jobs are created", len(jobs()) - before == created)
        again = await call(client, "classify", **request)
        check("asking again is the same run", again["run_id"] == run_id, again)
        status = await finish(client, run_id)
        check("the run finishes", (status["state"], status["finished"]) == ("finished", DOCUMENTS), status)
    check("jobs = documents after cancel", len(jobs()) - before == DOCUMENTS, len(jobs()) - before)


async def closed_pipe():
    before = len(jobs())
    request = {"paths": ["inbox"], "include": ["[01]*.txt"], "rules": rules("closed pipe")}
    async with server("--rate-limit", "20/s") as client:
        run_id = (await call(client, "classify", **request))["run_id"]
        while len(jobs()) - before < 2:
            await anyio.sleep(0.02)
    created = len(jobs()) - before
    check("the pipe was closed in the middle of the run", 2 <= created < DOCUMENTS, created)
    async with server(mode="legacy") as client:
        status = await call(client, "status", run_id=run_id)
        check("the run is stopped", status["state"] == "stopped", status)
        check("the next step is named", "classify" in status["next"], status)
        again = await call(client, "classify", **request)
        check("asking again is the same run", again["run_id"] == run_id, again)
        status = await finish(client, run_id)
        check("the run finishes", (status["state"], status["finished"]) == ("finished", DOCUMENTS), status)
    check("jobs = documents after a closed pipe", len(jobs()) - before == DOCUMENTS, len(jobs()) - before)


async def killed_server():
    before = len(jobs())
    request = {"paths": ["inbox"], "include": ["[01]*.txt"], "rules": rules("killed")}
    environment = os.environ | {
        "LLAMA_CLOUD_BASE_URL": BASE_URL, "LLAMA_CLOUD_API_KEY": KEY, "XDG_STATE_HOME": str(state)}
    messages = [
        {"id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "classify", "arguments": request}},
    ]
    with log.open("a") as errors, subprocess.Popen(
            [BINARY, *server_command("--rate-limit", "20/s")], cwd=root, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        for message in messages:
            process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        run_id = answers[1]["result"]["structuredContent"]["run_id"]
        while len(jobs()) - before < 2:
            await anyio.sleep(0.02)
        # While the other process works on the run, this one attaches to it.
        async with server() as client:
            other = await call(client, "classify", **request)
            check("a run of another process is attached to", other["run_id"] == run_id, other)
            check("it is running", other["state"] == "running", other)
            found = await error(client, "cancel", run_id=run_id)
            check("only the other process stops it", "another process" in found["message"], found)
        process.kill()
    created = len(jobs()) - before
    check("the server was killed in the middle of the run", 2 <= created < DOCUMENTS, created)
    async with server() as client:
        status = await call(client, "status", run_id=run_id)
        check("the run is stopped", status["state"] == "stopped", status)
        again = await call(client, "classify", **request)
        check("asking again is the same run", again["run_id"] == run_id, again)
        status = await finish(client, run_id)
        check("the run finishes", (status["state"], status["finished"]) == ("finished", DOCUMENTS), status)
    check("jobs = documents after a kill", len(jobs()) - before == DOCUMENTS, len(jobs()) - before)


async def failing_service():
    """An error that stops the whole run is in the status."""
    port = FOLDER / "strict-port"
    command_line = [BINARY, "emulator", "--port", "0", "--port-file", str(port), "--accept-key", "llx-other", "--quiet"]
    with subprocess.Popen(command_line, stdout=subprocess.DEVNULL) as emulator:
        while not (port.exists() and port.read_text()):
            await anyio.sleep(0.02)
        async with server("--base-url", f"http://127.0.0.1:{port.read_text().strip()}") as client:
            run_id = (await call(client, "classify", paths=["inbox"], rules=rules("key")))["run_id"]
            status = await finish(client, run_id)
            check("a rejected key stops the run", status["state"] == "stopped", status)
            check("the status has the error", status["error"]["kind"] == "auth", status)
            check("the status does not have the key", KEY not in json.dumps(status), status)
        emulator.terminate()
    async with server("--base-url", "http://127.0.0.1:1") as client:
        run_id = (await call(client, "classify", paths=["inbox"], rules=rules("down")))["run_id"]
        status = await call(client, "status", run_id=run_id, wait_seconds=1)
        check("an unreachable service is not the end", status["state"] == "running", status)
        while not status["notice"]:
            status = await call(client, "status", run_id=run_id, wait_seconds=1)
        check("the notice says why it waits", "127.0.0.1" in status["notice"], status)
        # More calls than the server works on at once: those that are cancelled make room for others.
        with anyio.move_on_after(1) as scope:
            async with anyio.create_task_group() as group:
                for _ in range(40):
                    group.start_soon(lambda: call(client, "status", run_id=run_id, wait_seconds=50))
        check("the waiting calls were cancelled", scope.cancelled_caught)
        with anyio.fail_after(20):
            status = await call(client, "status", run_id=run_id)
        check("cancelled calls end", status["state"] == "running", status)
        stopped = await call(client, "cancel", run_id=run_id)
        check("the run can be stopped", stopped["state"] == "stopped", stopped)


def logs():
    text = log.read_text()
    for canary in [KEY, SECRET, CONTENT, "Invoice", "Recipe"]:
        check(f"no log contains {canary!r}", canary not in text, text)
    folder = state / "llamacloud-prod" / "mcp"
    check("the state folder is private", folder.stat().st_mode & 0o777 == 0o700, oct(folder.stat().st_mode))
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text()
            for canary in [KEY, SECRET]:
                check(f"{path.name} does not contain {canary!r}", canary not in text)
    files = command("files", "list", "--format", "jsonl")[1]
    names = {file["name"] for file in files}
    check("no file outside of the root was uploaded", not names & {"link.txt", "secret.txt", "key.txt"}, names)


async def main():
    create_files()
    start_without_root()
    scenarios = [descriptions, local_tools, bad_arguments, paths_outside, classify_twice, cancelled_call, cancelled_run,
                 closed_pipe, killed_server, failing_service]
    for scenario in scenarios:
        with anyio.fail_after(60):
            await scenario()
        print(f"{scenario.__name__}: done")
    logs()
    print(f"{len(jobs())} jobs; {failures} failures")
    sys.exit(1 if failures else 0)


asyncio.run(main())
