"""What every dataset must do: say what it is, load alike twice, give windows and targets that go together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cosim.datasets.registry import describe, load
from cosim.datasets.types import Dataset
from cosim.testing.contract import require, require_refused

Scalar = bool | int | float | str
LOOKED_AT = 32


def check_dataset(name: str, data_dir: Path | None = None, options: Mapping[str, Scalar] | None = None) -> Dataset:
    """Check a dataset and return it.

    Parameters
    ----------
    name : str
        A registered dataset, or ``module:object``.
    data_dir : Path or None
        Folder that holds its recordings; None: the environment variable ``COSIM_DATA``.
    options : mapping or None
        Options it is loaded with; None: its defaults.

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        As the dataset itself raises.
    """
    where = f"dataset {name!r}"
    corpus = describe(name)
    card = corpus.card
    said = bool(card.title and card.licence and card.citation)
    require(said, "its card lacks title, licence or citation", where=where, remedy="Fill in the card")
    chosen = dict(options or {})
    dataset = load(name, data_dir=data_dir, options=chosen)
    require(corpus.task in (dataset.task, "either"),
            f"it is listed for {corpus.task}, and its examples are for {dataset.task}", where=where,
            remedy="Say the task that it is for")  # fmt: skip
    require(len(dataset.windows) > 0, "it has no example", where=where, remedy="Check its options")
    require_refused(lambda: load(name, data_dir=data_dir, options={**chosen, "no_such_option": 1}),
                    "an option that does not exist", where=where)  # fmt: skip
    _check_targets(dataset, where)
    _check_inputs(dataset, where)
    again = load(name, data_dir=data_dir, options=chosen)
    alike = again.digest == dataset.digest
    require(alike, "two loads differ", where=where, remedy="Draw from a seed that is an option")
    return dataset


def _check_targets(dataset: Dataset, where: str) -> None:
    outputs, values = len(dataset.output_names), dataset.target_values
    require(len(set(dataset.output_names)) == outputs, "two of output_names are the same", where=where,
            remedy="Give each class, or axis, a name of its own")  # fmt: skip
    if dataset.task == "classification":
        inside = values.ndim == 1 and values.dtype == np.int64 and bool(((values >= 0) & (values < outputs)).all())
        require(inside, "targets are not int64 numbers of output_names", where=where,
                remedy="Number the classes in the order of output_names")  # fmt: skip
        return
    wanted = (len(dataset.windows), dataset.windows.steps, outputs)
    require(values.shape == wanted, f"targets of shape {values.shape}, expected {wanted}", where=where,
            remedy="Give one target a step and output")  # fmt: skip
    there = values if dataset.target_mask is None else values[dataset.target_mask]
    require(bool(np.isfinite(there).all()), "targets that exist are not all finite", where=where,
            remedy="Repair them, or say in target_mask which steps have none")  # fmt: skip


def _check_inputs(dataset: Dataset, where: str) -> None:
    windows = dataset.windows
    chosen = np.unique(np.linspace(0, len(windows) - 1, LOOKED_AT).round().astype(np.int64))
    found = windows.masked_inputs(chosen)
    wanted = (len(chosen), len(windows.channels), windows.steps)
    require(found.values.shape == wanted, f"inputs of shape {found.values.shape}, expected {wanted}", where=where,
            remedy="Check channels and steps of its recordings")  # fmt: skip
    finite = bool(np.isfinite(found.values[np.broadcast_to(found.mask, found.values.shape)]).all())
    require(finite, "inputs that exist are not all finite", where=where, remedy="Repair or mask them")
    alone = windows.masked_inputs(chosen[-1:]).values[0]
    same = bool(np.array_equal(alone, found.values[-1], equal_nan=True))
    require(same, "a window read alone differs from the same one read with others", where=where,
            remedy="Let a recording's reader depend on start and stop only")  # fmt: skip
