"""The network of a description for another number of channels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from energy_models.errors import StudentError
from students.architectures.build import outline
from students.architectures.schema import Architecture

WIDENED: Mapping[str, str] = {"reshape": "shape", "conv1d": "kernel", "conv2d": "kernel"}
"""Kinds of layers that may state the number of channels, and the field in which they do."""


def with_channels(architecture: Architecture, channels: int) -> Architecture:
    """Return the description for another number of channels, without the figures published for its own.

    Layers that take any number stay as they are. Where they do not fit, sizes of reshapes and kernels that equal the
    described number of channels are taken to mean it. The answer must keep the shape that is described.

    Parameters
    ----------
    architecture : Architecture
    channels : int

    Raises
    ------
    StudentError
        Its layers state sizes that follow from their own number of channels in another way.
    """
    own = architecture.input.channels
    if channels == own:
        return architecture
    plain = architecture.model_dump()
    plain |= {"input": {**plain["input"], "channels": channels}, "published": {}}
    wider = {**plain, "layers": _widened(plain["layers"], own, channels)}
    reason = ""
    for table in (plain, wider) if own > 1 else (plain,):
        try:
            found = Architecture.model_validate(table)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outline(found)
        except (StudentError, ValidationError) as error:
            reason = error.what if isinstance(error, StudentError) else str(error.errors()[0]["msg"])
        else:
            return found
    raise StudentError(
        f"its layers do not take {channels} channels, where they are described for {own} ({reason})",
        where=architecture.name, remedy="Write its TOML file for that number, and name the file",
    )


def _widened(value: Any, own: int, channels: int) -> Any:
    """Return blocks with the sizes that state the number of channels exchanged."""
    if isinstance(value, Mapping):
        table = cast(Mapping[str, Any], value)
        sized = WIDENED.get(str(table.get("kind")))
        return {
            name: _exchanged(inner, own, channels) if name == sized else _widened(inner, own, channels)
            for name, inner in table.items()
        }
    if isinstance(value, list | tuple):
        return [_widened(inner, own, channels) for inner in cast(Sequence[Any], value)]
    return value


def _exchanged(sizes: Any, own: int, channels: int) -> Any:
    if isinstance(sizes, list | tuple):
        return [channels if size == own else size for size in cast(Sequence[int], sizes)]
    return sizes
