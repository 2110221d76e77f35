"""Reading files that a person may have made: what cannot be used is told in one sentence, never by a traceback.

Text is UTF-8; a byte order mark, which some editors put first, is accepted and left out.
"""

from __future__ import annotations

import codecs
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

from energy_models.errors import CosimError

TEXT_BYTES = 1 << 26
"""Largest text file that is read [byte]."""
TOML_BYTES = 1 << 20
"""Largest TOML file that is read [byte]; the longest that ships has 30 kB."""
DEPTH = 64
"""Most tables and lists within each other."""
TOML_BITS = 64
"""Of an integer, sign included, as the format has it (https://toml.io/en/v1.0.0#integer) [bit]."""
JSON_BITS = 256
"""Of an integer: a sum of squared counts is wider than a count [bit]."""
_WIDE = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
         codecs.BOM_UTF16_BE: "UTF-16"}  # fmt: skip
_SAVE = "Save it as UTF-8"


def read_text(path: Path, *, error: type[CosimError], remedy: str, limit: int = TEXT_BYTES) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Parameters
    ----------
    path : Path
    error : type of CosimError
        What is raised.
    remedy : str
        What to do where there is no such file, or it cannot be read.
    limit : int
        Largest file [byte].

    Raises
    ------
    CosimError
        Of the given type: no such file, too large, another encoding, or no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as problem:  # ValueError: a path with a NUL
        said = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
        raise error(f"cannot be read ({said})", where=str(path), remedy=remedy) from problem
    if len(data) > limit:
        raise error(f"is larger than {limit / (1 << 20):g} MiB", where=str(path), remedy=remedy)
    for mark, name in _WIDE.items():
        if data.startswith(mark):
            raise error(f"is text in {name}", where=str(path), remedy=_SAVE)
    if b"\0" in data:
        raise error("holds NUL bytes: it is no text, or not in UTF-8", where=str(path), remedy=_SAVE)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        found = f"byte 0x{data[problem.start]:02x} in line {line}"
        raise error(f"is not text in UTF-8 ({found})", where=str(path), remedy=_SAVE) from problem


def read_toml(path: Path, *, error: type[CosimError], remedy: str) -> dict[str, Any]:
    """Return the tables of a TOML file; see `read_text`.

    Raises
    ------
    CosimError
        Of the given type: as `read_text` and `parse_toml`.
    """
    return parse_toml(read_text(path, error=error, remedy=remedy, limit=TOML_BYTES), where=str(path), error=error)


def parse_toml(text: str, *, where: str, error: type[CosimError]) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises
    ------
    CosimError
        Of the given type: no TOML, nested deeper than `DEPTH`, or an integer of more than `TOML_BITS`.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise error(f"is not TOML ({problem})", where=where, remedy="Mend the syntax at that line") from problem
    except RecursionError as problem:
        raise _too_deep(where, error) from problem
    except ValueError as problem:  # of Python's own limit of digits
        raise error(f"holds an integer of more than {TOML_BITS} bit", where=where, remedy="Shorten it") from problem
    check_document(found, where=where, error=error, bits=TOML_BITS)
    return found


def parse_json(
    text: str, *, where: str, error: type[CosimError], remedy: str, nan: Literal["refused", "read"] = "refused"
) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text, where : str
    error : type of CosimError
        What is raised.
    remedy : str
        What to do where it is no JSON.
    nan : {'refused', 'read'}
        Whether nan and infinities, which JSON does not have and Python writes, are read.

    Raises
    ------
    CosimError
        Of the given type: no JSON, nested deeper than `DEPTH`, or an integer of more than `JSON_BITS`.
    """
    try:
        found: Any = json.loads(text, parse_constant=_refuse_constant if nan == "refused" else None)
    except RecursionError as problem:
        raise _too_deep(where, error) from problem
    except json.JSONDecodeError as problem:
        raise error(f"not JSON ({problem})", where=where, remedy=remedy) from problem
    except ValueError as problem:  # a constant, or Python's own limit of digits
        raise error(f"not JSON ({str(problem).partition(';')[0]})", where=where, remedy=remedy) from problem
    check_document(found, where=where, error=error, bits=JSON_BITS)
    return found


def check_document(document: object, *, where: str, error: type[CosimError], bits: int) -> None:
    """Raise the error where tables and lists are nested deeper than `DEPTH`, or an integer has more than `bits`."""
    level = [document]
    for depth in range(DEPTH + 1):
        if depth == DEPTH and any(isinstance(value, Mapping | list) for value in level):
            raise _too_deep(where, error)
        inner: list[object] = []
        for value in level:
            if isinstance(value, int) and value.bit_length() >= bits:
                raise error(f"holds an integer of more than {bits} bit", where=where, remedy="Shorten it")
            if isinstance(value, Mapping):
                inner += cast(Mapping[str, object], value).values()
            elif isinstance(value, list):
                inner += cast(list[object], value)
        level = inner


def _too_deep(where: str, error: type[CosimError]) -> CosimError:
    said = f"has more than {DEPTH} tables or lists within each other"
    return error(said, where=where, remedy="Flatten it")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
