"""How far a run is, as text: the same facts behind progress bars, in log lines and from Python."""

from __future__ import annotations

import sys
import time

from cosim.engine.progress import Status, Watch
from cosim.report.figures.numbers import digits_text

LEAST_S, MOST_S = 1.0, 60.0
"""Log lines are not closer together, however many stages end, and not farther apart, however few."""
MINUTE_S, HOUR_S = 60, 3600


def points_text(status: Status) -> str:
    """Return how many points are finished."""
    return f"{status.points_done} of {status.points} points finished"


def facts_text(status: Status) -> str:
    """Return the time that is left, the best decoder so far and what is being computed, as one line."""
    facts = [f"{_time_text(status.seconds_left)} left"] if status.points_done < status.points else []
    if status.best is not None:
        facts.append(f"best on validation {digits_text(status.best.score, 3)} ({status.best.decoder})")
    if status.running:
        facts.append(f"now {', '.join(status.running)}")
    return "; ".join(facts)


def _time_text(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    if seconds < MINUTE_S:
        return "less than a minute"
    hours, minutes = divmod(round(seconds / MINUTE_S), HOUR_S // MINUTE_S)
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"


def lines_on_stderr() -> Watch:
    """Return what tells a run's progress on stderr, a line a stage that ended, or an interval where that is longer."""
    told: list[tuple[int, int]] = []
    last_s = [-MOST_S]

    def watch(status: Status) -> None:
        state, waited_s = (status.points_done, status.stages_computed), time.monotonic() - last_s[0]
        ended = status.points_done >= status.points
        if waited_s >= MOST_S or (state not in told[-1:] and (waited_s >= LEAST_S or ended)):
            told.append(state)
            last_s[0] = time.monotonic()
            print("; ".join(filter(None, (points_text(status), facts_text(status)))), file=sys.stderr)  # noqa: T201

    return watch
