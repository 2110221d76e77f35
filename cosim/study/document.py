"""A study file as tables, before it is checked: read by name or path, with settings of the command line applied."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, cast

from energy_models.errors import StudyError, unknown_name

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
    elif (path := Path(name_or_path)).is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"the file cannot be read as text ({error})", where=name_or_path,
                             remedy="Name a readable TOML file in UTF-8.") from error  # fmt: skip
    else:
        remedy = unknown_name("studies", name_or_path, study_names()) + ". Or name a TOML file by its path."
        raise StudyError(f"there is no study '{name_or_path}'", remedy=remedy)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"this is not TOML ({error})", where=name_or_path, remedy="Mend that line.") from error


def override(document: Document, settings: Sequence[str]) -> Document:
    """Return the document with ``a.b=value`` settings applied; values are TOML, anything else is text.

    Raises
    ------
    StudyError
        If a setting has no ``=`` or leads through something that is no table.
    """
    changed = cast(Document, _copy(document))
    for setting in settings:
        path, sign, text = setting.partition("=")
        if not sign or not path.strip():
            raise StudyError(f"'{setting}' is no setting", where="--set", remedy="Write --set section.key=value.")
        _put(changed, path.strip().split("."), _toml_value(text.strip()), setting)
    return changed


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in cast(Document, value).items()}
    return [_copy(item) for item in cast(list[Any], value)] if isinstance(value, list) else value


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(target: Any, keys: list[str], value: object, setting: str) -> None:
    for key in keys[:-1]:
        target = cast(Document, target).setdefault(key, {}) if isinstance(target, dict) else _item(target, key, setting)
    if isinstance(target, dict):
        target[keys[-1]] = value
    else:
        _item(target, keys[-1], setting)
        target[int(keys[-1])] = value


def _item(target: Any, key: str, setting: str) -> Any:
    if isinstance(target, list) and key.isdigit() and int(key) < len(cast(list[Any], target)):
        return cast(list[Any], target)[int(key)]
    remedy = "Entries of a list are numbered from 0: students.0.label."
    raise StudyError(f"'{key}' leads nowhere in '{setting}'", where="--set", remedy=remedy)
