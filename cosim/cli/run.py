"""Runs a study: progress bars on a terminal, log lines elsewhere, both on stderr and with the same facts."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from cosim.api.progress import facts_text, lines_on_stderr
from cosim.api.run import Outcome, run_study
from cosim.cli.output import say
from cosim.engine.executors.dask_cluster import DaskPlan
from cosim.engine.progress import Status, Watch
from cosim.report import answer_line, opened, write_report
from cosim.study.schema import Study
from cosim.tables.times import KindTime
from energy_models.errors import CosimError


def run_with_progress(
    study: Study, *, root: Path, data_dir: Path | None, workers: int, command: str, dask: DaskPlan | None,
    wait_s: float,
) -> tuple[Outcome, Path, str]:
    """Run a study, show where it stands, write its page, and return what it came to, the page's path and its answer."""
    say(f"{study.study.title}\nRun folder: {root}")
    try:
        with _watching() as watch:
            outcome = run_study(
                study, root=root, data_dir=data_dir, workers=workers, command=command, watch=watch, tell=_warn,
                dask=dask, wait_s=wait_s,
            )
    except CosimError:
        stages = root / "stages"
        if not os.path.isdir(stages) or not any(stages.glob("*/*")):  # a name too long is no folder, and no error here
            say("Nothing was computed.")
        raise
    found = opened(root)
    page, answer = write_report(found), answer_line(found)
    say(answer)
    for note in outcome.set_aside:
        say(f"Set aside and computed again: {note}")
    failed = f", {len(outcome.failures)} failed" if outcome.failures else ""
    say(f"{outcome.points} points finished{failed}; {outcome.computed} stages computed by this run.")
    times = ", ".join(f"{kind} {_time_text(found)}" for kind, found in outcome.times.items())
    say(f"Time of all stages, by kind: {times}.")
    return outcome, page, answer


def _time_text(found: KindTime) -> str:
    """Return the wall time of some stages, the processor's where it is known, and how many they are."""
    processor = "" if found.process_seconds is None else f", {found.process_seconds:.1f} s of a processor"
    return f"{found.seconds:.1f} s{processor} ({found.stages})"


@contextmanager
def _watching() -> Generator[Watch]:
    """Yield what is told where the run stands: bars on a terminal, lines where standard error is none."""
    if not sys.stderr.isatty():
        yield lines_on_stderr()
        return
    facts = TextColumn("{task.fields[facts]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = ("points", BarColumn(bar_width=16), MofNCompleteColumn(), TimeElapsedColumn(), facts)
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bars:
        task = bars.add_task("points", total=None, facts="reading recordings")

        def watch(status: Status) -> None:
            bars.update(task, total=status.points, completed=status.points_done, facts=facts_text(status))

        yield watch


def _warn(note: str) -> None:
    say(f"Warning: {note}")
