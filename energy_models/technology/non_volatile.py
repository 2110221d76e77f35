"""Costs of flash, FRAM and MRAM for writing profiles: energy of a bit read and written, energy and time of waking."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from energy_models.errors import PriceError, unknown_name
from energy_models.hardware import NonVolatile
from energy_models.quantities import parse_model

TABLE = "non_volatile.toml"


@cache
def non_volatile_memories() -> Mapping[str, NonVolatile]:
    """Return the shipped costs by technology.

    Raises
    ------
    ProfileError
        When the shipped table has problems.
    """
    text = (files("energy_models.data") / TABLE).read_text(encoding="utf-8")
    tables = tomllib.loads(text).items()
    return MappingProxyType({name: parse_model(table, NonVolatile, where=TABLE) for name, table in tables})


def non_volatile_memory(technology: str) -> NonVolatile:
    """Return the costs of a memory of one technology.

    Raises
    ------
    PriceError
        When the table has no such technology; those it has are named.
    """
    known = non_volatile_memories()
    if technology not in known:
        raise PriceError(
            f"no costs of {technology!r} memories", where=TABLE, remedy=unknown_name("technologies", technology, known)
        )
    return known[technology]
