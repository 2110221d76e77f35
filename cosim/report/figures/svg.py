"""The few SVG pieces that the figures need: axes, ticks, markers, and labels that keep out of each other's way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cosim.report.figures.numbers import quantity_text

Box = tuple[float, float, float, float]  # left, top, right, bottom
CHARACTER = 0.6  # mean advance of a character over the font size, sans serif
BOLD = 1.12      # how much wider bold ones are
CLASSES = """
svg .g{stroke:var(--line)}svg .s{fill:var(--soft)}svg .i{fill:var(--ink)}svg .b{stroke-width:1.4}
svg .d{stroke:var(--soft);stroke-width:1.3;stroke-dasharray:5 4}svg .l{stroke:var(--soft);stroke-width:.7}
svg .m{stroke:var(--paper)}svg .p{fill:none;stroke-width:1.6;opacity:.5}svg .f{font-weight:650}
svg .h{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
svg .on-light{fill:#111}svg .on-dark{fill:#fff}
"""
STANDALONE = (
    """
svg{--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--c0:#0072b2;--c1:#00805e;--c2:#d55e00;--c3:#7d4a9e;
--c4:#b8860b;--c5:#56b4e9;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;background:var(--paper)}
@media(prefers-color-scheme:dark){svg{--paper:#12161c;--ink:#e6edf3;--soft:#9aa5b1;--line:#313943;--c0:#5cb3e8;
--c1:#35c29a;--c2:#ff8f4d;--c3:#c79be6;--c4:#e0b340;--c5:#9ad4f5}}"""
    + CLASSES
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plotting area in pixels inside a picture, and the data range it shows; x is logarithmic."""

    width: float
    height: float
    box: Box
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """Return the pixel of a value on the logarithmic axis, kept inside the area."""
        low, high = (math.log10(edge) for edge in self.x_range)
        share = (math.log10(max(value, self.x_range[0])) - low) / (high - low)
        return self.box[0] + min(max(share, 0.0), 1.0) * (self.box[2] - self.box[0])

    def y(self, value: float) -> float:
        """Return the pixel of a value on the linear axis, kept inside the area."""
        low, high = self.y_range
        share = (value - low) / (high - low)
        return self.box[3] - min(max(share, 0.0), 1.0) * (self.box[3] - self.box[1])


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return decades within a range, with 2 and 5 where they are few, thinned out where they are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [10.0**d for d in decades]
    if sum(low <= tick <= high for tick in ticks) < 3:
        ticks = sorted(step * 10.0**d for d in decades for step in (1, 2, 5))
    shown = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return shown[:: max(1, math.ceil(len(shown) / most))]


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers within a range, at most about `most` of them."""
    rough = (high - low) / max(most, 1)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(s * magnitude for s in (1, 2, 2.5, 5, 10) if s * magnitude >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_digits(ticks: Sequence[float]) -> int:
    """Return the decimals, two at least, with which every tick is printed as it is: steps of 0.025 need three."""
    return next((n for n in range(2, 7) if all(math.isclose(round(t, n), t, abs_tol=1e-9) for t in ticks)), 7)


def text(x: float, y: float, content: str, *, look: str, size: float = 12, anchor: str = "start") -> str:
    """Return a text element; `look` names classes of `CLASSES`."""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" class="{look}"{side}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """Return a line element; `look` names classes of `CLASSES`."""
    return f'<path d="M{x1:.1f},{y1:.1f}L{x2:.1f},{y2:.1f}" class="{look}"/>'


def marker(shape: str, x: float, y: float, radius: float, fill: str) -> str:
    """Return a marker: circle, square, triangle, diamond, inverted triangle or hexagon."""
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="m" fill="{fill}"/>'
    points = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.2), (1.1, 0.85), (-1.1, 0.85)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        "inverted": [(0, 1.2), (1.1, -0.85), (-1.1, -0.85)],
        "hexagon": [(-1.1, 0), (-0.55, -0.95), (0.55, -0.95), (1.1, 0), (0.55, 0.95), (-0.55, 0.95)],
    }[shape]
    path = " ".join(f"{x + radius * dx:.1f},{y + radius * dy:.1f}" for dx, dy in points)
    return f'<polygon points="{path}" class="m" fill="{fill}"/>'


def axes(frame: Frame, x_label: str, y_label: str, unit: str) -> list[str]:
    """Return grid, ticks and axis names."""
    left, top, right, bottom = frame.box
    narrow = frame.width < 500
    parts: list[str] = []
    for tick in log_ticks(*frame.x_range, most=4 if narrow else 8):
        parts.append(line(frame.x(tick), top, frame.x(tick), bottom, "g"))
        name = quantity_text(tick, unit)
        parts.append(text(frame.x(tick), bottom + 17, name, anchor="middle", look="s"))
    heights = linear_ticks(*frame.y_range, most=6)
    digits = tick_digits(heights)
    for tick in heights:
        parts.append(line(left, frame.y(tick), right, frame.y(tick), "g"))
        label = f"{tick:.{digits}f}".replace("-", "−")
        parts.append(text(left - 7, frame.y(tick) + 4, label, anchor="end", look="s"))
    parts.append(text((left + right) / 2, bottom + 37, x_label, size=13, anchor="middle", look="i"))
    parts.append(text(left, top - 10, y_label, size=13, look="i"))
    return parts


@dataclass(frozen=True, slots=True)
class Label:
    """A text that wants to stand near a point."""

    x: float
    y: float
    content: str
    look: str


def _overlap(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def place_labels(labels: Sequence[Label], taken: Sequence[Box], area: Box, size: float) -> list[str]:
    """Return text elements, each where it covers least: close to its point first, farther with a leader line.

    Labels are placed in the order given. One that finds no free place stays out; its marker's title still names it.
    """
    boxes, parts = list(taken), list[str]()
    for label in labels:
        wider = BOLD if "f" in label.look.split() else 1.0
        width, height = len(label.content) * size * CHARACTER * wider, size * 1.15
        free = next((place for place in _places(label, width, height) if _is_free(place, boxes, area)), None)
        if free is None:
            continue
        boxes.append(free)
        middle = (free[1] + free[3]) / 2
        if max(abs(label.x - free[0]), abs(label.x - free[2])) > width + 14 or abs(label.y - middle) > height * 1.6:
            end = min(max(label.x, free[0]), free[2])
            parts.append(line(label.x, label.y, end, middle, "l"))
        parts.append(text(free[0], free[3] - size * 0.25, label.content, size=size, look=label.look))
    return parts


def _places(label: Label, width: float, height: float) -> list[Box]:
    places: list[Box] = []
    for reach in (9.0, 16.0, 26.0, 38.0, 54.0, 72.0):
        for dx, dy in ((1, 0), (1, -0.8), (1, 0.8), (-1, -0.8), (-1, 0.8), (-1, 0), (0, -1), (0, 1)):
            left = label.x + reach if dx > 0 else label.x - reach - width if dx < 0 else label.x - width / 2
            middle = label.y + dy * (reach + height / 2)
            places.append((left, middle - height / 2, left + width, middle + height / 2))
    return places


def _is_free(place: Box, boxes: Sequence[Box], area: Box) -> bool:
    inside = place[0] >= area[0] and place[1] >= area[1] and place[2] <= area[2] and place[3] <= area[3]
    return inside and not any(_overlap(place, box) > 0 for box in boxes)


def picture(width: float, height: float, title: str, parts: Sequence[str], *, style: str = "") -> str:
    """Return a whole SVG element with its accessible title."""
    sheet = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title, quote=True)}">{sheet}{"".join(parts)}</svg>'
    )


