"""What a dataset's module declares: who recorded it, which options it takes, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from pydantic import BaseModel

from cosim.datasets.card import Card

if TYPE_CHECKING:  # a list of names must not pay for what recordings need
    from cosim.datasets.types import Dataset

LARGEST_GENERATED = 1 << 27
"""Values that a synthetic corpus may have, a gigabyte in double precision."""

OptionsType = TypeVar("OptionsType", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Corpus(Generic[OptionsType]):
    """A dataset as a plug-in: the object an entry point of the group ``cosim.datasets`` names.

    Parameters
    ----------
    card : Card
    task : {'classification', 'regression', 'either'}
        ``either``: the options decide.
    Options : type of BaseModel
        Its options with their defaults: frozen, unknown keys refused.
    load : callable
        ``load(options, data_dir)`` returns the `Dataset`; `data_dir` is the folder that holds the corpora, or None.
    download : callable or None
        ``download(data_dir)`` fetches it from its public source and returns its folder; None: there is no such source.
    """

    card: Card
    task: Literal["classification", "regression", "either"]
    Options: type[OptionsType]
    load: Callable[[OptionsType, Path | None], Dataset]
    download: Callable[[Path], Path] | None = None
