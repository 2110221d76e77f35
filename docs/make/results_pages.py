"""Pages of the shipped studies, made again from their archived runs: ``python docs/make/results_pages.py``.

Nothing is trained: the workloads in ``docs/results/data`` are priced with today's machines and sites. A page that was
not made again after a price moved is found by ``make golden``.
"""

from __future__ import annotations

from pathlib import Path

from cosim.report import write_digest
from cosim.tables.prices import reprice

RESULTS = Path(__file__).resolve().parents[1] / "results"


def archived_runs() -> list[Path]:
    """Return the folders of all archived runs, by name."""
    return sorted(path for path in (RESULTS / "data").iterdir() if path.is_dir())


def main() -> None:
    """Write the page and the picture of every study."""
    for run in archived_runs():
        reprice(run)
        write_digest(run, RESULTS)


if __name__ == "__main__":
    main()
