"""Ends commands that write at random moments, lets them go on, and compares what is left with an undisturbed one.

    python -m tests.robustness.kill --count 200 --seed 0

Whatever was finished stays, unchanged and not computed twice; nothing half-written is ever under its name; the results
are the same bit for bit. Which command is ended how is decided by the seed; the moment it falls into is not.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from tests.robustness.commands import COMMANDS, Command, stages
from tests.robustness.interventions import WAYS, Way, limited_files
from tests.robustness.runs import ROOT

PATIENCE_S = 240.0
MOST_ON_ONE = 4
"""Interventions before a command may end."""
OF_TRACKER = re.compile(
    r"Traceback \(most recent call last\):\n  File \S+resource_tracker\.py\S* .*\n.*\nKeyError: .*\n"
)
"""What Python's process that counts shared memory prints where another one of them was killed."""
RUN_FOLDER, OURS = "Run folder", "energy_models.errors."


class LostError(Exception):
    """Something finished was lost or computed twice, a command failed or never ended, or its results differ."""


@dataclass(frozen=True, slots=True)
class Series:
    """One command in one folder, ended several times and then left to end.

    Parameters
    ----------
    number : int
    command : Command
    ways : tuple of Way
        How it is ended, one after the other.
    """

    number: int
    command: Command
    ways: tuple[Way, ...]


@dataclass(slots=True)
class Told:
    """What became of a series: (command, way, when) of each intervention, and a fault or nothing."""

    series: Series
    done: list[tuple[str, str, str]] = field(default_factory=list)
    fault: str = ""


def planned(count: int, seed: int) -> list[Series]:
    """Return series with that many interventions in all."""
    dice = Random(seed)  # noqa: S311
    names = [command for command in COMMANDS for _ in range(command.weight)]
    found: list[Series] = []
    left = count
    while left:
        number = min(left, dice.randint(1, MOST_ON_ONE))
        command = names[len(found) % len(names)] if len(found) < len(names) else dice.choice(names)
        found.append(Series(len(found), command, tuple(dice.choice(WAYS) for _ in range(number))))
        left -= number
    return found


def started(arguments: Sequence[str], home: Path, most_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start a command as the leader of a group of processes, as a shell does."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COSIM_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
        start_new_session=True, preexec_fn=None if most_bytes is None else partial(limited_files, most_bytes),  # noqa: PLW1509
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a command and return its exit code and what it said on stderr."""
    try:
        _, said = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise LostError(f"it did not end within {PATIENCE_S:g} s") from None
    return process.returncode, said


def undisturbed(command: Command, home: Path, finished: Path) -> tuple[dict[str, bytes], float]:
    """Return what a command leaves that nobody ends, and how long it takes [s]."""
    folder = home / f"whole-{command.name}"
    folder.mkdir()
    command.prepare(folder, finished)
    begun = time.monotonic()
    code, said = ended(started(command.start(folder), home))
    if code:
        raise LostError(f"{command.name} ended with {code}: {said}")
    return dict(command.results(folder)), time.monotonic() - begun


def followed(series: Series, home: Path, whole: dict[str, bytes], seconds: float, seed: int) -> Told:
    """End one command several times, let it end at last, and return what became of it."""
    dice, told = Random(f"{seed}:{series.number}"), Told(series)  # noqa: S311
    folder = home / f"{series.number}-{series.command.name}"
    folder.mkdir()
    series.command.prepare(folder, home / "whole-run")
    seen: dict[str, int] = {}
    try:
        for place, way in enumerate(series.ways):
            line = (series.command.again if place else series.command.start)(folder)
            when = _ended_once(line, home, way, dice, seconds, folder)
            told.done.append((series.command.name, way.name, when))
            seen = _nothing_lost(folder, seen)
        last = series.command.again(folder)
        code, said = ended(started(last, home))
        if code and not _finished_before(last, said):
            raise LostError(f"it cannot go on: exit code {code}: {said}")
        _nothing_lost(folder, seen)
        found = dict(series.command.results(folder))
        different = sorted(name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name))
        if different:
            raise LostError(f"other results than undisturbed: {', '.join(different)}")
    except (LostError, OSError) as error:
        told.fault = f"{type(error).__name__}: {error}"
    return told


def _ended_once(line: Sequence[str], home: Path, way: Way, dice: Random, at_most_s: float, folder: Path) -> str:  # noqa: PLR0917
    """Start a command, end it in one way, check how it ended, and return when that was."""
    wanted = len(stages(folder)) + dice.randint(0, 4)
    process = started(line, home, way.most_bytes(dice))
    until = time.monotonic() + dice.random() * at_most_s
    while process.poll() is None and time.monotonic() < until:
        if len(stages(folder)) > wanted and dice.random() < 0.02:
            break
        time.sleep(0.02)
    over = process.poll() is not None
    if not over:
        way.strike(process, dice)
    code, said = ended(process)
    said = OF_TRACKER.sub("", said)
    ours = said.rstrip().rpartition("\n")[2].startswith(OURS)  # what Python prints of our errors, in a script
    if "Traceback" in said and not ours and (RUN_FOLDER in said or way.name == "disk full"):
        raise LostError(f"{way.name} ended in a traceback: {said}")
    if code not in way.codes and not _finished_before(line, said):
        raise LostError(f"{way.name} ended with exit code {code}: {said}")
    return (
        "after its end"
        if over and way.name != "disk full"
        else "in its work"
        if len(stages(folder))
        else "before any stage"
    )


def _finished_before(line: Sequence[str], said: str) -> bool:
    """True where a command says that an earlier start of it had ended: a profile is never written over."""
    return "calibrate" in line and "is there already" in said


def _nothing_lost(folder: Path, seen: dict[str, int]) -> dict[str, int]:
    now = stages(folder)
    if lost := sorted(name for name, time_ns in seen.items() if now.get(name) != time_ns):
        raise LostError(f"finished and lost, or computed twice: {', '.join(lost)}")
    return now


def table(told: Sequence[Told]) -> str:
    """Return how many interventions of each kind fell into what, as text."""
    found = Counter(one for series in told for one in series.done)
    lines = [f"{command:10} {way:12} {when:18} {number}" for (command, way, when), number in sorted(found.items())]
    return "\n".join([f"{'command':10} {'ended by':12} {'when':18} times", *lines])


def run_all(count: int, seed: int, processes: int = 2) -> Iterator[Told]:
    """Yield what became of each series, in the order they end."""
    with tempfile.TemporaryDirectory(prefix="kill-") as name, ThreadPoolExecutor(processes) as threads:
        home, plan = Path(name), planned(count, seed)
        whole = {"run": undisturbed(COMMANDS[0], home, home / "whole-run")}
        used = [one for one in COMMANDS[1:] if any(series.command is one for series in plan)]
        for command, left in zip(
            used, threads.map(lambda one: undisturbed(one, home, home / "whole-run"), used), strict=True
        ):
            whole[command.name] = left
        yield from threads.map(lambda series: followed(series, home, *whole[series.command.name], seed), plan)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where something was lost, or differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    begun, told = time.monotonic(), list[Told]()
    for one in run_all(given.count, given.seed, given.processes):
        told.append(one)
        if one.fault:
            ways = ", ".join(way.name for way in one.series.ways)
            _say(f"FAULT {one.series.command.name} (series {one.series.number}: {ways}): {one.fault}")
    faults, number = sum(bool(one.fault) for one in told), sum(len(one.done) for one in told)
    seconds = time.monotonic() - begun
    _say(table(told))
    runs = f"{len(told)} runs of commands, seed {given.seed}"
    _say(f"kill: {number} interventions in {runs}, {faults} faults, {seconds:.0f} s")
    return 1 if faults else 0


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
