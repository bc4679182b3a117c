"""Writes what the judge's runs are of: documents with names that would break out, their outcomes, and labels."""

import csv
import os

HOSTILE = [
    "</script><img src=x onerror=alert(1)>.txt".replace("/", "\u2215"),
    "\"><svg onload=alert(2)>.txt",
    "' onmouseover='alert(3).txt",
    "<!--.txt",
    "{{script}}&lt;b&gt;.txt",
    "line\nbreak\u2028and\u202eback.txt",
    "größe 請求書 🧾.txt",
    "javascript:alert(8).txt",
    "100% #1?a=b;c&d.txt",
    # A browser would run its scripts.
    "page.html",
]
# Slashes cannot be in a file's name, but folders make them.
NESTED = ["docs/<", "script><img src=x onerror=alert(4)>.txt"]
REASON = "</script><script>alert(5)</script><img src=x onerror=alert(6)> <!-- \u2028 javascript:alert(7)"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


scripts = []
labels = []
for number in range(1, 21):
    name = f"scan-{number}.txt"
    write(f"docs/{name}", f"scan number {number}")
    confidence = 0.5 + number * 0.02
    label = "invoice" if number % 2 else "receipt"
    scripts.append((f"'{name}'", f"type: {label}, confidence: {confidence:.2f}"))
    labels.append((f"docs/{name}", "invoice" if number in (2, 8, 20) else label))
for number, name in enumerate(HOSTILE):
    write(f"docs/{name}", f"hostile {number}")
write("/".join(NESTED), "hostile in a folder")
write("docs/heron.txt", "a bird that fits nothing")
write("docs/gull.txt", "a bird whose type has the name of no type")
write("docs/torn.pdf", "no pdf")
write("docs/empty.txt", "")
labels += [("docs/torn.pdf", "invoice"), ("docs/heron.txt", ""), ("docs/gull.txt", "no match"), ("docs/gone.txt", "invoice")]

with open("script.yaml", "w", encoding="utf-8") as file:
    file.write("scripts:\n")
    for glob, outcome in scripts:
        file.write(f"  - {{ file: {glob}, {outcome} }}\n")
    file.write("  - { file: 'heron*', no_match: true }\n")
    file.write("  - { file: 'gull*', type: no match, confidence: 0.9 }\n")
    file.write("  - { file: 'slow*', never_ends: true }\n")
    file.write("  - { file: 'torn*', fails: PDF_IS_BROKEN }\n")
    file.write("  - { file: 'm*', type: receipt, confidence: 0.9, reasoning: The document confirms that an amount was paid. }\n")
    escaped = REASON.replace("\u2028", "\\u2028").replace('"', '\\"')
    file.write(f'  - {{ type: invoice, confidence: 0.97, reasoning: "{escaped}" }}\n')
with open("truth.csv", "w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["path", "type"])
    writer.writerows(labels)
write("./rules.yaml", "rules:\n  invoice: An invoice asks for payment of an amount.\n  receipt: A receipt proves that something was paid.\n  no match: A bird that has no type.\n")

# Fifty thousand copies are one job and fifty thousand rows. One in seven has another label.
os.makedirs("many")
for number in range(50000):
    with open(f"many/m-{number}.txt", "w") as file:
        file.write("the same in each")
with open("many.csv", "w", encoding="utf-8") as file:
    file.write("path,type\n")
    file.writelines(f"many/m-{number}.txt,invoice\n" for number in range(0, 50000, 7))

os.makedirs("pages")
os.makedirs("nothing")
for name in ["slow-1.txt", "slow-2.txt"]:
    write(f"slow/{name}", name)
for name in ["moved-1?.txt", "moved-2.txt"]:
    write(f"inbox/{name}", name)
