"""How recordings are held out: a split by its name or its settings, or one that suits the recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from cosim.datasets.types import Dataset
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, SplitSpec, StratifiedFolds
from cosim.study.messages import validation_lines
from energy_models.errors import SplitError, unknown_name

GROUPS = ("subject", "session", "run", "recording")
"""What may be held out, the widest claim first."""
METHODS = {"leave_one_group_out": LeaveOneGroupOut, "blocked_in_time": BlockedInTime, "given_parts": GivenParts,
           "stratified_folds": StratifiedFolds}  # fmt: skip
_SPLIT: TypeAdapter[Any] = TypeAdapter(SplitSpec)


def split_of(split: object, dataset: Dataset) -> SplitSpec:
    """Return how a dataset is to be divided.

    Parameters
    ----------
    split : str, mapping, SplitSpec or None
        A method's name; its settings with ``method``; ``leave_one_<group>_out``; or None: published parts where the
        dataset has them, blocks of time for a regression, else one group held out at a time, the widest of
        subject, session, run and recording of which there are enough.
    dataset : Dataset

    Raises
    ------
    SplitError
        An unknown method or setting, or no group to hold out.
    """
    if isinstance(split, LeaveOneGroupOut | BlockedInTime | GivenParts | StratifiedFolds):
        return split
    if split is None:
        return _suitable(dataset)
    if isinstance(split, str):
        return _parsed(_named(split, dataset))
    if isinstance(split, Mapping):
        return _parsed(dict(cast("Mapping[str, Any]", split)))
    raise SplitError(
        f"{split!r:.60} is no split", where="split",
        remedy='Give a method\'s name, or its settings such as {"method": "leave_one_group_out", "group": "session"}',
    )


def _named(name: str, dataset: Dataset) -> dict[str, Any]:
    words = name.removeprefix("leave_one_").removesuffix("_out")
    if name == f"leave_one_{words}_out" and words in dataset.groups:
        return _held_out(dataset, words).model_dump()
    if name not in METHODS or name == "leave_one_group_out":
        groups = [f"leave_one_{group}_out" for group in dataset.groups]
        known = [*groups, *(method for method in METHODS if method != "leave_one_group_out")]
        raise SplitError(f"there is no split {name!r} here", where="split", remedy=unknown_name("splits", name, known))
    return {"method": name}


def _suitable(dataset: Dataset) -> SplitSpec:
    if "part" in dataset.groups and {"train", "test"} <= set(dataset.groups["part"].tolist()):
        return GivenParts()
    if dataset.task == "regression":
        return BlockedInTime()
    for group in GROUPS:
        if group in dataset.groups and len(np.unique(dataset.groups[group])) > 1:
            return _held_out(dataset, group)
    return BlockedInTime()


def _held_out(dataset: Dataset, group: str) -> LeaveOneGroupOut:
    """Return the split that holds out one group at a time; where there are two only, validation is a fraction."""
    few = len(np.unique(dataset.groups[group])) < 3
    return LeaveOneGroupOut(group=group, validation="fraction" if few else "group")


def _parsed(settings: Mapping[str, Any]) -> SplitSpec:
    try:
        return _SPLIT.validate_python(settings)
    except ValidationError as error:
        known = [name for kind in METHODS.values() for name in kind.model_fields]
        raise SplitError("; ".join(validation_lines(error, known, ("split",))), where="split",
                         remedy=f"Methods are: {', '.join(METHODS)}") from error  # fmt: skip
