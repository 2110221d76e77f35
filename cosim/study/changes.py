"""What differs between two studies, by dotted path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from cosim.study.document import SHOWN, Document
from cosim.study.schema import Study, structural_problems

NOTHING = "nothing"


def changes(earlier: Document, now: Study) -> tuple[str, ...]:
    """Return a text for every setting that differs, as ``training.student.epochs 1 -> 2``; defaults are filled in.

    Parameters
    ----------
    earlier : mapping
        Tables of a study as a run folder keeps them.
    now : Study
    """
    before = structural_problems(earlier)[0]
    old = dict(_leaves(earlier if before is None else _document(before)))
    new = dict(_leaves(_document(now)))
    paths = [path for path in {**new, **old} if old.get(path) != new.get(path)]
    return tuple(f"{path} {old.get(path, NOTHING)} -> {new.get(path, NOTHING)}" for path in paths)


def _document(study: Study) -> Document:
    return study.model_dump(mode="json", exclude_none=True)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value that is no table, as short text, under its dotted path."""
    items: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in cast("Mapping[Any, Any]", value).items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in cast("list[Any]", value)):
        items = [(str(index), item) for index, item in enumerate(cast("list[Any]", value))]
    if not items and value not in ({}, []):
        text = json.dumps(value, ensure_ascii=False)
        yield path, text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    for key, item in items:
        yield from _leaves(item, f"{path}.{key}".lstrip("."))
