"""Few labels: all but some labels of the training part are withheld; their examples stay as unlabelled ones."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosim.datasets.contiguous_segments import contiguous_segments
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.splits.separation import in_time
from energy_models.errors import SplitError

Indices = NDArray[np.int64]
WHERE = "labels"


class FewLabels(BaseModel):
    """How many labels a fold keeps; which ones is decided by the study's ``fold_seed``.

    Parameters
    ----------
    per_class : int or None
        Classification: labelled training examples of each class. Where examples of a class touch in time they are
        neighbours in time, as somebody would have labelled them; separate trials are drawn at random.
    seconds : float or None
        Regression: one contiguous stretch of labelled training examples of this length [s].
    validation : {'same', 'all'}
        Whether the validation part keeps as many labels as the training part does, or all that it has. The inputs of
        the other validation examples are unlabelled training examples then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    per_class: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    validation: Literal["same", "all"] = "same"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.per_class is None) == (self.seconds is None):
            raise ValueError("give one of 'per_class' (classification) and 'seconds' (regression)")
        return self

    def describe(self) -> str:
        """Return the protocol in words."""
        kept = f"{self.per_class} a class" if self.per_class is not None else f"{self.seconds:g} s"
        chosen_on = "as many" if self.validation == "same" else "all"
        return f"labels of {kept} to train on and of {chosen_on} to choose on; the other training examples unlabelled"


def withhold(dataset: Dataset, fold: Fold, labels: FewLabels, *, seed: int) -> Fold:
    """Return the fold with few labelled training examples; the others are its unlabelled ones.

    Parameters
    ----------
    dataset : Dataset
    fold : Fold
    labels : FewLabels
    seed : int
        Decides which labels are kept.

    Raises
    ------
    SplitError
        If the plan is one of the other task, or the fold has fewer labels than are asked for.
    """
    classifies = dataset.task == "classification"
    if classifies != (labels.per_class is not None):
        asked, other = ("seconds", "per_class") if classifies else ("per_class", "seconds")
        raise SplitError(f"{asked!r} is given, and {dataset.name!r} is a {dataset.task}", where=WHERE,
                         remedy=f"Give {other!r}.")
    rng = np.random.default_rng(seed)
    keep = _examples_of_each_class if classifies else _stretch
    train = keep(dataset, fold.train, labels, rng, f"{fold.name}, training part")
    validation = fold.validation
    if labels.validation == "same":
        validation = keep(dataset, fold.validation, labels, rng, f"{fold.name}, validation part")
    rest = np.setdiff1d(np.concatenate([fold.train, fold.validation]), np.concatenate([train, validation]))
    return dataclasses.replace(fold, train=train, validation=validation, unlabelled=rest)


def _examples_of_each_class(
    dataset: Dataset, part: Indices, labels: FewLabels, rng: np.random.Generator, where: str
) -> Indices:
    wanted, targets = labels.per_class or 0, dataset.targets
    kept: list[Indices] = []
    for label, name in enumerate(dataset.output_names):
        members = in_time(dataset, part[targets[part] == label])
        if len(members) < wanted:
            raise SplitError(f"{len(members)} examples of class {name} in the {where}, {wanted} labels are asked for",
                             where=f"{WHERE}.per_class", remedy="Ask for fewer, or use a split with more.")
        if _touch(dataset, members):
            start = int(rng.integers(len(members) - wanted + 1))
            kept.append(members[start : start + wanted])
        else:
            kept.append(rng.permutation(members)[:wanted])
    return np.sort(np.concatenate(kept))


def _touch(dataset: Dataset, members: Indices) -> bool:
    """Return whether any two examples, in order of time, overlap or follow each other without a gap."""
    sources, starts = dataset.windows.sources[members], dataset.windows.starts[members]
    return bool(((np.diff(sources) == 0) & (np.diff(starts) <= dataset.windows.steps)).any())


def _stretch(dataset: Dataset, part: Indices, labels: FewLabels, rng: np.random.Generator, where: str) -> Indices:
    each_s = dataset.windows.steps / dataset.step_rate_hz
    wanted = math.ceil((labels.seconds or 0.0) / each_s - 1e-9)  # the tolerance admits 3 x 0.1 s
    runs = [run for run in contiguous_segments(dataset, part) if len(run) >= wanted]
    if not runs:
        longest = max((len(run) for run in contiguous_segments(dataset, part)), default=0) * each_s
        raise SplitError(f"the longest contiguous segment of the {where} has {longest:g} s, {labels.seconds:g} s of "
                         "labels are asked for", where=f"{WHERE}.seconds",
                         remedy="Ask for fewer, or use a split with longer parts.")
    places = [(run, start) for run in runs for start in range(len(run) - wanted + 1)]
    run, start = places[int(rng.integers(len(places)))]
    return np.sort(run[start : start + wanted])
