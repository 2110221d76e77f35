"""How the command line speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cosim.cli.table import print_table

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


def print_json_rows(rows: Iterable[Mapping[str, object]]) -> None:
    """Print rows on stdout as `print_json` prints a list of them, one after the other."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    escaped = not encoding.lower().replace("-", "").startswith("utf")
    between = "[\n "
    for row in rows:
        text = json.dumps(row, indent=1, ensure_ascii=escaped, allow_nan=False).replace("\n", "\n ")
        print(between + text, end="")  # noqa: T201
        between = ",\n "
    print("[]" if between.startswith("[") else "\n]")  # noqa: T201


def print_rows(rows: Sequence[Mapping[str, object]], form: Form, *, least: Sequence[str] = ()) -> None:
    """Print rows as one table, or as a JSON list of objects.

    Parameters
    ----------
    rows : sequence of mapping
    form : {'table', 'json'}
    least : sequence of str
        Columns that a narrow terminal does without first, the least important first.
    """
    if form == "json":
        print_json(list(rows))
        return
    if left_out := print_table(rows, least=least):
        say(f"Not shown, the terminal being narrow: {', '.join(left_out)}. Pipe into less -S, or use --json.")
