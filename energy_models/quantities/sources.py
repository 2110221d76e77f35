"""Bibliographic records by key: where every number comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from energy_models.errors import ProfileError, unknown_name


class Source(BaseModel):
    """One record.

    Parameters
    ----------
    title : str
        Title of the paper, data set, data sheet or repository.
    authors : str
    year : int
    venue : str
        Journal, conference, publisher or repository.
    locator : str
        DOI, identifier or address at which it can be found.
    read : {'original', 'transcription', 'run', 'none', 'own'}
        How the numbers were taken: from the source itself, from a named transcription of it, from a tool that was
        run, recalled without reading, or chosen: no publication at all, each number a judgement of its own. Only
        ``assumed`` quantities may cite the last two.
    note : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    authors: str = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    venue: str = Field(min_length=1)
    locator: str = ""
    read: str = Field(pattern="^(original|transcription|run|none|own)$")
    note: str = ""

    @property
    def was_read(self) -> bool:
        """Whether its numbers were taken from something at hand."""
        return self.read not in ("none", "own")

    @property
    def errs_as_one(self) -> bool:
        """Whether its numbers share what is wrong with it; judgements under one key have nothing in common."""
        return self.read != "own"


@cache
def load_sources() -> Mapping[str, Source]:
    """Return every shipped record by key, from all files in ``data/sources``.

    Raises
    ------
    ProfileError
        When two files define the same key.
    """
    found: dict[str, Source] = {}
    folder = files("energy_models.data") / "sources"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        for key, record in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if key in found:
                raise ProfileError(f"source {key!r} is defined twice", where=file.name, remedy="Keep one of them")
            found[key] = Source.model_validate(record)
    return MappingProxyType(found)


def require_source(key: str, known: Mapping[str, Source] | None = None) -> Source:
    """Return the record of a key, from `known` or from the shipped records.

    Raises
    ------
    ProfileError
        When no record has this key.
    """
    records = load_sources() if known is None else known
    if key not in records:
        raise ProfileError(f"unknown source {key!r}", remedy=unknown_name("sources", key, records))
    return records[key]
