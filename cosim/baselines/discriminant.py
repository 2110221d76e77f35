"""Linear discriminant analysis, fitted by scikit-learn and deployed as one 16-bit matrix."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # pyright: ignore[reportMissingTypeStubs]

from energy_models.errors import DataError

Floats = NDArray[np.float64]


def require_every_class(labels: NDArray[Any], classes: int, *, where: str) -> None:
    """Raise a `DataError` where a class has no training example."""
    if absent := sorted(set(range(classes)) - {int(label) for label in np.unique(labels)}):
        raise DataError(f"class {', '.join(map(str, absent))} has no training example", where=where,
                        remedy="Choose folds whose training part holds every class.")  # fmt: skip


def fit_discriminant(
    features: Floats, labels: NDArray[Any], classes: int, *, shrinkage: Literal["none", "ledoit_wolf"], where: str
) -> tuple[Floats, Floats]:
    """Return weights, shape (rows, features), and biases, shape (rows,): one row for two classes, else one each.

    Parameters
    ----------
    features : ndarray, shape (examples, features)
    labels : ndarray of int, shape (examples,)
    classes : int
    shrinkage : {'none', 'ledoit_wolf'}
        Of the common covariance; Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4.
    where : str
        Named in errors.

    Raises
    ------
    DataError
        If a class is absent from the training part, or no class has two examples, whose spread would be known.
    """
    require_every_class(labels, classes, where=where)
    if len(labels) <= classes:
        raise DataError(f"{len(labels)} examples of {classes} classes show no spread within a class", where=where,
                        remedy="Give two labelled examples of a class at least.")  # fmt: skip
    settings: dict[str, Any] = {"solver": "svd"} if shrinkage == "none" else {"solver": "lsqr", "shrinkage": "auto"}
    fitted: Any = LinearDiscriminantAnalysis(**settings)
    fitted.fit(features, labels)
    return np.asarray(fitted.coef_, dtype=np.float64), np.asarray(fitted.intercept_, dtype=np.float64)


def two_sided(margins: Floats) -> Floats:
    """Return logits, shape (examples, classes); a single margin m becomes (-m/2, m/2), whose softmax is its sigmoid."""
    return np.hstack([-margins / 2, margins / 2]) if margins.shape[1] == 1 else margins
