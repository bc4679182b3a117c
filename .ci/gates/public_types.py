"""Lists foreign types in a crate's public API, from rustdoc's JSON, and fails on those that are not allowed.

usage: public_types.py CRATE.json ALLOWED...    an entry is a crate, or one type as crate::Type
"""

import json
import sys

STANDARD = {"std", "core", "alloc"}


def references(node):
    """Every id that a type, a bound or a path in this part of an item refers to."""
    if isinstance(node, dict):
        if "path" in node and isinstance(node.get("id"), int):
            yield node["id"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def main():
    documentation = json.load(open(sys.argv[1], encoding="utf-8"))
    allowed = set(sys.argv[2:])
    # rustdoc's format is not stable: if known types are missing, the format was not understood.
    shown = set()
    found = {}
    for item in documentation["index"].values():
        if item["crate_id"] != 0:
            continue
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            continue
        if kind == "impl":
            # Blanket and auto trait implementations come from other crates.
            if inner.get("blanket_impl") or inner.get("is_synthetic"):
                continue
        for reference in references(inner):
            path = documentation["paths"].get(str(reference))
            if path is None or path["crate_id"] == 0:
                continue
            crate, name = path["path"][0], path["path"][-1]
            shown.add(crate)
            if crate in STANDARD or crate in allowed or f"{crate}::{name}" in allowed:
                continue
            found.setdefault("::".join(path["path"]), item.get("name") or kind)
    own = documentation["index"][str(documentation["root"])]["name"]
    if not shown & STANDARD or not shown & allowed:
        print(f"{own}: of its public types only those of {sorted(shown)} were read")
        return 1
    for path, where in sorted(found.items()):
        print(f"{own}: {path} is in the public API ({where})")
    if found:
        return 1
    print(f"{own}: no foreign types but of {', '.join(sorted(allowed))}")
    return 0


sys.exit(main())
