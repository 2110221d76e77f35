"""Where a run stands: decoders being computed by name, the time that is left, the best validation score so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from cosim.engine.files import read_json
from cosim.engine.points import Decoder, Point, Role
from cosim.engine.record import StageTime
from cosim.engine.stage import RESULT, Stage, with_ancestors
from cosim.engine.store import Store


@dataclass(frozen=True, slots=True)
class Best:
    """The decoder with the best validation score so far, a mean over its finished folds and seeds."""

    decoder: str
    score: float


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run stands.

    Parameters
    ----------
    points_done, points : int
        Points finished or failed, and all that the study asks for.
    stages_computed : int
        By this run.
    running : tuple of str
        What is being computed: decoder and kind of stage each, the kind alone where several decoders share it.
    seconds_left : float or None
        Estimated time until the last point [s]; None while nothing of a kind that is left has been finished.
    best : Best or None
        None before the first score.
    """

    points_done: int
    points: int
    stages_computed: int
    running: tuple[str, ...]
    seconds_left: float | None
    best: Best | None


Watch = Callable[[Status], None]


class Journal:
    """Notes which decoders each stage is for and what finished points scored, for a run's `Status`.

    Parameters
    ----------
    store : Store
        Where results are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decoders: dict[str, dict[str, Decoder]] = {}
        self._scores: dict[str, tuple[Decoder, list[float]]] = {}
        self._done_here: dict[Role, int] = {}
        self._seconds: dict[Role, float] = {}
        self._counted = 0

    def asked(self, point: Point) -> None:
        """Note the stages of a point that is begun."""
        for stage in with_ancestors(point.result):
            self._decoders.setdefault(stage.digest, {})[point.decoder.id] = point.decoder

    def scored(self, point: Point) -> None:
        """Note a point that ended with a result.

        Raises
        ------
        CosimError
            A result that cannot be read.
        """
        found = read_json(self._store.folder(point.result.key) / RESULT)
        score = float(cast(float, found["validation_score"]))
        self._scores.setdefault(point.decoder.id, (point.decoder, []))[1].append(score)

    def computed(self, times: Sequence[StageTime]) -> None:
        """Note the stages that were computed so far, in order; those of earlier calls are known."""
        for time in times[self._counted :]:
            role = self._role(time.digest)
            self._seconds[role] = self._seconds.get(role, 0.0) + time.seconds
        self._counted = len(times)

    def finished_here(self, point: Point) -> None:
        """Note a point whose result this run has waited for, rather than found."""
        self._done_here[point.decoder.role] = self._done_here.get(point.decoder.role, 0) + 1

    def names(self, running: Sequence[Stage]) -> tuple[str, ...]:
        """Return what is being computed, for people; what is computed several times at once, for its folds, as one."""
        found = Counter(map(self._name, running))
        return tuple(name if count == 1 else f"{count} × {name}" for name, count in found.items())

    def best(self) -> Best | None:
        """Return the decoder with the best mean validation score so far."""
        means = [Best(decoder.name, sum(scores) / len(scores)) for decoder, scores in self._scores.values()]
        return max(means, key=lambda one: one.score, default=None)

    def seconds_left(self, left: dict[Role, int], capacity: int) -> float | None:
        """Return the time that is left [s], from what points of each role took so far.

        Parameters
        ----------
        left : mapping
            Points that are not finished, by role.
        capacity : int
            How many stages are computed at once.
        """
        whole = 0.0
        for role, points in left.items():
            if points and not self._done_here.get(role):
                return None
            whole += points * self._seconds.get(role, 0.0) / max(1, self._done_here.get(role, 0))
        return whole / capacity

    def _role(self, digest: str) -> Role:
        """Return whose stage it is; a student's where decoders of several roles share it."""
        roles: set[Role] = {decoder.role for decoder in self._decoders.get(digest, {}).values()}
        return roles.pop() if len(roles) == 1 else "student"

    def _name(self, stage: Stage) -> str:
        decoders = list(self._decoders.get(stage.digest, {}).values())
        names = {decoder.name for decoder in decoders} if len(decoders) == 1 else {one.student for one in decoders}
        return f"{names.pop()} ({stage.kind})" if len(names) == 1 else stage.kind
