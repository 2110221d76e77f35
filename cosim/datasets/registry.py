"""Datasets by name: entry points of the group ``cosim.datasets``, or a corpus of one's own as ``module:object``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ValidationError

from cosim.datasets.card import Card
from cosim.datasets.corpus import MAKERS, Corpus, corpus_of, makes_datasets
from energy_models.errors import DataError, unknown_name
from energy_models.registry import Registry

if TYPE_CHECKING:  # a list of names must not pay for what recordings need
    from cosim.datasets.types import Dataset

GROUP = "cosim.datasets"


@dataclass(frozen=True, slots=True)
class Description:
    """What a dataset is, before anything of it is read.

    Parameters
    ----------
    name : str
    task : {'classification', 'regression', 'either'}
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
    download: Literal["here", "elsewhere"]


def _checked(name: str, found: object) -> Corpus[Any]:
    """Return the object if it is a corpus, or the corpus of a function that returns a dataset."""
    if makes_datasets(found):
        return corpus_of(name, found)
    if not isinstance(found, Corpus):
        raise DataError(f"the object is a {type(found).__name__}, not a Corpus", where=f"dataset {name!r}",
                        remedy="Name a cosim.datasets.corpus.Corpus as module:object, or a function that returns a "
                        f"Dataset: {MAKERS}.")
    return cast(Corpus[Any], found)


DATASETS: Registry[Corpus[Any]] = Registry(
    group=GROUP, kind="dataset", kinds="datasets", error=DataError, check=_checked
)


def dataset_names() -> tuple[str, ...]:
    """Return the names of all registered datasets, sorted; nothing is imported."""
    return DATASETS.names()


def load_corpus(name: str) -> Corpus[Any]:
    """Return the corpus of a registered name, or the one at ``module:object``, importing it now.

    Raises
    ------
    DataError
        If the name does not exist or stands for something else.
    """
    return DATASETS.load(name)


def describe(name: str) -> Description:
    """Return what a dataset is and which options it takes, without reading a recording."""
    corpus = load_corpus(name)
    options = {
        field: "required" if info.is_required() else repr(info.default)
        for field, info in corpus.Options.model_fields.items()
    }
    return Description(name, corpus.task, corpus.card, options, "here" if corpus.download else "elsewhere")


def _options(name: str, model: type[BaseModel], given: Mapping[str, Any]) -> BaseModel:
    """Return the validated options; every problem is named in one error, unknown names with near ones."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems: list[str] = []
        for item in error.errors():
            path = ".".join(map(str, item["loc"]))
            known = unknown_name("options", path, model.model_fields)
            said = f"unknown option. {known}" if item["type"] == "extra_forbidden" else item["msg"]
            problems.append(f"{path}: {said}" if path else said)
        raise DataError("; ".join(problems), where=f"options of dataset {name!r}",
                        remedy=f"See `cosim datasets {name}`.") from error


def load(name: str, *, data_dir: Path | None, options: Mapping[str, Any]) -> Dataset:
    """Return a dataset by name.

    Parameters
    ----------
    name : str
        A name of `dataset_names`, or ``module:object``.
    data_dir : Path or None
        Folder that holds the corpora; None: the environment variable ``COSIM_DATA``. Synthetic corpora need none.
    options : mapping
        Options of that corpus; see `describe`.

    Raises
    ------
    DataError
        If the name, an option or the folder is wrong, or a file is missing, damaged or unusable.
    """
    corpus = load_corpus(name)
    return corpus.load(_options(name, corpus.Options, options), data_dir)


def download(name: str, data_dir: Path) -> Path:
    """Fetch a public corpus into `data_dir` and return its folder.

    Raises
    ------
    DataError
        If the corpus is not public, or the source cannot be reached.
    """
    corpus = load_corpus(name)
    if corpus.download is None:
        raise DataError(f"dataset {name!r} has no public source this package may fetch from", where="download",
                        remedy=f"See {corpus.card.homepage or 'its card'} for how to obtain it.")
    return corpus.download(data_dir)
