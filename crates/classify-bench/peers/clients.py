"""Builds this project's programs and installs the official clients, for the comparisons."""

import json
import os
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
PYTHON_VERSION = "2.19.0"
TYPESCRIPT_VERSION = "2.16.0"


def build(*arguments: str) -> list[str]:
    """Builds programs of the workspace and returns their paths."""
    command = ["cargo", "build", "--locked", "--message-format=json-render-diagnostics", *arguments]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in lines.splitlines())
    return [message["executable"] for message in messages if message.get("executable")]


def install_python_client(folder: Path, version: str = PYTHON_VERSION) -> str:
    """Returns a Python with the official client, in an environment in `folder`, which is created if it does not exist."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", f"llama-cloud=={version}"], check=True)
    return str(python)


def install_typescript_client(folder: Path, version: str = TYPESCRIPT_VERSION) -> None:
    """Installs the official client for TypeScript into `folder`; a script there can import it."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save"]
    subprocess.run([*command, f"@llamaindex/llama-cloud@{version}"], cwd=folder, check=True)
