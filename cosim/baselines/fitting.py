"""How every classical decoder is chosen, fitted and scored on a fold.

1. Hyper-parameters with several candidates are chosen by the validation part, each candidate fitted on the training
   part alone. The primary metric decides; equal scores of a classifier are told apart by the cross-entropy of its
   logits, because few validation trials tie often; what is still equal goes to the simpler candidate.
2. The validation score is that of the chosen decoder fitted on the training part alone.
3. The decoder that is deployed, scored on the test part and counted is fitted again with the chosen values on the
   training and validation parts together. Networks see the validation part too, as what stops their training.

The test part enters nowhere before its decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeVar, cast

import numpy as np
from pydantic import BeforeValidator, Field

from cosim.baselines.types import BaselineResult, Decoder, Floats, Indices
from cosim.datasets.types import Dataset
from cosim.evaluation.scores import primary_score
from cosim.splits.fold import Fold

ROUNDING = 1e-12  # two equal scores may differ by the order of a sum
Candidate = TypeVar("Candidate")
Number = TypeVar("Number", int, float)


def _separated(value: object) -> object:
    """Return a text at its commas, and a single value as a list of one."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return cast(object, value) if isinstance(value, list | tuple) else [value]


Counts = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_separated), Field(min_length=1)
]
"""Candidates for a whole number: one value is fixed, several (``"5,10,20"``) are chosen from on validation."""

Amounts = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], BeforeValidator(_separated), Field(min_length=1)
]
"""Candidates for a positive number: one value is fixed, several (``"1,10,100"``) are chosen from on validation."""


def fitting_examples(fold: Fold) -> Indices:
    """Return the training and validation examples of a fold, in order."""
    return np.sort(np.concatenate([fold.train, fold.validation]))


def best_on_validation(
    dataset: Dataset, fold: Fold, candidates: Sequence[Candidate], outputs: Callable[[Candidate], Floats]
) -> Candidate:
    """Return the candidate with the best outputs on validation; a single one is returned without being tried.

    Parameters
    ----------
    dataset : Dataset
    fold : Fold
    candidates : sequence
        Simplest first.
    outputs : callable
        Outputs for ``fold.validation`` of a decoder fitted on ``fold.train`` with one candidate.
    """
    if len(candidates) == 1:
        return candidates[0]
    best, best_rank = candidates[0], (-np.inf, -np.inf)
    for candidate in candidates:
        rank = _rank(dataset, fold, outputs(candidate))
        if _better(rank, best_rank):
            best, best_rank = candidate, rank
    return best


def _rank(dataset: Dataset, fold: Fold, outputs: Floats) -> tuple[float, float]:
    """Return the primary metric, and minus the cross-entropy of a classifier."""
    targets = dataset.masked_targets[fold.validation]
    first = primary_score(dataset.task, targets, outputs)
    if dataset.task == "regression":
        return first, 0.0
    labels = targets.astype(np.int64)
    likelihood = outputs[np.arange(len(labels)), labels] - _log_sum(outputs)
    return first, float(np.mean(likelihood))


def _log_sum(logits: Floats) -> Floats:
    """Return the logarithm of the sum of exponentials of each row."""
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def _better(rank: tuple[float, float], than: tuple[float, float]) -> bool:
    """Return whether a rank is better by more than rounding."""
    for mine, theirs in zip(rank, than, strict=True):
        if abs(mine - theirs) > ROUNDING:
            return mine > theirs
    return False


def deployed(
    name: str, label: str, dataset: Dataset, fold: Fold, fit: Callable[[Indices], Decoder], *, width_bits: int,
    chosen: Mapping[str, int | float] | None = None,
) -> BaselineResult:  # fmt: skip
    """Return a decoder's outputs on validation, fitted on train, and on test, fitted on train and validation.

    Parameters
    ----------
    name, label : str
    dataset : Dataset
    fold : Fold
    fit : callable
        Returns the decoder fitted on the given examples, its hyper-parameters already chosen.
    width_bits : int
        Width of stored numbers and signals [bits].
    chosen : mapping or None
        Hyper-parameters that validation decided.
    """
    trained = fit(fold.train)
    before = trained.decode(dataset, fold.validation)
    after = fit(fitting_examples(fold)).decode(dataset, fold.test)
    return BaselineResult(
        name=name, label=label, outputs_validation=before.outputs, outputs_test=after.outputs, layers=after.layers,
        decodes=after.decodes, mode="window" if dataset.task == "classification" else "stream",
        parameters=after.parameters, weight_bits=width_bits, activation_bits=width_bits, chosen=dict(chosen or {}),
        trained=trained,
    )  # fmt: skip


def decided(values: Mapping[str, tuple[Sequence[Number], Number]]) -> dict[str, Number]:
    """Return those values that were chosen among several candidates, by name.

    Parameters
    ----------
    values : mapping of str to (candidates, value)
    """
    return {name: value for name, (candidates, value) in values.items() if len(candidates) > 1}
