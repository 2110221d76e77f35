"""Changes of parsed documents: fields dropped, doubled, renamed, retyped; numbers no one means."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

NUMBERS = (
    0, -1, 1, 2, 0.0, -0.0, 0.5, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e-30, 1e12,
    2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**30, 10**400,
)  # fmt: skip
OTHERS = (
    "",
    "x",
    "nan",
    "-1",
    "1e9",
    "a" * 5000,
    "\u0000",
    "../..",
    "\u202e\U0001f9e0",
    True,
    False,
    [],
    {},
    [[]],
    [0],
    {"": 0},
)
DEPTH = 150


def numbers(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in list(items):
        yield (*path, key)
        yield from numbers(value, (*path, key))


def changed(document: Any, dice: Random) -> str:
    """Change one value of a document in place and say what was done."""
    path = dice.choice(list(numbers(document)))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    key, value = path[-1], parent[path[-1]]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    act = dice.choice(("number",) * 5 + ("retype", "drop", "double") if number else
                      ("retype", "drop", "double", "rename", "order", "deep", "nothing", "twice"))  # fmt: skip
    said = ".".join(map(str, path))
    match act:
        case "number":
            parent[key] = dice.choice(NUMBERS)
        case "retype":
            parent[key] = dice.choice((*OTHERS, *NUMBERS))
        case "drop":
            del parent[key]
            return f"{said} dropped"
        case "double" if isinstance(parent, list):
            parent.insert(key, value)
        case "double" | "twice" if isinstance(value, list):
            parent[key] = [*value, *value] * dice.choice((1, 1, 200))
        case "rename" if isinstance(parent, dict):
            parent[f"{key}_"] = parent.pop(key)
        case "order" if isinstance(parent, list):
            dice.shuffle(parent)
        case "deep":
            nested: Any = value
            for _ in range(DEPTH):
                nested = [nested] if dice.random() < 0.5 else {"a": nested}
            parent[key] = nested
        case "nothing":
            parent[key] = type(value)() if not isinstance(value, bool | None) else "x"
        case _:
            parent[key] = dice.choice(OTHERS)
    return f"{said} {act} {str(parent.get(key) if isinstance(parent, dict) else value)[:30]!r}"


def toml(document: dict[str, Any]) -> str:
    """Return a document as TOML, inline below its first level."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in document.items())


def _key(key: object) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
