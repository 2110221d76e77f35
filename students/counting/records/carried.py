"""State that a model of a user's own carries from step to step, found in the order of its operations.

A loop shows by something it does again: it cuts the next piece out of a signal, or multiplies with the same weights.
Between two such moments lies one step. What was made in a step and is read in a later one is carried; the point of the
step at which this is least is where the loop goes round. Loops over depth multiply with other weights every time.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from students.counting.records.trace import JOINS, PIECES, Trace

SITES_TRIED = 8
"""Operations without weights, the most often repeated ones, that are tried as a loop's clock."""

_Life = tuple[int, int, int]
"""Place of a tensor in a trace, the operation that made it, and the last that read it."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Words carried from step to step by their width, the steps, and where they were made (places of a trace)."""

    words: dict[int, int]
    steps: int
    places: frozenset[int]
    span: tuple[int, int]


def carried_states(trace: Trace) -> list[Carried]:
    """Return what each loop carries; of loops inside each other the outermost."""
    readers = _readers(trace)
    found = [_carried(trace, readers, clock) for clock in _clocks_of_pieces(trace, readers)]
    result = _outermost([one for one in found if one is not None])
    for clocks in (_clocks_of(trace, "weights"), _clocks_of(trace, "site")):
        more = [_carried(trace, readers, clock) for clock in clocks if not _overlaps(clock, result)]
        result += _outermost([one for one in more if one is not None and _is_fed(trace, one)])
    return result


def _readers(trace: Trace) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in trace.made]
    for number, node in enumerate(trace.nodes):
        for place in node.reads:
            readers[place].append(number)
    return readers


def _overlaps(clock: Sequence[int], known: Iterable[Carried]) -> bool:
    return any(clock[0] < one.span[1] and clock[-1] > one.span[0] for one in known)


def _outermost(found: list[Carried]) -> list[Carried]:
    result: list[Carried] = []
    for one in sorted(found, key=lambda each: each.span[0] - each.span[1]):
        if not _overlaps(one.span, result):
            result.append(one)
    return result


def _clocks_of_pieces(trace: Trace, readers: list[list[int]]) -> list[list[int]]:
    """Return, for each signal that is read piece by piece, when each piece is first read."""
    root = list(range(len(trace.made)))
    for node in trace.nodes:
        if len(node.made) == 1 and len(node.reads) == 1 and node.name in PIECES:
            inside, out = node.reads[0], node.made[0]
            if trace.made[inside].words == trace.made[out].words:
                root[out] = root[inside]
    clocks: dict[object, list[list[tuple[int, object]]]] = defaultdict(lambda: [[]])
    for number, node in enumerate(trace.nodes):
        if node.name not in PIECES or not node.reads or node.piece is None:
            continue
        axis, place = node.piece
        several = len(node.made) > 1
        for which, out in enumerate(node.made):
            if trace.made[out].words == trace.made[node.reads[0]].words:
                continue
            runs = clocks[root[node.reads[0]], axis, trace.made[out].words]
            index = (number, which) if several else place
            if any(index == known for _, known in runs[-1]):
                runs.append([])
            runs[-1].append((min(_users(trace, readers, out), default=number), index))
    found = [sorted({moment for moment, _ in run}) for runs in clocks.values() for run in runs if len(run) > 1]
    return [clock for clock in found if _read_alike(trace, clock)]


def _users(trace: Trace, readers: list[list[int]], place: int) -> Iterator[int]:
    """Yield the operations that read a tensor's numbers, where they were moved to if they were moved first."""
    for number in readers[place]:
        node = trace.nodes[number]
        if not node.moves:
            yield number
        for out in node.made if node.moves else ():
            yield from _users(trace, readers, out)


def _read_alike(trace: Trace, clock: Sequence[int]) -> bool:
    """True where all pieces, the first perhaps excepted, are read by one operation: parts of a gate are not."""
    readers = {(trace.nodes[moment].site, trace.nodes[moment].weights) for moment in clock[len(clock) > 3 :]}
    return len(readers) == 1


def _clocks_of(trace: Trace, what: str) -> list[list[int]]:
    """Return when each stored weight is multiplied with, or each operation without weights is repeated."""
    clocks: dict[object, list[int]] = defaultdict(list)
    for number, node in enumerate(trace.nodes):
        if node.moves or bool(node.weights) != (what == "weights"):
            continue
        clocks[node.weights, node.site].append(number)
    several = sorted((clock for clock in clocks.values() if len(clock) > 2), key=len, reverse=True)
    return several if what == "weights" else several[:SITES_TRIED]


def _carried(trace: Trace, readers: list[list[int]], clock: Sequence[int]) -> Carried | None:
    """Return what a loop with this clock carries; None where nothing is carried on, or its steps differ."""
    if len(clock) < 2 or not _steps_alike(trace, clock):
        return None
    near = _lives_by_step(_lives(trace, readers, clock), clock)
    least = [_least(trace, near[step], (clock[step], clock[step + 1])) for step in range(len(clock) - 1)]
    if len(least) > 2:
        least.pop()  # in the last step outputs of the step before may be read by what follows the loop
    if not any(least):
        least = [_delayed(trace, clock)]
    if not any(least) or not _goes_on(trace, least, clock):
        return None
    most = max(least, key=lambda places: sum(trace.made[one].words for one in places))
    words: dict[int, int] = defaultdict(int)
    for place in most:
        words[trace.made[place].bits] += trace.made[place].words
    return Carried(dict(words), len(clock), frozenset().union(*least), (clock[0], clock[-1]))


def _delayed(trace: Trace, clock: Sequence[int]) -> frozenset[int]:
    """Return the start states that the first step multiplies: a step may use what the one before made, and no more."""
    first = trace.nodes[: clock[1] + 1]
    return frozenset(place for node in first if node.weights for place in node.reads if place in trace.starts)


def _steps_alike(trace: Trace, clock: Sequence[int]) -> bool:
    """True where every step multiplies with the same weights; the first may differ from the others."""
    steps = [
        frozenset(node.weights for node in trace.nodes[first:last] if node.weights)
        for first, last in itertools.pairwise(clock)
    ]
    return len(set(steps[1:])) <= 1 and (len(steps) != 2 or steps[0] == steps[1] or not (steps[0] and steps[1]))


def _lives(trace: Trace, readers: list[list[int]], clock: Sequence[int]) -> list[_Life]:
    """Return (place, made at, read last at) of what was made in the loop and is read later than in its end.

    Outputs kept until the loop has ended are no state, unless they are read inside it too.
    """
    lives: list[_Life] = []
    first, end, turn = clock[0], clock[-1], clock[-2]
    for place, made in enumerate(trace.made):
        numbers = readers[place]
        if made.node < first or made.node > end or made.sized or not numbers:
            continue
        last = numbers[-1]
        if last > end:
            late = made.node >= turn
            last = max(
                (one for one in numbers if one <= end or (late and trace.nodes[one].name not in JOINS)), default=-1
            )
        if last > made.node:
            lives.append((place, made.node, last))
    return lives


def _lives_by_step(lives: list[_Life], clock: Sequence[int]) -> list[list[_Life]]:
    """Return, for each step, what was made before its end and is read after its beginning."""
    near: list[list[_Life]] = [[] for _ in clock[1:]]
    for one in lives:
        _, made, read = one
        for step in range(max(bisect_right(clock, made) - 1, 0), min(bisect_left(clock, read), len(near))):
            near[step].append(one)
    return near


def _least(trace: Trace, near: list[_Life], step: tuple[int, int]) -> frozenset[int]:
    """Return what is alive where that is least, after some operation of a step, of what is near it."""
    first, last = step
    changes: dict[int, int] = defaultdict(int)
    for place, made, read in near:
        bits = trace.made[place].words * trace.made[place].bits
        changes[max(made, first)] += bits
        changes[min(read, last)] -= bits
    at, size, least = first, 0, -1
    for moment in sorted({first, *changes}):  # between two changes it stays
        size += changes.get(moment, 0)
        if moment < last and (least < 0 or size < least):
            least, at = size, moment
    return frozenset(place for place, made, read in near if made <= at < read)


def _goes_on(trace: Trace, least: list[frozenset[int]], clock: Sequence[int]) -> bool:
    """True where what is carried out of a step was made from what was carried into it, or a start state is read."""
    first = [node for node in trace.nodes[clock[0] : clock[1] + 1] if not node.moves]
    if any(len(node.reads) > 1 and not trace.starts.isdisjoint(node.reads) for node in first):
        return True
    if _delayed(trace, clock) or not least[0].isdisjoint(_made_from(trace, trace.starts)):
        return True
    return any(later & _made_from(trace, before) for before, later in itertools.pairwise(least))


def _made_from(trace: Trace, places: Iterable[int]) -> set[int]:
    reached = set(places)
    first = min((trace.made[place].node for place in reached), default=0)
    for node in trace.nodes[max(first, 0) :]:
        if not reached.isdisjoint(node.reads):
            reached.update(node.made)
    return reached


def _is_fed(trace: Trace, carried: Carried) -> bool:
    """True where a loop that cuts no signal reads, besides what it carries, a signal made before it, in most steps."""
    first, last = carried.span
    reads = sum(
        any(trace.made[place].node < first and place not in trace.starts for place in node.reads)
        for node in trace.nodes[first : last + 1]
    )
    return reads >= carried.steps - 1


def made_from(trace: Trace, found: Iterable[Carried]) -> set[int]:
    """Return the places of everything made from what loops carry."""
    return _made_from(trace, [place for one in found for place in one.places])
