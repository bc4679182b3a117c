"""The shared parts of the scenarios for the official Python clients: a client whose replies are checked, and a runner."""

import hashlib
import hmac
import json
import os
import re
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import jsonschema

BASE_URL = os.environ["EMULATOR_URL"]
HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "schema.json"), encoding="utf-8") as file:
    SCHEMA = json.load(file)

RULES = [
    {"type": "invoice", "description": "A bill with line items, an amount due and payment terms"},
    {"type": "contract", "description": "A legal agreement between parties with clauses and signatures"},
]
INVOICE = b"INVOICE 2041. Three widgets. Amount due: 60 EUR, payment terms 30 days."
CONTRACT = b"This agreement is made between the parties. Clause 1. Signatures below."

seen_routes = set()


def _schema(name):
    return {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}


def _expected(route):
    if "schema" in route:
        return _schema(route["schema"])
    if "list_of" in route:
        return {"type": "array", "items": {"$ref": f"#/$defs/{route['list_of']}"}, "$defs": SCHEMA["$defs"]}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["items"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": f"#/$defs/{route['page_of']}"}},
            "next_page_token": {"type": ["string", "null"]},
            "total_size": {"type": ["integer", "null"]},
        },
        "$defs": SCHEMA["$defs"],
    }


def check(response):
    """Checks one reply against our schema."""
    response.read()
    method, path = response.request.method, response.request.url.path
    if path.startswith("/_emulator"):
        return
    if response.status_code >= 400:
        name = "invalid" if response.status_code == 422 else "error"
        jsonschema.validate(response.json(), _schema(name))
        return
    for number, route in enumerate(SCHEMA["routes"]):
        if route["method"] == method and re.search(route["path"], path):
            break
    else:
        raise AssertionError(f"no schema for {method} {path}")
    assert response.status_code == route["status"], f"{method} {path}: {response.status_code}"
    seen_routes.add(number)
    if response.status_code == 204:
        assert response.content == b"", "204 has no body"
        return
    assert response.headers["content-type"] == "application/json"
    jsonschema.validate(response.json(), _expected(route))


def client(kind, **options):
    """An official client whose every reply is checked, by us and by its own strict mode."""
    http_client = httpx.Client(event_hooks={"response": [check]})
    options.setdefault("api_key", "llx-test")
    return kind(base_url=BASE_URL, http_client=http_client, _strict_response_validation=True, **options)


def signature_is_valid(secret, headers, body):
    """Whether a webhook's signature is right."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers.get("lc-signature", ""))


class Receiver:
    """Receives webhooks until it is stopped."""

    def __init__(self):
        self.received = []
        self.condition = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver.condition:
                    receiver.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                    receiver.condition.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count, seconds=30):
        with self.condition:
            assert self.condition.wait_for(lambda: len(self.received) >= count, seconds), f"{len(self.received)} webhooks"
            return list(self.received)

    def stop(self):
        self.server.shutdown()


def run(scenarios):
    """Runs each scenario, says how it went, and gives the exit code."""
    passed = failed = 0
    for scenario in scenarios:
        httpx.post(f"{BASE_URL}/_emulator/reset").raise_for_status()
        try:
            scenario()
        except Exception:  # every scenario is to be tried, whatever the one before it did
            failed += 1
            print(f"FAILED {scenario.__name__}")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"ok     {scenario.__name__}")
    print(f"{os.path.basename(sys.argv[0])}: {passed} passed, {failed} failed")
    return 1 if failed else 0
