"""Splits as objects: what is held out, and the promise that train, validation and test never touch.

Two examples touch where they come from one recording and fewer than the gap lies between them (the gap is at
least one step, so back-to-back windows touch). Every split is checked before it is returned.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.splits.separation import (
    assign_folds,
    block,
    checked,
    group_labels,
    in_time,
    join,
    outside_purge_gap,
    recordings_in_time,
    refuse_touching,
    stratified_part,
    unit_labels,
)
from energy_models.errors import SplitError, unknown_name

MAX_FOLDS = 1_000


class _Spec(BaseModel):
    """What every split has.

    Parameters
    ----------
    copies : {'refuse', 'drop'}
        What is done with examples of two parts that hold the same samples: an error, or those of the training part are
        left out, and those of the validation part that the test part has too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    copies: Literal["refuse", "drop"] = "refuse"

    def kept_whole(self) -> tuple[str, ...]:
        """Return the groups whose members always share a part."""
        return ()

    def _told(self, protocol: str) -> str:
        return protocol if self.copies == "refuse" else f"{protocol}; copies of held-out examples left out of training"


class LeaveOneGroupOut(_Spec):
    """Each group is the test part once; training sees the others (of the same outer group, if one is named).

    Parameters
    ----------
    group : str
        Group that is held out: ``run``, ``session``, ``subject`` or whatever the dataset has.
    within : str
        Outer group to stay inside of, such as ``subject``; empty: all examples.
    validation : {'group', 'fraction'}
        One whole training group, chosen by seed; or, stratified by class, a fraction of the training examples.
    validation_fraction : float
        Used with ``fraction`` only.
    """

    method: Literal["leave_one_group_out"] = "leave_one_group_out"
    group: str
    within: str = ""
    validation: Literal["group", "fraction"] = "group"
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)

    def describe(self) -> str:
        """Return the protocol in words."""
        inside = f" within each {self.within}" if self.within else ""
        held = (
            f"one training {self.group} chosen by seed"
            if self.validation == "group"
            else f"{self.validation_fraction:.0%} of the training examples, stratified by class"
        )
        return self._told(f"leave one {self.group} out{inside}; validation: {held}")

    def kept_whole(self) -> tuple[str, ...]:
        """Return the group that is held out, and the outer one."""
        return (*((self.within,) if self.within else ()), self.group)

    def folds(self, dataset: Dataset, *, seed: int) -> tuple[Fold, ...]:
        """Return one fold per held-out group.

        Raises
        ------
        SplitError
            If a group does not exist, too few are left to train on, or parts would touch.
        """
        inner = group_labels(dataset, self.group)
        outer = group_labels(dataset, self.within) if self.within else np.full(len(inner), "", dtype=np.str_)
        folds: list[Fold] = []
        for outside in np.unique(outer):
            inside = np.flatnonzero(outer == outside)
            names = np.unique(inner[inside])
            least = 3 if self.validation == "group" else 2
            if len(names) < least:
                place = f" within {self.within} {outside}" if self.within else ""
                raise SplitError(f"there are {len(names)} groups of {self.group!r}{place}, {least} are needed",
                                 where="leave_one_group_out",
                                 remedy="Write validation = \"fraction\" under [split] of the study (it needs two "
                                 "groups), or choose another group")
            for index, name in enumerate(names):
                test = inside[inner[inside] == name]
                rest = inside[inner[inside] != name]
                if self.validation == "group":
                    chosen = names[(index + 1 + seed % (len(names) - 1)) % len(names)]
                    validation = rest[inner[rest] == chosen]
                else:
                    validation = stratified_part(dataset, rest, self.validation_fraction, seed=seed)
                label = f"{self.within} {outside}, " if self.within else ""
                folds.append(Fold(f"{label}{self.group} {name}", np.setdiff1d(rest, validation), validation, test))
        return checked(dataset, folds, gap_steps=1, copies=self.copies)


class BlockedInTime(_Spec):
    """Contiguous blocks of time are held out, from the end of each recording backwards, with a gap on either side.

    Parameters
    ----------
    test_fraction : float
        Length of a test block as a fraction of each recording.
    validation_fraction : float
        Fraction of the examples left beside the test block, the latest ones.
    gap_steps : int
        Steps left unused between any two parts.
    folds : int
        Test blocks: the last one, the one before it, and so on. With more than one, training also sees the future.
    """

    method: Literal["blocked_in_time"] = "blocked_in_time"
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    validation_fraction: float = Field(default=0.15, gt=0, lt=1)
    gap_steps: int = Field(default=1, ge=1)
    folds_count: int = Field(default=1, ge=1, le=MAX_FOLDS, alias="folds")

    def describe(self) -> str:
        """Return the protocol in words."""
        where = (
            f"test: the last {self.test_fraction:.0%} of each recording in time"
            if self.folds_count == 1
            else f"test: {self.folds_count} blocks of {self.test_fraction:.0%}, from the end of each recording back"
        )
        return self._told(
            f"blocked in time; {where}; validation: the latest {self.validation_fraction:.0%} of the rest; "
            f"gap of {self.gap_steps} steps between parts"
        )

    def folds(self, dataset: Dataset, *, seed: int) -> tuple[Fold, ...]:
        """Return the folds; the seed changes nothing here.

        Raises
        ------
        SplitError
            If the blocks do not fit into the recordings, or leave nothing to train on.
        """
        del seed
        if self.folds_count * self.test_fraction > 1 + 1e-9:  # the tolerance admits 5 x 0.2
            raise SplitError(f"{self.folds_count} test blocks of {self.test_fraction:.0%} exceed the recording",
                             where="blocked_in_time", remedy="Use fewer folds or a smaller test_fraction.")
        order = recordings_in_time(dataset, dataset.windows.examples)
        folds: list[Fold] = []
        for number in range(self.folds_count):
            test = join([block(one, 1 - (number + 1) * self.test_fraction, 1 - number * self.test_fraction)
                         for one in order])
            rest = [outside_purge_gap(dataset, np.setdiff1d(one, test), test, self.gap_steps) for one in order]
            rest = [in_time(dataset, one) for one in rest]
            validation = join([block(one, 1 - self.validation_fraction, 1) for one in rest])
            train = outside_purge_gap(dataset, np.setdiff1d(join(rest), validation), validation, self.gap_steps)
            folds.append(Fold(f"block {number + 1} from the end", train, validation, test))
        return checked(dataset, folds, gap_steps=self.gap_steps, copies=self.copies)


class GivenParts(_Spec):
    """Training and test part as published, in group ``part``; validation is the end of the training part.

    Parameters
    ----------
    train, test : str
        Labels in group ``part``.
    validation_fraction : float
    gap_steps : int
        Steps left unused between training and validation.
    """

    method: Literal["given_parts"] = "given_parts"
    train: str = "train"
    test: str = "test"
    validation_fraction: float = Field(default=0.15, gt=0, lt=1)
    gap_steps: int = Field(default=1, ge=1)

    def describe(self) -> str:
        """Return the protocol in words."""
        return self._told(
            f"published parts: trained on {self.train!r}, tested on {self.test!r}; validation: the latest "
            f"{self.validation_fraction:.0%} of {self.train!r}, gap of {self.gap_steps} steps"
        )

    def folds(self, dataset: Dataset, *, seed: int) -> tuple[Fold, ...]:
        """Return the one fold; the seed changes nothing here.

        Raises
        ------
        SplitError
            If a part does not exist or parts would touch.
        """
        del seed
        part = group_labels(dataset, "part")
        for label in (self.train, self.test):
            if label not in part:
                raise SplitError(f"no example is in part {label!r}", where="given_parts",
                                 remedy=unknown_name("parts", label, map(str, np.unique(part))))
        test = np.flatnonzero(part == self.test)
        ours = np.flatnonzero(part == self.train)
        ordered = recordings_in_time(dataset, ours)
        validation = join([block(one, 1 - self.validation_fraction, 1) for one in ordered])
        train = outside_purge_gap(dataset, np.setdiff1d(ours, validation), validation, self.gap_steps)
        fold = Fold("published parts", train, validation, test)
        return checked(dataset, [fold], gap_steps=self.gap_steps, copies=self.copies)


class StratifiedFolds(_Spec):
    """Examples shuffled into folds with equal class shares; refused where examples overlap or touch in time.

    Parameters
    ----------
    folds : int
    validation_fraction : float
        Fraction of the training examples, stratified by class.
    keep_together : str
        Group whose members always share a part, such as ``segment``; empty: each example on its own.
    """

    method: Literal["stratified_folds"] = "stratified_folds"
    folds_count: int = Field(default=5, ge=2, le=MAX_FOLDS, alias="folds")
    validation_fraction: float = Field(default=0.15, gt=0, lt=1)
    keep_together: str = ""

    def describe(self) -> str:
        """Return the protocol in words."""
        units = f"whole {self.keep_together}s" if self.keep_together else "examples"
        return self._told(
            f"{self.folds_count} stratified folds of shuffled {units}; validation: "
            f"{self.validation_fraction:.0%} of the training part, stratified by class"
        )

    def kept_whole(self) -> tuple[str, ...]:
        """Return the group that shares a part, if one is named."""
        return (self.keep_together,) if self.keep_together else ()

    def folds(self, dataset: Dataset, *, seed: int) -> tuple[Fold, ...]:
        """Return the folds.

        Raises
        ------
        SplitError
            If the task is a regression, or examples that may be parted overlap or touch in time.
        """
        if dataset.task != "classification":
            raise SplitError("a regression cannot be shuffled: neighbouring segments share their time course",
                             where="stratified_folds", remedy="Use blocked_in_time or given_parts.")
        units = unit_labels(dataset, self.keep_together)
        refuse_touching(dataset, units, where="stratified_folds")
        number = assign_folds(dataset, np.arange(len(units)), units, self.folds_count, seed=seed)
        folds: list[Fold] = []
        for fold in range(self.folds_count):
            rest = np.flatnonzero(number != fold)
            validation = stratified_part(
                dataset, rest, self.validation_fraction, seed=seed, together=self.keep_together
            )
            test = np.flatnonzero(number == fold)
            folds.append(Fold(f"fold {fold + 1}", np.setdiff1d(rest, validation), validation, test))
        return checked(dataset, folds, gap_steps=1, copies=self.copies)


SplitSpec = Annotated[
    LeaveOneGroupOut | BlockedInTime | GivenParts | StratifiedFolds, Field(discriminator="method")
]
