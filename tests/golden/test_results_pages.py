"""The pages in ``docs/results`` are those that their archived runs give at today's prices."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from results_pages import RESULTS, archived_runs

from cosim.report import write_digest
from cosim.tables.prices import reprice

STALE = "{name} is not what its archived run gives today: python docs/make/results_pages.py writes it again"


@pytest.mark.parametrize("archived", archived_runs(), ids=lambda path: path.name)
def test_a_page_is_what_repricing_gives(archived: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(archived, tmp_path / archived.name, ignore=shutil.ignore_patterns("priced.parquet")))
    reprice(run)
    page = write_digest(run, tmp_path / "again")
    for path in (page, page.with_suffix(".svg")):
        assert path.read_bytes() == (RESULTS / path.name).read_bytes(), STALE.format(name=path.name)


def test_every_archived_run_has_its_page() -> None:
    assert {path.name for path in archived_runs()} == {path.stem for path in RESULTS.glob("*.md")} - {"README"}
