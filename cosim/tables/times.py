"""Where a run's time went: when, for how long, by whom and by which kernels every stage was computed; sums by kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from cosim.engine.files import to_json, write_atomically
from cosim.engine.points import Point
from cosim.engine.record import StageTime, read_time
from cosim.engine.stage import with_ancestors
from cosim.engine.store import Store

TIMES = "times.json"


@dataclasses.dataclass(frozen=True, slots=True)
class KindTime:
    """How many stages of one kind a run rests on, and the time they took together.

    Parameters
    ----------
    stages : int
    seconds : float
        Of wall time [s].
    process_seconds : float or None
        Of the processor [s]; None where the record of one of them does not say.
    """

    stages: int
    seconds: float
    process_seconds: float | None


def write_times(root: Path, store: Store, points: Sequence[Point]) -> Mapping[str, KindTime]:
    """Write the times of every stage that finished points rest on, earlier runs' included, and return sums by kind.

    Raises
    ------
    CosimError
        If a stage's record is missing, or the disk is full.
    """
    keys = dict.fromkeys(stage.key for point in points for stage in with_ancestors(point.result))
    times = sorted((read_time(store, key) for key in keys), key=lambda time: (time.started, time.kind, time.digest))
    sums = seconds_by_kind(times)
    document = {
        "by_kind": {kind: dataclasses.asdict(found) for kind, found in sums.items()},
        "stages": [dataclasses.asdict(time) for time in times],
    }
    write_atomically(root / TIMES, to_json(document))
    return sums


def seconds_by_kind(times: Sequence[StageTime]) -> dict[str, KindTime]:
    """Return the sums of some stages' times by kind, longest first."""
    kinds = dict.fromkeys(time.kind for time in times)
    sums = {kind: _sum([time for time in times if time.kind == kind]) for kind in kinds}
    return dict(sorted(sums.items(), key=lambda item: (-item[1].seconds, item[0])))


def _sum(times: Sequence[StageTime]) -> KindTime:
    of_processor = [time.process_seconds for time in times if time.process_seconds is not None]
    said = sum(of_processor) if len(of_processor) == len(times) else None
    return KindTime(len(times), sum(time.seconds for time in times), said)
