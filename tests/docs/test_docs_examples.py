"""Every example of the guides does what it says: a page's blocks run in order, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from page_script import script, steps

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = sorted((DOCS / "howto").glob("*.md"))
PAGES = [path for path in [ROOT / "README.md", DOCS / "tutorial.md", *GUIDES] if any(steps(path))]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text(script(page), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("```python\n1 / 0\n```\n", 'page.md", line 4'),
        ("```console\n$ cosim profiles no_such\n```\n", "no_such"),
        ("```python\nprint('one')\n```\n\n```text\ntwo\n```\n", "page.md:8"),
    ],
)
def test_an_example_that_does_not_hold_is_found(block: str, said: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{block}", encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", script(page)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert said in done.stderr
