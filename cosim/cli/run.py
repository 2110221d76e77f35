"""Runs a study behind progress bars on stderr."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cosim.api.run import Outcome, run_study
from cosim.cli.output import say
from cosim.engine.sweep import Status
from cosim.report import answer_line, write_report
from cosim.study.schema import Study


def run_with_bars(
    study: Study, *, root: Path, data_dir: Path | None, workers: int, command: str
) -> tuple[Outcome, Path]:
    """Run a study, show where it stands, write its page, and return what it came to and the page's path."""
    say(f"{study.study.title}\nRun folder: {root}")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[running]}"), console=console, transient=True) as bars:
        task = bars.add_task("points", total=None, running="reading recordings")

        def watch(status: Status) -> None:
            bars.update(
                task, total=status.points, completed=status.points_done, running=" ".join(status.running) or "waiting"
            )

        outcome = run_study(
            study, root=root, data_dir=data_dir, workers=workers, command=command, watch=watch, tell=_warn
        )
        bars.update(task, running="writing the page")
        page = write_report(root)
    say(answer_line(root))
    for note in outcome.set_aside:
        say(f"Set aside and computed again: {note}")
    failed = f", {len(outcome.failures)} failed" if outcome.failures else ""
    say(f"{outcome.points} points finished{failed}; {outcome.computed} stages computed by this run.")
    times = ", ".join(f"{kind} {found.seconds:.1f} s ({found.stages})" for kind, found in outcome.times.items())
    say(f"Time of all stages, by kind: {times}.")
    return outcome, page


def _warn(note: str) -> None:
    say(f"Warning: {note}")
