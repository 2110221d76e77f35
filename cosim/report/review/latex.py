"""Tables for LaTeX with booktabs rules: units in the headers, one prefix a column, bounds beside the value."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.report.figures.numbers import BOUND_DIGITS, SQUARE_MILLIMETRE_M2, digits_text, prefix_of
from energy_models.quantities import DAY_S, HOUR_S, YEAR_S

Row = Mapping[str, Any]
UNITS = {
    "w": "W", "j": "J", "s": "s", "hz": "Hz", "bits": "bit", "bit_s": "bit/s", "j_per_bit": "J/bit", "m2": "m2",
    "nm": "nm", "v": "V",
}  # fmt: skip
PREFIXED = ("W", "J", "s", "Hz", "bit/s", "J/bit", "W/channel", "J/step")
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "µ": r"$\mu$", "×": r"$\times$", "²": r"\textsuperscript{2}", "≥": r"$\geq$", "≤": r"$\leq$",
    "−": "--", "–": "--", "∞": r"$\infty$", "\u00a0": "~", '"': "''", "[": "{[}", "]": "{]}",
}  # fmt: skip
UNKNOWN = "--"
_UNIT = re.compile(r"_(" + "|".join(sorted(UNITS, key=len, reverse=True)) + r")$")
LONGEST_S = ((YEAR_S, "years"), (DAY_S, "days"), (HOUR_S, "h"))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a printed table: its header with the unit, and its texts."""

    header: str
    texts: tuple[str, ...]


def latex_table(rows: Sequence[Row], names: Sequence[str], *, caption: str, label: str) -> str:
    """Return a ``longtable`` with booktabs rules; the document loads the packages ``booktabs`` and ``longtable``.

    Parameters
    ----------
    rows : sequence of mapping
        In SI; a name that ends in a unit (``power_w``), or holds one (``site.front_end.power [W/channel]``), gets that
        with a prefix in its header. Its bounds, ``power_low_w`` and ``power_high_w``, stand behind the value.
    names : sequence of str
        Columns to print.
    caption, label : str
        As plain text.
    """
    found = [_column(rows, name, _shared(rows, names)) for name in names]
    columns = [column for column in found if any(text != UNKNOWN for text in column.texts)]
    head = " & ".join(_escaped(column.header) for column in columns) + r" \\"
    lines = [
        f"\\begin{{longtable}}{{{''.join(_alignment(column) for column in columns)}}}",
        f"\\caption{{{_escaped(caption)}}}\\label{{{label}}}\\\\", r"\toprule", head, r"\midrule", r"\endfirsthead",
        r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot",
    ]
    for place in range(len(rows)):
        lines.append(" & ".join(_escaped(column.texts[place]) for column in columns) + r" \\")
    return "\n".join([*lines, r"\end{longtable}", ""])


def latex_document(title: str, tables: Iterable[str], figures: Iterable[tuple[str, str]], notes: Iterable[str]) -> str:
    """Return a document that shows all tables and figures of a folder.

    Parameters
    ----------
    title : str
    tables : iterable of str
        File names of tables.
    figures : iterable of (str, str)
        File names of figures, and what each shows.
    notes : iterable of str
        What must be read beside them.
    """
    body = [f"\\item {_escaped(note)}" for note in notes]
    said = ["\\begin{itemize}", *body, "\\end{itemize}"] if body else []
    shown = [
        line for name, text in figures
        for line in ("\\begin{figure}[p]\\centering", f"\\includegraphics[width=0.95\\linewidth]{{{name}}}",
                     f"\\caption{{{_escaped(text)}}}", "\\end{figure}")
    ]  # fmt: skip
    return "\n".join([
        r"\documentclass[a4paper,10pt]{article}", r"\usepackage[landscape,margin=15mm]{geometry}",
        r"\usepackage[T1]{fontenc}", r"\usepackage{booktabs,longtable,graphicx}", r"\begin{document}",
        f"\\section*{{{_escaped(title)}}}", *said, r"\scriptsize", r"\setlength{\tabcolsep}{3pt}",
        *(f"\\input{{{name}}}" for name in tables), r"\normalsize", *shown, r"\end{document}", "",
    ])  # fmt: skip


def _shared(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[float]]:
    """Return all values of a table that are in watts, which share one prefix, by that unit."""
    columns = [name for name in names if name.endswith("_w")]
    values = [row.get(name) for name in columns for row in rows]
    return {"W": [float(value) for value in values if isinstance(value, int | float)]}


def scaled_header(
    name: str, values: Iterable[float], shared: Mapping[str, Sequence[float]] | None = None
) -> tuple[str, float]:
    """Return a column's name for reading with its unit, and what its values are divided by.

    The prefix is that of the middle value, one for the whole column, or for all columns of a unit in `shared`.
    """
    words, unit = _parted(name)
    taken = values if shared is None else shared.get(unit, values)
    known = [abs(value) for value in taken if math.isfinite(value) and value]
    if not unit or not known:
        return (f"{words} [{unit}]" if unit else words), 1.0
    middle = statistics.median(known)
    if unit == "m2":
        return f"{words} [mm2]", SQUARE_MILLIMETRE_M2
    if unit == "s":
        for size, text in LONGEST_S:
            if middle >= 2 * size:
                return f"{words} [{text}]", size
    above, per, below = unit.partition("/")
    if unit not in PREFIXED:
        return f"{words} [{unit}]", 1.0
    factor, letter = prefix_of(middle)
    return f"{words} [{letter}{above}{per}{below}]", factor


def _parted(name: str) -> tuple[str, str]:
    """Return a column's name in words, and its unit."""
    path, bracket, unit = name.partition(" [")
    if bracket:
        return path, unit.removesuffix("]")
    found = _UNIT.search(name)
    if found is None:
        return name.replace("_", " "), ""
    return name[: found.start()].replace("_", " "), UNITS[found[1]]


def _column(rows: Sequence[Row], name: str, shared: Mapping[str, Sequence[float]]) -> Column:
    values = [row.get(name) for row in rows]
    if not all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        texts = ("yes" if value is True else "no" if value is False else str(value or "") for value in values)
        return Column(_parted(name)[0], tuple(text or UNKNOWN for text in texts))
    header, factor = scaled_header(name, (float(value) for value in values if value is not None), shared)
    ends = [_bound_name(name, end) for end in ("low", "high")]
    bounded = bool(rows) and all(end in rows[0] for end in ends)
    texts = [_number(None if value is None else float(value) / factor) for value in values]
    if bounded:
        bounds = [[_number(_divided(row.get(end), factor), BOUND_DIGITS) for end in ends] for row in rows]
        texts = [
            text if text == UNKNOWN else f"{text} [{low}, {high}]"
            for text, (low, high) in zip(texts, bounds, strict=True)
        ]
    return Column(header, tuple(texts))


def _divided(value: object, factor: float) -> float | None:
    return float(value) / factor if isinstance(value, int | float) else None


def _bound_name(name: str, end: str) -> str:
    found = _UNIT.search(name)
    return f"{name}_{end}" if found is None else f"{name[: found.start()]}_{end}{found[0]}"


def _number(value: float | None, digits: int = 3) -> str:
    if value is None or math.isnan(value):
        return UNKNOWN
    return digits_text(value, digits)


def _alignment(column: Column) -> str:
    numbers = [text for text in column.texts if text != UNKNOWN]
    return "r" if numbers and all(text[0].isdigit() or text[0] in "−∞" for text in numbers) else "l"


def _escaped(text: str) -> str:
    if text == UNKNOWN:
        return text
    found = "".join(SPECIAL.get(letter, letter) for letter in text)
    return found.encode("ascii", "replace").decode("ascii")
