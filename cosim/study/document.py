"""A study file as tables, before it is checked: read by name or path, with settings of the command line applied."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, cast

from energy_models.errors import StudyError, unknown_name
from energy_models.quantities import TOML_BITS, check_document, parse_toml, read_toml

SHOWN = 40  # characters of a value in a message
Document: TypeAlias = dict[str, Any]


def study_names() -> tuple[str, ...]:
    """Return the names of the studies that ship."""
    folder = resources.files("cosim.study") / "shipped"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read_document(name_or_path: str) -> Document:
    """Return the tables of a study file: a shipped one by name, any other by its path.

    Raises
    ------
    StudyError
        If there is no such study, or the file is not TOML.
    """
    if name_or_path in study_names():
        text = (resources.files("cosim.study") / "shipped" / f"{name_or_path}.toml").read_text(encoding="utf-8")
        return parse_toml(text, where=name_or_path, error=StudyError)
    if os.path.lexists(path := Path(name_or_path)) and not path.is_dir():
        return read_toml(path, error=StudyError, remedy="Name a readable TOML file")
    remedy = unknown_name("studies", name_or_path, study_names()) + ". Or name a TOML file by its path."
    if os.path.isdir(name_or_path):
        remedy = f"It is a folder. A run goes on with: cosim resume {shlex.quote(name_or_path)}. {remedy}"
    raise StudyError(f"there is no study '{name_or_path}'", remedy=remedy)


def override(document: Document, settings: Sequence[str]) -> Document:
    """Return the document with ``a.b=value`` settings applied; values are TOML, anything else is text.

    Raises
    ------
    StudyError
        If a setting has no ``=``, leads through something that is no table, or holds a value no file could hold.
    """
    changed = cast(Document, _copy(document))
    for setting in settings:
        path, sign, text = setting.partition("=")
        if not sign or not path.strip():
            raise StudyError(f"'{setting}' is no setting", where="--set", remedy="Write --set section.key=value.")
        if not _is_text(setting):
            raise StudyError(f"{setting!r} is not text in UTF-8", where="--set", remedy="Write it in UTF-8.")
        _put(changed, path.strip().split("."), _toml_value(text.strip()), setting)
    check_document(changed, where="--set", error=StudyError, bits=TOML_BITS)
    return changed


def _is_text(setting: str) -> bool:
    """Return whether an argument of the command line was text, and no bytes that stand for none."""
    try:
        setting.encode()
    except UnicodeEncodeError:
        return False
    return True


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in cast(Document, value).items()}
    return [_copy(item) for item in cast(list[Any], value)] if isinstance(value, list) else value


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except (RecursionError, ValueError) as error:  # ValueError: Python's own limit of digits
        raise StudyError(
            f"the value {text[:SHOWN]!r}... is nested too deeply or has too many digits", where="--set",
            remedy="Shorten it.",
        ) from error


def _put(target: Any, keys: list[str], value: object, setting: str) -> None:
    for key in keys[:-1]:
        target = cast(Document, target).setdefault(key, {}) if isinstance(target, dict) else _item(target, key, setting)
    if isinstance(target, dict):
        target[keys[-1]] = value
    else:
        _item(target, keys[-1], setting)
        target[int(keys[-1])] = value


def _item(target: Any, key: str, setting: str) -> Any:
    if isinstance(target, list) and key.isdecimal() and len(key) < SHOWN and int(key) < len(cast(list[Any], target)):
        return cast(list[Any], target)[int(key)]
    remedy = "Entries of a list are numbered from 0: students.0.label."
    raise StudyError(f"'{key}' leads nowhere in '{setting}'", where="--set", remedy=remedy)
