"""Where labels stand so that none covers another or a marker: offsets in pixels from the points they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Box = tuple[float, float, float, float]  # left, top, right, bottom
CHARACTER = 0.68 # advance of a character over the font size, of a wide bold sans serif
MARKER = 6.5      # half a marker that is kept free
REACHES = (10.0, 15.0, 22.0, 32.0, 46.0, 64.0, 86.0)
SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -0.8), (1, 0.8), (-1, -0.8), (-1, 0.8))


class Placed(NamedTuple):
    """A label: its text, and its centre's offset from the point it names [px], the vertical axis downwards."""

    text: str
    dx: float
    dy: float


def place_labels(
    places: Sequence[tuple[float, float]], options: Sequence[Sequence[str]], area: Box, *, size: float,
    taken: Sequence[Box] = (),
) -> list[Placed | None]:
    """Return a label for each point: the first of its texts that finds a free place, nearest to its point.

    Points are taken in the order given. Where nothing is free, the last text stands where it covers least; a point
    without a text has no label.

    Parameters
    ----------
    places : sequence of (float, float)
        Points [px], the vertical axis downwards; all are kept free.
    options : sequence of sequences of str
        Texts of each point, the one that is wanted most first.
    area : tuple of float
        Left, top, right, bottom in which labels stand [px].
    size : float
        Of the font [px].
    taken : sequence of tuples
        Boxes that are occupied already.
    """
    boxes = [*taken, *((x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in places)]
    found: list[Placed | None] = []
    for (x, y), texts in zip(places, options, strict=True):
        if not texts:
            found.append(None)
            continue
        candidates = [(text, box) for text in texts for box in _boxes(x, y, text, size) if _inside(box, area)]
        free = next((one for one in candidates if not any(_overlap(one[1], box) for box in boxes)), None)
        text, box = free or min(
            candidates or [(texts[-1], _boxes(x, y, texts[-1], size)[0])],
            key=lambda one: (one[0] != texts[-1], sum(_overlap(one[1], box) for box in boxes)),
        )
        boxes.append(box)
        found.append(Placed(text, (box[0] + box[2]) / 2 - x, (box[1] + box[3]) / 2 - y))
    return found


def _boxes(x: float, y: float, text: str, size: float) -> list[Box]:
    width, height = len(text) * size * CHARACTER + 2, size * 1.15
    centres = [
        (x + dx * (reach + width / 2), y + dy * (reach + height / 2)) for reach in REACHES for dx, dy in SIDES
    ]
    return [(left - width / 2, top - height / 2, left + width / 2, top + height / 2) for left, top in centres]


def _inside(box: Box, area: Box) -> bool:
    return box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    return max(0.0, wide) * max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
