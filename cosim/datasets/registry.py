"""Datasets by name: entry points of the group ``cosim.datasets``, imported only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from energy_models.errors import DataError, unknown_name

if TYPE_CHECKING:  # the types import scipy through preprocessing, which a list of names must not pay for
    from cosim.datasets.types import Card, Dataset

GROUP = "cosim.datasets"
Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Description:
    """What a dataset is, before anything of it is read.

    Parameters
    ----------
    name : str
    task : str
        ``classification``, ``regression`` or ``either``.
    card : Card
    options : mapping of str to str
        Each option with its default, as text.
    download : {'here', 'elsewhere'}
        Whether this package can fetch it from its public source.
    """

    name: str
    task: str
    card: Card
    options: Mapping[str, str]
    download: str


def _modules() -> dict[str, str]:
    """Return the module path of every registered dataset; two under one name are an error."""
    found: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        if point.name in found and found[point.name] != point.value:
            raise DataError(f"two datasets are registered as {point.name!r}: {found[point.name]} and {point.value}",
                            where=f"entry points {GROUP}", remedy="Uninstall one of the two packages.")
        found[point.name] = point.value
    return found


def dataset_names() -> tuple[str, ...]:
    """Return the names of all registered datasets, sorted."""
    return tuple(sorted(_modules()))


def _module(name: str) -> ModuleType:
    """Return the module of one dataset, importing it now.

    Raises
    ------
    DataError
        If the name is not registered.
    """
    modules = _modules()
    if name not in modules:
        raise DataError(f"there is no dataset {name!r}", where="datasets",
                        remedy=unknown_name("datasets", name, modules))
    return importlib.import_module(modules[name])


def dataset_options(name: str) -> type[BaseModel]:
    """Return the model that validates a dataset's options.

    Raises
    ------
    DataError
        If the name is not registered.
    """
    return cast(type[BaseModel], _module(name).Options)


def describe(name: str) -> Description:
    """Return what a dataset is and which options it takes, without reading a recording."""
    module = _module(name)
    model = dataset_options(name)
    options = {
        field: "required" if info.is_required() else repr(info.default) for field, info in model.model_fields.items()
    }
    can = "here" if hasattr(module, "download") else "elsewhere"
    return Description(name, str(module.TASK), cast("Card", module.CARD), options, can)


def _options(name: str, given: Mapping[str, Scalar]) -> BaseModel:
    """Return the validated options; every problem is named in one error, unknown names with near ones."""
    model = dataset_options(name)
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems: list[str] = []
        for item in error.errors():
            path = ".".join(map(str, item["loc"]))
            known = unknown_name("options", path, model.model_fields)
            problems.append(f"{path}: unknown option. {known}" if item["type"] == "extra_forbidden"
                            else f"{path}: {item['msg']}")
        raise DataError("; ".join(problems), where=f"options of dataset {name!r}",
                        remedy=f"See `cosim datasets {name}`.") from error


def load(name: str, *, data_dir: Path | None, options: Mapping[str, Scalar]) -> Dataset:
    """Return a dataset by name.

    Parameters
    ----------
    name : str
        A name of `dataset_names`.
    data_dir : Path or None
        Folder that holds the corpora; None: the environment variable ``COSIM_DATA``. Synthetic corpora need none.
    options : mapping
        Options of that corpus; see `describe`.

    Raises
    ------
    DataError
        If the name, an option or the folder is wrong, or a file is missing, damaged or unusable.
    """
    module = _module(name)
    read = cast("Callable[[Any, Path | None], Dataset]", module.load)
    return read(_options(name, options), data_dir)


def download(name: str, data_dir: Path) -> Path:
    """Fetch a public corpus into `data_dir` and return its folder.

    Raises
    ------
    DataError
        If the corpus is not public, or the source cannot be reached.
    """
    module = _module(name)
    if not hasattr(module, "download"):
        homepage = cast("Card", module.CARD).homepage
        raise DataError(f"dataset {name!r} has no public source this package may fetch from", where="download",
                        remedy=f"See {homepage or 'its card'} for how to obtain it.")
    fetch = cast(Callable[[Path], Path], module.download)
    return fetch(data_dir)
