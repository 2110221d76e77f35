"""Ways to end a command: signals to it or to all of its group, one of its processes killed, no room on the disk."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

STOPPED_S = 0.5
Strike = Callable[[subprocess.Popen[str], Random], None]


def limited_files(most_bytes: int) -> None:
    """Let no file of this process and its children grow beyond a size, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to end a command.

    Parameters
    ----------
    name : str
    strike : callable
        ``strike(process, dice)`` does it.
    codes : tuple of int
        Exit codes that a command may have afterwards; 0: it had ended before, or went on.
    full : tuple of int
        Sizes of the largest file the command may write [bytes]; empty: any.
    """

    name: str
    strike: Strike
    codes: tuple[int, ...]
    full: tuple[int, ...] = ()

    def most_bytes(self, dice: Random) -> int | None:
        """Return the size of the largest file the command may write [bytes]; None: any."""
        return dice.choice(self.full) if self.full else None


def _send(number: int) -> Strike:
    def strike(process: subprocess.Popen[str], dice: Random) -> None:
        process.send_signal(number)

    return strike


def _send_all(number: int) -> Strike:
    def strike(process: subprocess.Popen[str], dice: Random) -> None:
        os.killpg(process.pid, number)

    return strike


def _stop(process: subprocess.Popen[str], dice: Random) -> None:
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(STOPPED_S * dice.random())
    os.killpg(process.pid, signal.SIGCONT)


def _kill_a_child(process: subprocess.Popen[str], dice: Random) -> None:
    children = [pid for pid, group in _groups() if group == process.pid and pid != process.pid]
    if children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(children), signal.SIGKILL)


def _groups() -> list[tuple[int, int]]:
    """Return the number and the group of every process."""
    found: list[tuple[int, int]] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append((int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[2])))
        except OSError:
            continue
    return found


def _nothing(process: subprocess.Popen[str], dice: Random) -> None:
    pass


WAYS = (
    Way("SIGKILL", _send(signal.SIGKILL), (0, -signal.SIGKILL)),
    Way("SIGKILL all", _send_all(signal.SIGKILL), (0, -signal.SIGKILL)),
    Way("SIGTERM", _send(signal.SIGTERM), (0, 143, -signal.SIGTERM)),
    Way("SIGINT all", _send_all(signal.SIGINT), (0, 130, 1, -signal.SIGINT)),
    Way("SIGSTOP", _stop, (0,)),
    Way("child killed", _kill_a_child, (0, 1, 2)),
    Way("disk full", _nothing, (0, 1, 2), full=(0, 1000, 8000, 30_000, 100_000)),
)
"""The one table of interventions."""
