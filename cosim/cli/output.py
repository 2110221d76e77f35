"""How the command line speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

MOST_RICH_ROWS = 1000
Form = Literal["table", "json"]
PLAINER = str.maketrans({
    "µ": "u", "μ": "u", "–": "-", "—": "-", "−": "-", "‑": "-", "×": "x", "·": "*", "±": "+/-", "≤": "<=", "≥": ">=",
    "→": "->", "…": "...", "²": "2", "³": "3", "°": "deg", "π": "pi", "σ": "sigma", "δ": "delta", "Δ": "D", "“": '"',
    "”": '"', "’": "'", "━": "-", "╸": "-", "╺": "-", "•": "*", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e",
})  # fmt: skip
"""Characters that this package's own texts hold, for a terminal that cannot show them."""
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON text instead of a table.")]


def form_of(as_json: bool) -> Form:  # the one place where the flag of a command line becomes a choice
    """Return the form that ``--json`` asks for."""
    return "json" if as_json else "table"


def speak_in_any_encoding() -> None:
    """Let standard output and error show plainer characters for what their encoding does not have, and never fail.

    One that is closed takes what is printed and shows nothing.
    """
    nothing: Any = sys  # typed as if they were always there
    for name in ("stdout", "stderr"):
        if getattr(nothing, name) is None:
            setattr(nothing, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (as long as the process)
    codecs.register_error("cosim.plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cosim.plainer")


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return characters of ASCII in place of those that cannot be encoded; lone bytes of a file's name by number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAINER)
    shown = text.encode("ascii", "backslashreplace" if any("\ud800" <= c <= "\udfff" for c in text) else "replace")
    return shown.decode("ascii"), error.end


def say(text: str) -> None:
    """Print a line for people on stderr."""
    print(text, file=sys.stderr)  # noqa: T201


def tell(text: str) -> None:
    """Print a line of the answer, for people, on stdout."""
    print(text)  # noqa: T201


def print_json(value: object) -> None:
    """Print one JSON text on stdout."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    escaped = not encoding.lower().replace("-", "").startswith("utf")  # JSON has escapes of its own
    print(json.dumps(value, indent=1, ensure_ascii=escaped, allow_nan=False))  # noqa: T201


def print_rows(rows: Sequence[Mapping[str, object]], form: Form) -> None:
    """Print rows as one table, or as a JSON list of objects."""
    if form == "json":
        print_json(list(rows))
        return
    if len(rows) > MOST_RICH_ROWS:
        _print_plain(rows)
        return
    # Deferred: JSON output needs no table.
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    width = None if sys.stdout.isatty() else 240  # a pipe has no width; do not fold for it
    Console(width=width, highlight=False, soft_wrap=False).print(table)


def _print_plain(rows: Sequence[Mapping[str, object]]) -> None:
    """Print very many rows in columns as wide as their widest cell; rich would measure each cell several times."""
    cells = [tuple(rows[0]), *(tuple(_cell(value) for value in row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(map(str.ljust, row, widths)).rstrip())  # noqa: T201


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in cast(list[Any], value))
    return "–" if value is None else str(value)
