"""Changes of nothing that matters: order of keys, ends of lines, other numbers of the same size, words of a tool."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness import values

SMALLEST, LARGEST = 0.5, 2.0
"""By which numbers are multiplied."""


def factor(dice: Random) -> float:
    """Return what numbers are multiplied by."""
    return dice.uniform(SMALLEST, LARGEST)


def _reordered(document: Any, dice: Random) -> Any:
    if isinstance(document, dict):
        return {key: _reordered(document[key], dice) for key in dice.sample(list(document), len(document))}
    return [_reordered(one, dice) for one in document] if isinstance(document, list) else document


def json_order(path: Path, dice: Random) -> str:
    """Write a JSON file, or all of a folder, with keys in another order and other spaces."""
    for one in [path] if path.is_file() else sorted(path.glob("*.json")):
        document = _reordered(json.loads(one.read_text(encoding="utf-8")), dice)
        one.write_text(json.dumps(document, indent=dice.choice((None, 1, 4))), encoding="utf-8")
    return "keys in another order"


def toml_order(path: Path, dice: Random) -> str:
    """Write a TOML file with keys in another order and a comment."""
    document = _reordered(tomllib.loads(path.read_text(encoding="utf-8")), dice)
    path.write_text(f"# a comment\n{values.toml(document)}", encoding="utf-8")
    return "keys in another order"


def line_ends(path: Path, dice: Random) -> str:
    """Write a text with the ends of lines, and maybe the mark of its encoding, that spreadsheets write."""
    text = path.read_text(encoding="utf-8").replace("\n", "\r\n")
    path.write_bytes(text.encode(dice.choice(("utf-8", "utf-8-sig"))))
    return "other ends of lines"


def vacuumed(path: Path, dice: Random) -> str:
    """Write the pages of a SQLite file anew."""
    base = sqlite3.connect(path)
    base.execute("vacuum")
    base.close()
    return "pages written anew"
