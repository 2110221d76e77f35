"""Which coordinators of one search are alive: each one writes a count that grows; one that stands still is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

import optuna
from optuna.trial import FrozenTrial, Trial

BEAT_SECONDS = 15.0
GRACE_SECONDS = 120.0
COORDINATOR = "coordinator"  # attribute of a trial
ENDED = -1


class Coordinators:
    """Tells others that this coordinator is alive, and which of the others are not.

    Times are of this process's clock alone: what is compared is how long another one's count has stood still here.

    Parameters
    ----------
    study : optuna.Study
    clock : callable
        Returns a time that only grows [s].
    """

    def __init__(self, study: optuna.Study, clock: Callable[[], float] = time.monotonic) -> None:
        self._study, self._clock = study, clock
        self._name, self._beats, self._beaten = uuid4().hex, 0, -BEAT_SECONDS
        self._seen: dict[str, tuple[object, float]] = {}

    def sign(self, trial: Trial) -> None:
        """Note on a trial that this coordinator runs it."""
        trial.set_user_attr(COORDINATOR, self._name)

    def beat(self) -> bool:
        """Tell the others, every `BEAT_SECONDS`, that this coordinator is alive; return whether it was time to."""
        if self._clock() - self._beaten < BEAT_SECONDS:
            return False
        self._beats, self._beaten = self._beats + 1, self._clock()
        self._study.set_user_attr(_count_of(self._name), self._beats)
        return True

    def leave(self) -> None:
        """Tell the others that this coordinator has ended."""
        self._study.set_user_attr(_count_of(self._name), ENDED)

    def is_lost(self, trial: FrozenTrial) -> bool:
        """Return whether a running trial's coordinator has ended, or has been silent for `GRACE_SECONDS`."""
        name = str(trial.user_attrs.get(COORDINATOR, f"trial {trial.number}"))  # killed before it was signed
        if name == self._name:
            return False
        count, now = self._study.user_attrs.get(_count_of(name)), self._clock()
        if count == ENDED:
            return True
        before, since = self._seen.get(name, (None, now))
        if name not in self._seen or count != before:
            self._seen[name] = (count, now)
            return False
        return now - since >= GRACE_SECONDS


def _count_of(name: str) -> str:
    return f"{COORDINATOR} {name}"
