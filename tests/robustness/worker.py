"""A process that reads one changed input after another and says what each ended in."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import IO

from energy_models.errors import CosimError
from tests.robustness.damage import damaged
from tests.robustness.kind import Kind
from tests.robustness.outcomes import MOST_BYTES, READ, REFUSED, Ending, UnsoundError, of_error

HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python shows to no user."""
ADDRESSES = 3 * MOST_BYTES
"""By which the addresses of a process may grow [bytes]; beyond it allocation fails."""
SAID = 3000
MILD = 0.1
"""Part of all inputs that are changed in nothing that matters, and must be read."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all processes of a fuzz are given.

    Parameters
    ----------
    home : Path
        Folder for inputs while they are read.
    seed : int
    keep : Path or None
        Folder that keeps every input as it was changed.
    """

    home: Path
    seed: int
    keep: Path | None


def serve(inputs: Connection, setting: Setting) -> None:
    """Read inputs, given as (name of a kind, number), until None comes."""
    from tests.robustness.kinds import KINDS

    kinds = {kind.name: kind for kind in KINDS}
    os.environ["COSIM_CACHE"] = str(setting.home / "cache")
    os.chdir(setting.home)
    captured = _redirected(setting.home / f"printed-{os.getpid()}")
    sound: dict[str, Path] = {}
    limited = False
    while (task := inputs.recv()) is not None:
        kind = kinds[task[0]]
        try:
            if kind.name not in sound:
                sound[kind.name] = _template(kind, setting.home)
            if not limited:
                _limit_addresses()
                limited = True
            inputs.send(_one(kind, task[1], sound[kind.name], setting, captured))
        except Exception:  # noqa: BLE001  (of a writer, a change, or an invariant that a sound input breaks)
            inputs.send(Ending(kind.name, task[1], "", "broken", traceback.format_exc()[-SAID:], 0.0))


def _redirected(path: Path) -> IO[str]:
    """Send standard output and error of this process, those of its C libraries too, into a file."""
    file = path.open("w+")
    for number in (1, 2):
        os.dup2(file.fileno(), number)
    sys.stdout = sys.stderr = file
    return file


def _limit_addresses() -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESSES, resource.RLIM_INFINITY))


def _template(kind: Kind, home: Path) -> Path:
    """Write a sound input, read it, and return where it is."""
    folder = Path(tempfile.mkdtemp(prefix=f"sound-{kind.name}-", dir=home))
    path = kind.write(folder)
    kind.read(path)
    return path


def _one(kind: Kind, number: int, sound: Path, setting: Setting, captured: IO[str]) -> Ending:
    dice = Random(f"{setting.seed}:{kind.name}:{number}")  # noqa: S311
    base = Path(tempfile.mkdtemp(prefix=f"{kind.name}-", dir=setting.home))
    folder = base / "input"
    shutil.copytree(sound.parent, folder, symlinks=True)
    path = folder / sound.name
    try:
        mild = dice.random() < MILD
        done = kind.mild(path, dice) if mild else _change(kind, path, dice)
        if setting.keep is not None:
            shutil.copytree(folder, setting.keep / f"{kind.name}-{number}", symlinks=True, dirs_exist_ok=True)
        _forget_peak()
        before, start = _kibibytes("VmRSS"), time.perf_counter()
        end, said = _read(kind, path, captured)
        seconds = time.perf_counter() - start
        if mild and end == REFUSED:
            end = "strict"
        grown = (_kibibytes("VmHWM") - before) * 1024
        if grown > MOST_BYTES:
            end, said = "memory", f"{grown:,} bytes more; {said}"
        return Ending(kind.name, number, done, end, said[-SAID:], seconds)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _change(kind: Kind, path: Path, dice: Random) -> str:
    """Change the structure, then bytes: what has lost its structure has none to change."""
    acts = [bool(kind.changes) and dice.random() < 0.7 for _ in range(dice.choice((1, 1, 1, 1, 2, 3)))]
    done: list[str] = []
    for place, structure in enumerate(sorted(acts, reverse=True)):
        if structure and place == 0:
            done.append(dice.choice(kind.changes)(path, dice))
            continue
        change = dice.choice(kind.changes) if structure else damaged
        try:
            done.append(change(path, dice))
        except Exception as error:  # noqa: BLE001  (an earlier change left a file that libraries cannot read)
            done.append(f"no more ({type(error).__name__})")
    return "; ".join(done)


def _read(kind: Kind, path: Path, captured: IO[str]) -> tuple[str, str]:
    """Return what reading ended in, and what was said."""
    captured.seek(0)
    captured.truncate()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for hidden in HIDDEN:
            warnings.simplefilter("ignore", hidden)
        end, said = _ended(kind, path)
    captured.flush()
    captured.seek(0)
    printed = captured.read()
    leaked = [f"{one.category.__name__}: {one.message} ({one.filename}:{one.lineno})" for one in warned]
    if end in ("read", "refused") and (leaked or printed.strip()):
        return "noise", "\n".join([*leaked, printed, said])
    return end, said


def _ended(kind: Kind, path: Path) -> tuple[str, str]:
    try:
        kind.read(path)
    except CosimError as error:
        return of_error(error, path), f"{type(error).__name__}: {error}"
    except UnsoundError as error:
        return "silent", str(error)
    except BaseException:  # noqa: BLE001
        return "traceback", traceback.format_exc()
    return READ, ""


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _kibibytes(name: str) -> int:
    lines: Iterator[str] = iter(Path("/proc/self/status").read_text().splitlines())
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
