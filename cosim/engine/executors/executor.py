"""What every executor of stages can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cosim.engine.record import StageTime
from cosim.engine.stage import Stage


@dataclass(frozen=True, slots=True)
class Completion:
    """How one submitted stage ended.

    Parameters
    ----------
    stage : Stage
    outcome : StageTime or Exception
        When and where it was computed, or what was raised.
    """

    stage: Stage
    outcome: StageTime | Exception


class Executor(Protocol):
    """Computes stages whose parents are finished, several at once, each one kept in the run's store."""

    @property
    def capacity(self) -> int:
        """How many stages it computes at once."""
        ...

    def submit(self, stage: Stage) -> None:
        """Begin a stage; at most `capacity` are begun and not yet returned by `poll`."""
        ...

    def poll(self) -> Sequence[Completion]:
        """Return what has ended since the last call, waiting a moment for something to end.

        Raises
        ------
        CosimError
            If what computes stages is gone.
        """
        ...

    def cancel(self) -> None:
        """End what is being computed; nothing of it is kept."""
        ...
