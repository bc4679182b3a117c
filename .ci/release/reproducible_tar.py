"""Packs a folder so that the same files give the same bytes: reproducible_tar.py FOLDER ARCHIVE SECONDS

SECONDS is the time that every entry gets.
"""

import gzip
import sys
import tarfile
from pathlib import Path

folder, archive, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])


def normalized(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = seconds
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


with open(archive, "wb") as file, gzip.GzipFile("", "wb", mtime=seconds, fileobj=file) as compressed:
    with tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(path, arcname=path.relative_to(folder.parent), recursive=False, filter=normalized)
