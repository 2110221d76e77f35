"""An earlier commit of this repository beside the present one, for benchmarks that compare the two."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def earlier_tree(commit: str) -> Generator[Path]:
    """Yield a temporary work tree of a commit, its entry points readable; it is removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "earlier"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), commit], check=True, capture_output=True)
        try:
            # Its families are entry points, found by the metadata beside it.
            metadata = [sys.executable, "-c", "from setuptools import setup; setup()", "-q", "egg_info"]
            subprocess.run(metadata, cwd=tree, check=True, capture_output=True)
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True, capture_output=True)
