"""Classical baselines by name: entry points of the group ``cosim.baselines``, or an object of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from cosim.baselines.types import Baseline, BaselineResult
from cosim.datasets.types import Dataset, MaskedTargetsError
from cosim.splits.fold import Fold
from energy_models.errors import DataError, StudyError
from energy_models.registry import Registry

Scalar = bool | int | float | str
GROUP = "cosim.baselines"


def _checked(name: str, found: object) -> Baseline[Any]:
    """Return the object if it is a baseline."""
    if not isinstance(found, Baseline):
        raise StudyError(f"the object is a {type(found).__name__}, not a Baseline", where=f"baseline {name!r}",
                         remedy="Name a cosim.baselines.types.Baseline as module:object.")  # fmt: skip
    return cast(Baseline[Any], found)


BASELINES: Registry[Baseline[Any]] = Registry(
    group=GROUP, kind="baseline", kinds="baselines", error=StudyError, check=_checked
)


def baseline_names() -> tuple[str, ...]:
    """Return the names of all registered baselines, sorted; nothing is imported."""
    return BASELINES.names()


def load_baseline(name: str) -> Baseline[Any]:
    """Return the baseline of a registered name, or the one at ``module:object``.

    Raises
    ------
    StudyError
        If the name does not exist or stands for something else.
    """
    return BASELINES.load(name)


def run_baseline(name: str, dataset: Dataset, fold: Fold, options: Mapping[str, Scalar]) -> BaselineResult:
    """Return a baseline fitted on the fold, decoding its test examples.

    Parameters
    ----------
    name : str
        One of `baseline_names`, or ``module:object``.
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
    baseline = load_baseline(name)
    try:
        chosen = baseline.Options.model_validate(dict(options))
    except ValidationError as error:
        where = f"options of baseline {name!r}"
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        known = ", ".join(sorted(baseline.Options.model_fields)) or "none"
        raise StudyError(problems, where=where, remedy=f"Its options are: {known}.") from error
    if dataset.task not in baseline.tasks:
        raise DataError(f"it decodes {' and '.join(baseline.tasks)} only, and {dataset.name!r} is {dataset.task}",
                        where=f"baseline {name!r}",
                        remedy="Leave it out of this study, or choose a baseline for the task.")  # fmt: skip
    try:
        return baseline.run(dataset, fold, chosen)
    except MaskedTargetsError as error:
        raise DataError(f"it cannot use masked targets ({error})", where=f"baseline {name!r}",
                        remedy="Leave it out of this study, or choose one that can.") from error  # fmt: skip
