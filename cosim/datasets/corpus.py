"""What a dataset's module declares, or a function of one's own is taken for: source, options, and how it is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeGuard, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

from cosim.datasets.card import Card
from energy_models.errors import CosimError, DataError, raised_where
from students.spec.signature import type_hints

if TYPE_CHECKING:  # a list of names must not pay for what recordings need
    from cosim.datasets.types import Dataset

LARGEST_GENERATED = 1 << 27
"""Values that a synthetic corpus may have, a gigabyte in double precision."""

OptionsType = TypeVar("OptionsType", bound=BaseModel)

Make = Callable[..., object]
MAKERS = (
    "cosim.datasets.assemble.epoched makes one of recordings with cues, cosim.datasets.assemble.segmented one of "
    "binned recordings; arrays in a file need no function, see `cosim datasets arrays`"
)


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


def makes_datasets(found: object) -> TypeGuard[Make]:
    """Return whether an object is a function, which may return a dataset."""
    return inspect.isroutine(found) or isinstance(found, partial)


def corpus_of(name: str, make: Make) -> Corpus[Any]:
    """Return the corpus of a function.

    Parameters
    ----------
    name : str
        As ``module:function``.
    make : function
        Called with the options that a study gives as its keyword arguments.

    Raises
    ------
    DataError
        A signature that cannot be called by keywords, or an option of a reserved name.
    """
    card = Card(name, "that of the recording", "whoever recorded the data", "", ("A dataset of one's own.",))
    return Corpus(card, "either", _options(name, make), partial(_called, name, make))


def _options(name: str, make: Make) -> type[BaseModel]:
    """Return the options that a signature states: of the type it says, with its defaults."""
    try:
        found = list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError) as error:
        raise DataError(f"its signature cannot be read ({error})", where=f"dataset {name!r}",
                        remedy="Name a function with keyword arguments.") from error
    hints = type_hints(make)
    fields: dict[str, Any] = {}
    for one in found:
        if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
            continue
        if one.kind is one.POSITIONAL_ONLY or one.name.startswith("_") or hasattr(BaseModel, one.name):
            raise DataError(f"its argument {one.name!r} cannot be an option", where=f"dataset {name!r}",
                            remedy="Let it be given by keyword, and call it otherwise.")
        default = Field(...) if one.default is one.empty else Field(one.default)
        fields[one.name] = (_type(hints.get(one.name, Any)), default)
    extra = "allow" if any(one.kind is one.VAR_KEYWORD for one in found) else "forbid"
    return create_model("Options", __config__=ConfigDict(frozen=True, extra=extra), **fields)


def _type(hint: Any) -> Any:
    """Return a hint that values of a study file can be checked against; anything where they cannot."""
    try:
        TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
        return Any
    return hint


def _called(name: str, make: Make, options: BaseModel, data_dir: Path | None) -> Dataset:
    """Return what the function returns, a dataset; what the study does not say is left to its defaults."""
    from cosim.datasets.types import Dataset

    given = {key: getattr(options, key) for key in sorted(options.model_fields_set)}
    call = f"{name.partition(':')[2]}({', '.join(f'{key}={value!r}' for key, value in given.items())})"
    try:
        found = make(**given)
    except CosimError:
        raise
    except Exception as error:  # the function is a user's and may raise anything
        raise DataError(f"{call} raised {raised_where(error, _folder(make))}", where=f"dataset {name!r}",
                        remedy="It is called with the options of [dataset], and returns a cosim.datasets.types.Dataset."
                        ) from error  # fmt: skip
    if not isinstance(found, Dataset):
        raise DataError(f"{call} returned a {type(found).__name__}, not a Dataset", where=f"dataset {name!r}",
                        remedy=f"Return a cosim.datasets.types.Dataset: {MAKERS}.")
    return found


def _folder(make: Make) -> Path | None:
    """Return the folder of the file that a function is from."""
    called = make.func if isinstance(make, partial) else make
    code = getattr(called, "__code__", None)
    return None if code is None else Path(code.co_filename).parent
