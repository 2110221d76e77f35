"""What every classical baseline must do, in each task it declares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cosim.baselines.registry import load_baseline, run_baseline
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, LeaveOneGroupOut
from cosim.testing.blinding import with_other_test_labels
from cosim.testing.contract import require, require_refused

Scalar = bool | int | float | str
SEED = 0


def check_baseline(name: str, options: Mapping[str, Scalar] | None = None, dataset: Dataset | None = None) -> None:
    """Check a baseline on generated recordings: outputs, exact work, and that test labels decide nothing.

    Parameters
    ----------
    name : str
        A registered baseline, or ``module:object``.
    options : mapping or None
        Options it is run with; None: its defaults.
    dataset : Dataset or None
        What it is run on; None: a small generated corpus of each task it declares.

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        As the baseline itself raises.
    """
    baseline = load_baseline(name)
    where = f"baseline {name!r}"
    require(bool(baseline.tasks), "it declares no task", where=where, remedy="Declare at least one task")
    datasets = [dataset] if dataset is not None else [_generated(task) for task in baseline.tasks]
    for one in datasets:
        _check_run(name, dict(options or {}), one, f"{where}, {one.task}")
        require_refused(lambda one=one: run_baseline(name, one, _fold(one), {"no_such_option": 1}),
                        "an option that does not exist", where=where)  # fmt: skip


def _generated(task: str) -> Dataset:
    if task == "classification":
        return load("synthetic_eeg", data_dir=None, options={"channels": 8, "sessions": 3, "runs": 2, "trials": 24})
    return load("synthetic_spikes", data_dir=None, options={"units": 8, "steps": 1200})


def _fold(dataset: Dataset) -> Fold:
    if dataset.task == "classification":
        return LeaveOneGroupOut(group="session").folds(dataset, seed=SEED)[0]
    return BlockedInTime().folds(dataset, seed=SEED)[0]


def _check_run(name: str, options: dict[str, Scalar], dataset: Dataset, where: str) -> None:
    fold = _fold(dataset)
    found = run_baseline(name, dataset, fold, options)
    examples, outputs = len(fold.test), len(dataset.output_names)
    wanted: tuple[int, ...] = (examples, outputs)
    if dataset.task == "regression":
        wanted = dataset.targets[fold.test].shape
    require(found.outputs_test.shape == wanted, f"outputs of shape {found.outputs_test.shape}, expected {wanted}",
            where=where, remedy="Return one row per test example, in the fold's order")  # fmt: skip
    held = (len(fold.validation), *wanted[1:])
    require(found.outputs_validation.shape == held,
            f"validation outputs of shape {found.outputs_validation.shape}, expected {held}", where=where,
            remedy="Return what the decoder fitted on the training part says about the validation part")  # fmt: skip
    finite = np.isfinite(found.outputs_test).all() and np.isfinite(found.outputs_validation).all()
    require(bool(finite), "an output is not finite", where=where,
            remedy="Regularise what it inverts")  # fmt: skip
    again = run_baseline(name, dataset, fold, options)
    require(bool(np.array_equal(again.outputs_test, found.outputs_test)), "two runs differ", where=where,
            remedy="Draw from a seed that is an option")  # fmt: skip
    blind = run_baseline(name, with_other_test_labels(dataset, fold), fold, options)
    unchanged = (np.array_equal(blind.outputs_test, found.outputs_test)
                 and np.array_equal(blind.outputs_validation, found.outputs_validation)
                 and blind.chosen == found.chosen)  # fmt: skip
    require(unchanged, "the labels of the test part change its outputs or what it chose", where=where,
             remedy="Fit on the training and validation examples only")  # fmt: skip
    work = found.workload(dataset)
    require(work.complete, "its work is not counted whole", where=where, remedy="Give a row for every operation")
    require(work.decodes == found.decodes >= 1, "its work is counted over no decode", where=where,
            remedy="Count over the test examples")  # fmt: skip
