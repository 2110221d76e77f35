"""Arguments of the front door that every call takes alike, and messages where they are of another kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

from energy_models.errors import StudyError, WorkloadError
from energy_models.quantities import amount_si
from energy_models.workload import Workload


@runtime_checkable
class Counted(Protocol):
    """What has been counted already: a trained student, a decoder of a run."""

    def workload(self) -> Workload:
        """Return its work."""
        ...


class HoldsWorkload(Protocol):
    """What was counted when it was made: a converted student."""

    @property
    def workload(self) -> Workload:
        """Its work."""
        ...


def held_workload(work: object) -> Workload | None:
    """Return the workload that something holds or returns, such as a trained or a converted student; None: none."""
    held: object = None if isinstance(work, type) else getattr(work, "workload", None)
    return cast("Callable[[], Workload]", held)() if callable(held) else held if isinstance(held, Workload) else None


def rate_of(value: float | str, *, where: str) -> float:
    """Return a rate above zero [Hz] from a number or a text such as ``4 Hz``.

    Raises
    ------
    CosimError
        No rate, or not above zero.
    """
    rate_hz = amount_si(value, "frequency", where=where)
    if rate_hz <= 0:
        raise WorkloadError(f"{value!r} Hz", where=where, remedy="Give a rate above zero")
    return rate_hz


def workers_of(workers: object) -> int:
    """Return a number of processes.

    Raises
    ------
    CosimError
        No whole number from 1 up.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise StudyError(f"{workers!r} workers", where="workers", remedy="Give a whole number from 1 up")
    return workers


def refuse_repeats(loaded: Sequence[object], *, where: str) -> None:
    """Refuse machines or sites of which one is given twice; ones of the same name may differ.

    Raises
    ------
    StudyError
        Two that are equal.
    """
    for place, one in enumerate(loaded):
        if one in loaded[:place]:
            name = getattr(one, "name", one)
            raise StudyError(f"{name} is given twice", where=f"cosim.sweep, {where}", remedy="Give each once")


def listed(values: object, *, where: str, what: str) -> list[object]:
    """Return one value or several as a list.

    Raises
    ------
    CosimError
        An empty list, or a mapping.
    """
    if isinstance(values, Mapping):
        raise WorkloadError("a mapping", where=where, remedy=f"Give a list of {what}")
    found = list(cast("list[object]", values)) if isinstance(values, list | tuple) else [values]
    if not found:
        raise WorkloadError("an empty list", where=where, remedy=f"Give one or more {what}")
    return found
