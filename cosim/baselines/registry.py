"""Classical baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from cosim.baselines import (
    bandpower_svm,
    cca,
    csp_lda,
    kalman,
    majority,
    ridge_lags,
    shrinkage_lda,
)
from cosim.baselines.types import BaselineResult, Options
from cosim.datasets.types import Dataset, Fold
from energy_models.errors import StudyError, unknown_name

Scalar = bool | int | float | str
_BASELINES: dict[str, tuple[type[Options], Callable[[Dataset, Fold, Any], BaselineResult]]] = {
    "bandpower_svm": (bandpower_svm.BandpowerSvmOptions, bandpower_svm.run),
    "cca": (cca.CcaOptions, cca.run),
    "csp_lda": (csp_lda.CspLdaOptions, csp_lda.run),
    "kalman": (kalman.KalmanOptions, kalman.run),
    "majority": (majority.MajorityOptions, majority.run),
    "ridge_lags": (ridge_lags.RidgeLagsOptions, ridge_lags.run),
    "shrinkage_lda": (shrinkage_lda.ShrinkageLdaOptions, shrinkage_lda.run),
}


def baseline_names() -> tuple[str, ...]:
    """Return the names of all baselines."""
    return tuple(sorted(_BASELINES))


def baseline_options(name: str) -> type[Options]:
    """Return the model that a baseline's options must satisfy; the name is one of `baseline_names`."""
    return _BASELINES[name][0]


def run_baseline(name: str, dataset: Dataset, fold: Fold, options: Mapping[str, Scalar]) -> BaselineResult:
    """Return a baseline fitted on the fold's train and validation examples, decoding its test examples.

    Parameters
    ----------
    name : str
        One of `baseline_names`.
    dataset : Dataset
    fold : Fold
    options : mapping of str to scalar
        Overrides of the baseline's documented defaults.

    Raises
    ------
    StudyError
        If the name or an option does not exist, or an option's value is refused.
    DataError
        If the decoder cannot serve this dataset.
    """
    if name not in _BASELINES:
        raise StudyError(f"there is no baseline {name!r}", where="baselines",
                         remedy=unknown_name("baselines", name, _BASELINES))  # fmt: skip
    model, run = _BASELINES[name]
    try:
        chosen = model.model_validate(dict(options))
    except ValidationError as error:
        where = f"options of baseline {name!r}"
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        known = ", ".join(sorted(model.model_fields)) or "none"
        raise StudyError(problems, where=where, remedy=f"Its options are: {known}.") from error
    return run(dataset, fold, chosen)
