"""Words for what is wrong in a study file: dotted paths, near names, and no follow-on complaints."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from energy_models.errors import unknown_name

WORDS = {
    "missing": "is missing",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "int_type": "should be a number without a fraction",
    "float_type": "should be a number",
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "model_attributes_type": "should be a table",
}
UNION_TAGS = ("union_tag_invalid", "union_tag_not_found")
SCALARS = ("bool", "int", "float", "str")
ANY_SCALAR = (
    "should be a number, a text, true or false, or where choices are searched a list of these or a range "
    '{ low = 1, high = 9, type = "int" }'
)
RANGE = "OptionRange"


def validation_lines(
    error: ValidationError, known: Iterable[str], below: Sequence[str] = (), homes: Mapping[str, str] | None = None
) -> list[str]:
    """Return one line for every problem of a validation.

    Parameters
    ----------
    error : ValidationError
    known : iterable of str
        Names of settings there are, for those that do not exist.
    below : sequence of str
        Where in the study the validated part is.
    homes : mapping of str to str, optional
        Where a setting stands, for one that is written elsewhere.
    """
    problems = error.errors()
    names = sorted(set(known))
    ranges = _taken_for_ranges(cast(Sequence[Mapping[str, Any]], problems))
    lines: list[str] = []
    for problem in problems:
        location = problem["loc"]
        follows = problem["type"] == "too_short" and any(
            other["loc"][: len(location)] == location and len(other["loc"]) > len(location) for other in problems
        )
        if problem["type"] in UNION_TAGS:  # pydantic names the table, not the setting that chooses among its kinds
            chosen_by = str(cast(Mapping[str, Any], problem)["ctx"]["discriminator"])
            location = (*location, chosen_by.strip("'"))
        kind = str(location[-1]) if location else ""
        if _in_range(location) != ranges.get(_option(location), False):
            continue  # a complaint about the kind of option that it was not meant to be
        each = kind in SCALARS or (kind.endswith("]") and not _in_range(location))
        if "options" in location and each:  # a complaint about each type it might be
            lines.append(f"{_path((*below, *location[:-1]))}: {ANY_SCALAR}")
        elif not follows:  # entries that were refused are not counted; that there are then too few says nothing new
            told = _words(cast(Mapping[str, Any], problem), names, homes or {})
            lines.append(f"{_path((*below, *location))}: {told}")
    return list(dict.fromkeys(lines))


def _taken_for_ranges(problems: Sequence[Mapping[str, Any]]) -> dict[tuple[int | str, ...], bool]:
    """Return for every option that may be a range whether it was written as one: a table with a low or a high."""
    ranges = {_option(problem["loc"]): False for problem in problems if _in_range(problem["loc"])}
    for problem in problems:
        option, value = _option(problem["loc"]), problem["input"]
        if option in ranges and not _in_range(problem["loc"]) and isinstance(value, Mapping):
            ranges[option] = "low" in value or "high" in value
    return ranges


def _option(location: Sequence[int | str]) -> tuple[int | str, ...]:
    """Return where the option stands that a location leads into."""
    return tuple(location[: list(location).index("options") + 2]) if "options" in location else ()


def _in_range(location: Sequence[int | str]) -> bool:
    return any(RANGE in str(part) for part in location)


def _path(location: Sequence[int | str]) -> str:
    parts = [str(part) for part in location if not str(part).endswith("]") and part != RANGE]
    if parts[:1] == ["split"] and len(parts) > 2:
        del parts[1]  # the method, which pydantic puts there and the file does not
    return ".".join(parts) or "study"


def _words(problem: Mapping[str, Any], names: Sequence[str], homes: Mapping[str, str]) -> str:
    if problem["type"] == "extra_forbidden":
        if problem["loc"][-1] in names:
            home = homes.get(str(problem["loc"][-1]))
            return "there is no such setting here" + (f"; did you mean {home!r}?" if home else "")
        near = difflib.get_close_matches(str(problem["loc"][-1]), names, n=2, cutoff=0.6)
        return "there is no such setting" + (f"; did you mean {' or '.join(map(repr, near))}?" if near else "")
    if problem["type"] == "union_tag_not_found":
        return "is missing"
    if problem["type"] == "union_tag_invalid":
        choices = [choice.strip().strip("'") for choice in problem["ctx"]["expected_tags"].split(",")]
        return f"there is no '{problem['ctx']['tag']}'. {unknown_name('choices', problem['ctx']['tag'], choices)}"
    if problem["type"] == "too_short":
        return f"needs at least {problem['ctx']['min_length']}"
    if problem["type"] == "too_long":
        return f"has more than {problem['ctx']['max_length']} entries"
    return WORDS.get(str(problem["type"]), str(problem["msg"]).removeprefix("Value error, "))


def infinite_lines(value: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield one line for every number of a document that is infinite or not a number."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{'.'.join(path)}: {value} is not a finite number"
    elif isinstance(value, Mapping):
        for key, item in cast(Mapping[str, object], value).items():
            yield from infinite_lines(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast(Sequence[object], value)):
            yield from infinite_lines(item, (*path, str(index)))


def repeated_items(values: Sequence[object]) -> str:
    """Return the items that are there more than once, as text; empty where all differ."""
    return ", ".join(str(value) for value in dict.fromkeys(values) if values.count(value) > 1)
