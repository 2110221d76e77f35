"""Which configurations of a grid nobody has tried: queued one by one, since Optuna reads its whole queue each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from optuna.trial import FrozenTrial, TrialState

from cosim.engine.plan import Configuration
from students.spec import Scalar

KEPT = (TrialState.COMPLETE, TrialState.WAITING, TrialState.RUNNING)
"""States of trials that are not tried again by another run; failed ones are."""
_Key: TypeAlias = frozenset[tuple[str, Any]]


class Grid:
    """The configurations of a grid without those that are tried.

    Parameters
    ----------
    configurations : iterable of Configuration
        All of them, in the order they are to be tried.
    trials : sequence of FrozenTrial
        Those there are.
    """

    def __init__(self, configurations: Iterable[Configuration], trials: Sequence[FrozenTrial]) -> None:
        self._untried: dict[_Key, dict[str, Scalar]] = {}
        for configuration in configurations:
            parameters = configuration.parameters
            self._untried[frozenset(parameters.items())] = parameters
        self._seen = 0
        self._note([trial for trial in trials if trial.state in KEPT])
        self._seen = len(trials)

    def note(self, trials: Sequence[FrozenTrial]) -> None:
        """Note the trials that were begun since the last call, by this coordinator or by others."""
        self._note(trials[self._seen :])
        self._seen = len(trials)

    def _note(self, trials: Sequence[FrozenTrial]) -> None:
        for trial in trials:
            self._untried.pop(frozenset(choices(trial).items()), None)

    @property
    def untried(self) -> int:
        """How many nobody has tried."""
        return len(self._untried)

    def next(self) -> dict[str, Scalar]:
        """Return the choices of the first one that nobody has tried; there is one."""
        return next(iter(self._untried.values()))


def choices(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return a trial's choices; those of a queued one are what it was queued with."""
    queued = cast(Mapping[str, Any], trial.system_attrs.get("fixed_params", {}))
    return {**queued, **trial.params}
