"""Scores of one decoder on held-out examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError

Task = Literal["classification", "regression"]
PRIMARY: dict[Task, str] = {"classification": "balanced_accuracy", "regression": "r2"}


def primary_metric(task: Task) -> str:
    """Return the metric every decoder of a task is ranked by: balanced accuracy, or mean R squared."""
    return PRIMARY[task]


def chance_level(task: Task, outputs: int) -> float:
    """Return what the primary metric is without any information: 1 / classes, or 0 for R squared.

    A finite test set scatters around it: see `cosim.evaluation.chance.permutation_p_value`.
    """
    return 1 / outputs if task == "classification" else 0.0


def score(
    task: Task, targets: NDArray[Any], outputs: NDArray[Any], *, output_names: Sequence[str] = ()
) -> dict[str, float]:
    """Return all metrics of one set of held-out examples, the primary one among them.

    Parameters
    ----------
    task : {'classification', 'regression'}
    targets : ndarray
        Classes, shape (examples,), or kinematics, shape (examples, steps, outputs); steps with a target that is nan
        are left out.
    outputs : ndarray
        Logits, shape (examples, classes), or estimates, shape (examples, steps, outputs).
    output_names : sequence of str
        Names of the kinematic axes, for the keys ``r2_<name>``; numbers where absent.

    Returns
    -------
    dict of str to float
        ``balanced_accuracy`` is left out where a class is absent from the targets: over the classes present, a decoder
        that always answers one of them would stand above chance. ``correlation_<name>`` is left out where the estimate
        is constant.

    Raises
    ------
    DataError
        If shapes disagree, an output is not finite, or a target does not vary (R squared is then undefined).
    """
    expected = (len(targets),) if task == "classification" else targets.shape
    given = outputs.shape[:1] if task == "classification" else outputs.shape
    if given != expected or len(targets) == 0 or outputs.ndim != (2 if task == "classification" else 3):
        raise DataError(f"outputs of shape {outputs.shape} do not go with targets of shape {targets.shape}",
                        where="score", remedy="Give one row per held-out example, in their order.")  # fmt: skip
    if not np.isfinite(outputs).all():
        raise DataError("the decoder's outputs are not all finite", where="score",
                        remedy="It diverged: lower the learning rate, or look at its inputs.")  # fmt: skip
    if task == "classification":
        return _classification(targets, outputs)
    return _regression(targets.astype(np.float64), outputs.astype(np.float64), output_names)


def primary_score(task: Task, targets: NDArray[Any], outputs: NDArray[Any]) -> float:
    """Return the primary metric of one set of held-out examples; see `score`.

    Raises
    ------
    DataError
        As `score`, and where a class is absent from the targets.
    """
    found = score(task, targets, outputs).get(primary_metric(task))
    if found is None:
        absent = ", ".join(str(label) for label in range(outputs.shape[1]) if label not in targets)
        raise DataError(f"there is no example of class {absent}, so balanced accuracy is undefined", where="score",
                        remedy="Pool the predictions of all folds, or use another split.")  # fmt: skip
    return found


def _classification(targets: NDArray[Any], logits: NDArray[Any]) -> dict[str, float]:
    """Return accuracy and, where every class is among the targets, its mean over classes."""
    metrics = sklearn_metrics()
    answers = logits.argmax(axis=1)
    accuracy = {"accuracy": float(metrics.accuracy_score(targets, answers))}
    if len(np.unique(targets)) < logits.shape[1]:
        return accuracy
    return {"balanced_accuracy": float(metrics.balanced_accuracy_score(targets, answers)), **accuracy}


def _regression(
    targets: NDArray[np.float64], outputs: NDArray[np.float64], output_names: Sequence[str]
) -> dict[str, float]:
    """Return R squared about the held-out mean and Pearson's correlation, per axis and as means over axes.

    All steps of all examples are pooled. The correlation of an axis is left out where the estimate is constant.
    """
    metrics = sklearn_metrics()
    wanted, given = known_steps(targets, outputs)
    names = [str(name) for name in output_names] or [str(axis) for axis in range(wanted.shape[1])]
    values: dict[str, float] = {}
    for axis, name in enumerate(names):
        if len(wanted) < 2 or float(np.ptp(wanted[:, axis])) == 0:
            raise DataError(f"the held-out target {name!r} does not vary, so R squared is undefined", where="score",
                            remedy="Choose folds whose test part holds movement.")  # fmt: skip
        values[f"r2_{name}"] = float(metrics.r2_score(wanted[:, axis], given[:, axis]))
        if given[:, axis].std() > 0:
            values[f"correlation_{name}"] = float(np.corrcoef(wanted[:, axis], given[:, axis])[0, 1])
    return {"r2": float(np.mean([values[f"r2_{name}"] for name in names])), **values}


def sklearn_metrics() -> Any:
    """Return scikit-learn's metrics, imported when first scored: ``--help`` must not pay for it."""
    from sklearn import metrics  # pyright: ignore[reportMissingTypeStubs]

    return metrics


def known_steps(
    targets: NDArray[np.float64], outputs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return targets and estimates of all steps whose targets are known, each of shape (steps, outputs)."""
    wanted, given = (array.reshape(-1, array.shape[-1]) for array in (targets, outputs))
    known = np.isfinite(wanted).all(axis=1)
    return wanted[known], given[known]
