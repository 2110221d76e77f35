"""What every corpus returns, whatever it was read from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.card import Card
from cosim.preprocessing.operations import Step
from energy_models.workload import LayerWork


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples cut from recordings, ready to split.

    Parameters
    ----------
    name : str
    card : Card
    task : {'classification', 'regression'}
    inputs : ndarray of float32, shape (examples, channels, steps)
    targets : ndarray
        int64, shape (examples,) for classification; float32, shape (examples, steps, outputs) for regression.
    output_names : tuple of str
        Classes, or kinematic axes.
    groups : mapping of str to ndarray, shape (examples,)
        At least ``recording``; ``subject``, ``session``, ``run``, ``part`` where they exist.
    starts : ndarray of int64, shape (examples,)
        First step of each example within its recording; with `steps` it tells which examples overlap.
    step_rate_hz : float
        Rate of the steps after resampling or binning [Hz].
    source_rate_hz, source_bits : float, int
        Sampling rate and converter width of the recording that the preprocessing starts from.
    pipeline : tuple of Step
        Everything done between the file and `inputs`.
    pipeline_work : tuple of LayerWork
        The pipeline's work per example (regression: per step), kinds ``filter`` and ``feature``, `decodes` = 1.
    unit : str
        Unit of `inputs`.
    """

    name: str
    card: Card
    task: Literal["classification", "regression"]
    inputs: NDArray[np.float32]
    targets: NDArray[np.int64] | NDArray[np.float32]
    output_names: tuple[str, ...]
    groups: Mapping[str, NDArray[np.str_]]
    starts: NDArray[np.int64]
    step_rate_hz: float
    source_rate_hz: float
    source_bits: int
    pipeline: tuple[Step, ...]
    pipeline_work: tuple[LayerWork, ...] = ()
    unit: str = ""
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Content hash of the examples, targets, groups and pipeline."""
        hasher = hashlib.blake2b(digest_size=16)
        for array in (self.inputs, self.targets, self.starts):
            hasher.update(np.ascontiguousarray(array).tobytes())
        for name in sorted(self.groups):
            hasher.update("\0".join([name, *map(str, self.groups[name])]).encode())
        hasher.update(repr(self.pipeline).encode())
        return hasher.hexdigest()
