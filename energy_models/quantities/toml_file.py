"""A TOML file to a pydantic model, with all of the file's problems at once."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from energy_models.errors import ProfileError
from energy_models.quantities.sources import Source, load_sources
from energy_models.quantities.text_file import read_toml


class Frozen(BaseModel):
    """Base of everything typed into a file: never changed after reading, and no unknown keys.

    `remedy` ends the message that lists a file's problems.
    """

    remedy: ClassVar[str] = "Mend them all; every number needs unit, bounds, basis and source"
    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=Frozen)


def read_model(path: Path, kind: type[Model]) -> Model:
    """Return the model a TOML file describes.

    A file may bring its own bibliographic records in a table ``[sources.<key>]``; they add to the shipped ones.

    Raises
    ------
    ProfileError
        When the file is missing, is not TOML, or has problems; all problems are listed by dotted path.
    """
    data = read_toml(path, error=ProfileError, remedy="Name a readable TOML file")
    return parse_model(data, kind, where=path.name)


def parse_model(data: Mapping[str, Any], kind: type[Model], *, where: str) -> Model:
    """Return the model that a table read from TOML describes.

    Raises
    ------
    ProfileError
        One error that lists all problems by dotted path.
    """
    try:
        own_sources = data.get("sources", {})
        own = {key: Source.model_validate(record) for key, record in dict(own_sources).items()}
        return kind.model_validate(data, context={"sources": {**load_sources(), **own}})
    except (TypeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise ProfileError("'sources' must be a table of records", where=where, remedy="Mend it") from error
        lines = [_line(problem, kind) for problem in error.errors()]
        found = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}:\n  " + "\n  ".join(lines)
        raise ProfileError(found, where=where, remedy=f"\n{kind.remedy}") from error


def _line(problem: Mapping[str, Any], kind: type[BaseModel]) -> str:
    """Return one problem as ``dotted.path: what``."""
    location = [str(part) for part in problem["loc"]]
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], sorted(_field_names(kind)), n=3)
        message = "unknown field" + (f" (did you mean {' or '.join(near)}?)" if near else "")
    elif problem["type"] == "missing":
        message = "is missing"
    return f"{'.'.join(location) or 'file'}: {message}"


def _field_names(kind: type[BaseModel]) -> set[str]:
    """Return the field names of a model and of every model inside it."""
    schema = kind.model_json_schema()
    tables = [schema, *cast(dict[str, Any], schema.get("$defs", {})).values()]
    return {name for table in tables for name in table.get("properties", {})}


def content_digest(model: BaseModel) -> str:
    """Return the SHA-256 of a model's content, independent of the file's layout."""
    text = json.dumps(model.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
