"""Prints counts as rows of a table and holds them to budgets.

Reads lines `CASE INSTRUCTIONS ALLOCATIONS BYTES`; a budget is a line `CASE MEASURE at most NUMBER [of CASE]`, where
MEASURE is instructions, allocations or bytes. A case whose name ends in `_plain` is what the case before it is held
beside.
"""

import sys

from peers.rows import print_header, print_row

MEASURES = ("instructions", "allocations", "bytes")

counts = {}
for line in sys.stdin:
    case, *numbers = line.split()
    counts[case] = dict(zip(MEASURES, map(int, numbers), strict=True))
    if counts[case]["instructions"] == 0:
        sys.exit(f"{case}: nothing was collected")

print_header()
for case, count in counts.items():
    if case.endswith("_plain"):
        continue
    plain = counts.get(f"{case}_plain", {})
    for measure in ("instructions", "allocations"):
        print_row(f"{case}, {measure}", count[measure], plain.get(measure))

exceeded = 0
for line in open(sys.argv[1], encoding="utf-8"):
    words = line.split("#")[0].split()
    if not words:
        continue
    case, measure, _, _, number, *reference = words
    limit = float(number) * (counts[reference[1]][measure] if reference else 1)
    if counts[case][measure] > limit:
        exceeded += 1
        print(f"exceeded: {' '.join(words)}: {counts[case][measure]}, at most {limit:.0f}")
sys.exit(1 if exceeded else 0)
