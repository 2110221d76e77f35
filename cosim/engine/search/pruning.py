"""When a configuration is given up: once it cannot reach the search's front, whatever its points that are left come to.

The rule, for configurations whose objectives are means over folds and seeds. Of every point that is left, the score
is taken as the best there is (1: balanced accuracy and R squared have no more), and the power as `LEAST_SHARE` of the
least that the configuration's finished points draw: networks of one configuration do the same work but for zeros and
spikes. Where a finished configuration is no worse than that in every objective and better in one, this one is given
up. Finished ones stay, so what is given up once would be given up at any later time. The front is that of the search:
validation score, and power on its one machine and site. Optuna's pruners know one
objective, and stop what is worse than others so far, which a later fold may turn; they are not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cosim.engine.files import Json

BEST_SCORE = 1.0
LEAST_SHARE = 0.5
"""Between folds and seeds energies of a decode of archived spiking decoders fall to 0.70, a device's power less far."""
SCORE, POWER = "score", "total_power"
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why a configuration was given up.

    Parameters
    ----------
    points, of : int
        Points that were finished, and all.
    so_far, at_best : mapping of str to float
        Objectives: means over the finished points, and what they could still become.
    against : str
        Label of the finished configuration that is better in any case.
    theirs : mapping of str to float
        Its objectives.
    """

    points: int
    of: int
    so_far: Values
    at_best: Values
    against: str
    theirs: Values

    def record(self) -> dict[str, Json]:
        """Return it as JSON has it."""
        return {
            "points": self.points, "of": self.of, "so_far": dict(self.so_far), "at_best": dict(self.at_best),
            "against": self.against, "theirs": dict(self.theirs),
        }  # fmt: skip


def at_best(found: Sequence[Values], of: int) -> dict[str, float]:
    """Return what the objectives of a configuration can still become.

    Parameters
    ----------
    found : sequence of mapping
        Objectives of its finished points, at least one.
    of : int
        How many points it has.
    """
    best = dict[str, float]()
    for name in found[0]:
        values = [one[name] for one in found]
        rest = BEST_SCORE if name == SCORE else LEAST_SHARE * min(values)
        best[name] = (sum(values) + (of - len(values)) * rest) / of
    return best


def given_up(found: Sequence[Values], of: int, finished: Iterable[tuple[str, Values]]) -> GivenUp | None:
    """Return why a configuration cannot reach the front any more; None where it can.

    Parameters
    ----------
    found : sequence of mapping
        Objectives of its finished points.
    of : int
        How many points it has.
    finished : iterable of (str, mapping)
        Label and objectives of every finished configuration.
    """
    if not 0 < len(found) < of:
        return None
    best = at_best(found, of)
    for label, theirs in finished:
        if dominates(theirs, best):
            so_far = {name: sum(one[name] for one in found) / len(found) for name in best}
            return GivenUp(len(found), of, so_far, best, label, dict(theirs))
    return None


def dominates(one: Values, other: Values) -> bool:
    """Return whether objectives are nowhere worse than others and somewhere better."""
    pairs = [(one[name], value) if name == SCORE else (value, one[name]) for name, value in other.items()]
    return all(mine >= theirs for mine, theirs in pairs) and any(mine > theirs for mine, theirs in pairs)
