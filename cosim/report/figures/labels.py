"""Where labels stand so that none covers another or a marker: offsets in pixels from the points they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

Box = tuple[float, float, float, float]  # left, top, right, bottom
Side = Literal["left", "right"]
CHARACTER = 0.68 # advance of a character over the font size, of a wide bold sans serif
MARKER = 6.5      # half a marker that is kept free
REACHES = (10.0, 15.0, 22.0, 32.0, 46.0, 64.0, 86.0, 112.0)
SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -0.8), (1, 0.8), (-1, -0.8), (-1, 0.8))


class Placed(NamedTuple):
    """A label: its text, and its centre's offset from the point it names [px], the vertical axis downwards."""

    text: str
    dx: float
    dy: float


class Sheet(NamedTuple):
    """A size at which points are shown [px], the vertical axis downwards.

    Parameters
    ----------
    places : sequence of (float, float)
        Points; all are kept free.
    area : tuple of float
        Left, top, right, bottom in which labels stand.
    taken : sequence of tuples
        Boxes that are occupied already.
    """

    places: Sequence[tuple[float, float]]
    area: Box
    taken: Sequence[Box] = ()


def place_labels(
    sheets: Sequence[Sheet], options: Sequence[Sequence[str]], *, size: float
) -> list[Placed | None]:
    """Return a label for each point: the first of its texts that finds a free place on every sheet.

    Points are taken in the order given, places nearest to the point first. Where nothing is free, the last text stands
    where it covers least; a point without a text has no label.

    Parameters
    ----------
    sheets : sequence of Sheet
        The sizes at which the same labels are shown.
    options : sequence of sequences of str
        Texts of each point, the one that is wanted most first.
    size : float
        Of the font [px].
    """
    occupied = [
        [*sheet.taken, *((x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in sheet.places)] for sheet in sheets
    ]
    found: list[Placed | None] = []
    for index, texts in enumerate(options):
        if not texts:
            found.append(None)
            continue
        points = [sheet.places[index] for sheet in sheets]
        label = _best(points, texts, sheets, occupied, size)
        for boxes, point in zip(occupied, points, strict=True):
            boxes.append(_box(point, label, size))
        found.append(label)
    return found


def freer_side(sheets: Sequence[Sheet], left: Sequence[Box], right: Sequence[Box]) -> Side:
    """Return at which end of its line a level's name covers fewer points; `left` and `right`: its box on each sheet."""
    def covered(boxes: Sequence[Box]) -> int:
        return sum(
            _overlap(box, (x - MARKER, y - MARKER, x + MARKER, y + MARKER)) > 0
            for sheet, box in zip(sheets, boxes, strict=True) for x, y in sheet.places
        )

    return "left" if covered(left) < covered(right) else "right"


def _best(
    points: Sequence[tuple[float, float]], texts: Sequence[str], sheets: Sequence[Sheet],
    occupied: Sequence[Sequence[Box]], size: float,
) -> Placed:
    """Return the first label that is free on every sheet, or the last text where it covers least."""
    candidates: list[Placed] = []
    for label in (label for text in texts for label in _labels(text, size)):
        boxes = [_box(point, label, size) for point in points]
        if all(_inside(box, sheet.area) for box, sheet in zip(boxes, sheets, strict=True)):
            if not any(_overlap(box, other) for box, taken in zip(boxes, occupied, strict=True) for other in taken):
                return label
            candidates.append(label)

    def covered(label: Placed) -> tuple[bool, float]:
        boxes = [_box(point, label, size) for point in points]
        area = sum(_overlap(box, other) for box, taken in zip(boxes, occupied, strict=True) for other in taken)
        return label.text != texts[-1], area

    return min(candidates or _labels(texts[-1], size)[:1], key=covered)


def _labels(text: str, size: float) -> list[Placed]:
    width, height = _extent(text, size)
    return [
        Placed(text, dx * (reach + width / 2), dy * (reach + height / 2)) for reach in REACHES for dx, dy in SIDES
    ]


def _extent(text: str, size: float) -> tuple[float, float]:
    return len(text) * size * CHARACTER + 2, size * 1.15


def _box(point: tuple[float, float], label: Placed, size: float) -> Box:
    (width, height), x, y = _extent(label.text, size), point[0] + label.dx, point[1] + label.dy
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _inside(box: Box, area: Box) -> bool:
    return box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    return max(0.0, wide) * max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
