"""A PostgreSQL server of the tests' own, on a private port, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

OWNER = "postgres"  # the server refuses to run as root
DEADLINE_SECONDS = 60


def programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``; Debian's packages put them beside the path."""
    found = [path for path in (shutil.which("initdb"), *Path("/usr/lib/postgresql").glob("*/bin/initdb")) if path]
    folders = [Path(path).resolve().parent for path in found]
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@contextmanager
def server() -> Generator[str]:
    """Yield the URL of an empty database, or skip the test with the reason."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    pytest.importorskip("psycopg", reason="the extra cosim[postgresql] is not installed")
    root = os.geteuid() == 0
    if root and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    place = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    if root:
        shutil.chown(place, OWNER)
    before = ["runuser", "-u", OWNER, "--"] if root else []

    def call(*arguments: object) -> None:
        subprocess.run(
            [*before, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE_SECONDS, cwd=place
        )

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = place / "data"
    try:
        call(folder / "initdb", "-D", data, "-A", "trust", "-U", OWNER, "--no-sync")
        options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
        call(folder / "pg_ctl", "-D", data, "-w", "-l", place / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{OWNER}@127.0.0.1:{port}/postgres"
        finally:
            call(folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)
