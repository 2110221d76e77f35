"""What every corpus returns, whatever it was read from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.card import Card
from cosim.datasets.windows import Windows
from cosim.preprocessing.operations import Step
from energy_models.errors import DataError
from energy_models.workload import LayerWork

Targets = NDArray[np.int64] | NDArray[np.float32]


class MaskedTargetsError(DataError):
    """Targets without a mask were asked for where some steps have none."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Windows of recordings with their targets, ready to split.

    Parameters
    ----------
    name : str
    card : Card
    task : {'classification', 'regression'}
    windows : Windows
        The examples; their inputs have shape (examples, channels, steps) and are read on demand.
    target_values : ndarray
        int64, shape (examples,) for classification; float32, shape (examples, steps, outputs) for regression.
    output_names : tuple of str
        Classes, or kinematic axes.
    groups : mapping of str to ndarray, shape (examples,)
        What people call the recording, ``subject``, ``session``, ``run``, ``part`` and the like of each example; at
        least ``recording``. Which examples overlap in time is told by `windows.sources` and `windows.starts` instead.
    source_rate_hz, source_bits : float, int
        Sampling rate and converter width of the recording that the preprocessing starts from.
    pipeline : tuple of Step
        Everything done between the file and the inputs.
    pipeline_work : tuple of LayerWork
        The pipeline's work per example (regression: per step), kinds ``filter`` and ``feature``, `decodes` = 1.
    target_mask : ndarray of bool or None, shape (examples, steps)
        Regression: which steps have a target; None: all.

    Raises
    ------
    DataError
        If windows, targets, groups and mask do not have one entry per example.
    """

    name: str
    card: Card
    task: Literal["classification", "regression"]
    windows: Windows
    target_values: Targets
    output_names: tuple[str, ...]
    groups: Mapping[str, NDArray[np.str_]]
    source_rate_hz: float
    source_bits: int
    pipeline: tuple[Step, ...]
    pipeline_work: tuple[LayerWork, ...] = ()
    notes: tuple[str, ...] = ()
    target_mask: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        lengths = {"targets": len(self.target_values), **{name: len(labels) for name, labels in self.groups.items()}}
        if wrong := [f"{name} has {count}" for name, count in lengths.items() if count != len(self.windows)]:
            raise DataError(f"there are {len(self.windows)} windows, but {', '.join(wrong)}",
                            where=f"dataset {self.name!r}", remedy="Give one entry per example.")
        if "recording" not in self.groups:
            raise DataError("it has no group 'recording'", where=f"dataset {self.name!r}",
                            remedy="Say which examples share a recording: splits rely on it.")
        if self.target_mask is not None and self.target_mask.shape != self.target_values.shape[:2]:
            raise DataError(f"a mask of shape {self.target_mask.shape} does not go with targets of shape "
                            f"{self.target_values.shape}", where=f"dataset {self.name!r}",
                            remedy="Give one truth value per example and step.")

    def __repr__(self) -> str:
        windows = self.windows
        shape = f"{len(windows.channels)} channels x {windows.steps} steps at {self.step_rate_hz:g} Hz"
        return f"<Dataset: {self.name}: {len(windows)} examples, {shape}, {self.task}>"

    @property
    def step_rate_hz(self) -> float:
        """Rate of the steps after resampling or binning [Hz]."""
        return self.windows.recordings.rate_hz

    @property
    def targets(self) -> Targets:
        """The targets of all examples.

        Raises
        ------
        MaskedTargetsError
            If some of them do not exist: whoever asks here cannot use a mask (`masked_targets`).
        """
        if said := self._missing_targets():
            raise MaskedTargetsError(
                f"targets without a mask were asked for, but {said}", where=f"dataset {self.name!r}",
                remedy="Leave those examples out, or use what takes a mask (masked_targets).")  # fmt: skip
        return self.target_values

    @property
    def masked_targets(self) -> Targets:
        """The targets of all examples, not a number in every step that has none."""
        if self.target_mask is None or self.target_mask.all():
            return self.target_values
        return np.where(self.target_mask[:, :, None], self.target_values, np.float32(np.nan)).astype(np.float32)

    def _missing_targets(self) -> str:
        if self.target_mask is None or self.target_mask.all():
            return ""
        return f"{int((~self.target_mask).sum())} of {self.target_mask.size} steps have none"

    def refuse_masks(self, *, where: str) -> None:
        """Raise a `DataError` that says which inputs are missing, for a consumer `where` that needs them whole."""
        if said := self.windows.missing_inputs():
            raise DataError(f"dataset {self.name!r} has gaps, and masks cannot be used here: {said}", where=where,
                            remedy="Keep the channels all recordings have, and examples that are whole.")

    @property
    def digest(self) -> str:
        """Content hash of the recordings, index, targets, masks, groups and pipeline.

        It does not depend on the order of a step's parameters, which a stored dataset does not keep. It reads every
        recording whose own hash is not known; those of a stored dataset are.
        """
        hasher = hashlib.blake2b(digest_size=16)
        for one in self.windows.recordings:
            hasher.update(one.content_digest().encode())
        mask = self.target_mask if self.target_mask is not None else np.ones(0, dtype=np.bool_)
        for array in (self.windows.recording, self.windows.starts, self.target_values, mask):
            hasher.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        for name in sorted(self.groups):
            hasher.update("\0".join([name, *map(str, self.groups[name])]).encode())
        pipeline = [(step.name, sorted(step.parameters.items()), step.causal) for step in self.pipeline]
        hasher.update(repr((self.windows.steps, pipeline)).encode())
        return hasher.hexdigest()
