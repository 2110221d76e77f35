"""Recordings under the name and the options that read them again."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from energy_models.errors import DataError
from energy_models.quantities import html_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class LoadedDataset:
    """A dataset that was read, and how.

    Parameters
    ----------
    name : str
        Of its corpus.
    options : mapping
        The corpus's options as given.
    data_dir : Path or None
    dataset : Dataset
        Windows, targets, groups, pipeline.
    """

    name: str
    options: Mapping[str, Any]
    data_dir: Path | None
    dataset: Dataset

    def to_frame(self) -> pd.DataFrame:
        """Return one row an example: its groups, and its class by name where there are classes."""
        import pandas as pd

        found: dict[str, object] = dict(self.dataset.groups)
        if self.dataset.task == "classification":
            found["target"] = [self.dataset.output_names[int(value)] for value in self.dataset.target_values]
        return pd.DataFrame(found)

    def summary(self) -> str:
        """Return what it is, who may use it and what was done to it, as text."""
        return "\n".join(f"{row['what']}: {row['value']}" for row in self._rows())

    def _rows(self) -> list[dict[str, object]]:
        data, card = self.dataset, self.dataset.card
        groups = ", ".join(f"{len(set(labels.tolist()))} {name}s" for name, labels in data.groups.items())
        steps = "; ".join(step.name for step in data.pipeline) or "none"
        return [
            {"what": "dataset", "value": f"{card.title} ({self.name})"},
            {"what": "task", "value": f"{data.task}: {', '.join(data.output_names)}"},
            {"what": "examples", "value": f"{len(data.windows)}, {_shape(data)}"},
            {"what": "groups", "value": groups},
            {"what": "preprocessing", "value": steps},
            {"what": "licence", "value": card.licence},
            {"what": "caveats", "value": "; ".join((*card.caveats, *data.notes)) or "none"},
        ]

    def __repr__(self) -> str:
        data = self.dataset
        return f"<Dataset: {self.name}: {len(data.windows)} examples, {_shape(data)}, {data.task}>"

    def _repr_html_(self) -> str:
        return html_table(self.dataset.card.title, self._rows())


def _shape(data: Dataset) -> str:
    windows = data.windows
    return f"{len(windows.channels)} channels x {windows.steps} steps at {data.step_rate_hz:g} Hz"


def load_dataset(name: str, data_dir: str | Path | None = None, **options: Any) -> LoadedDataset:
    """Return recordings, cut into examples with their targets.

    Parameters
    ----------
    name : str
        A name of `cosim.corpora`, or ``module:object``.
    data_dir : str or Path, optional
        Folder that holds the corpora; default: the environment variable ``COSIM_DATA``. Generated ones need none.
    **options
        Of that corpus; `cosim.corpora` lists their names.

    Raises
    ------
    DataError
        If the name, an option or the folder is wrong, or a file is missing, damaged or unusable.
    """
    if not isinstance(cast("object", name), str):
        raise DataError(f"{name!r:.60} is no name", where="cosim.load_dataset", remedy="Give a name of cosim.corpora")
    folder = None if data_dir is None else Path(data_dir)
    return LoadedDataset(name, options, folder, load(name, data_dir=folder, options=options))


def dataset_of(data: object, *, where: str) -> LoadedDataset:
    """Return loaded recordings: as they are, or by the name of a corpus.

    Raises
    ------
    DataError
        Something else.
    """
    if isinstance(data, LoadedDataset):
        return data
    if isinstance(data, str):
        return load_dataset(data)
    raise DataError(
        f"{data!r:.60} of type {type(data).__name__} is no dataset", where=where,
        remedy='Load it: cosim.load_dataset("ssvep_exoskeleton", data_dir="..."); for arrays of your own '
        'cosim.load_dataset("arrays", path=...)',
    )
