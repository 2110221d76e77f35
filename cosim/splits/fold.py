"""One division of a dataset's examples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _none() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


def _no_windows() -> NDArray[np.int64]:
    return np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of one train/validation/test division; no two parts share a sample or lie closer than the purge gap.

    Regression examples of one part are in time order; consecutive ones may be joined into one contiguous segment.

    Parameters
    ----------
    name : str
    train, validation, test : ndarray of int64
    unlabelled : ndarray of int64
        Further training examples whose inputs may be used and whose labels may not; none by default.
    pool : ndarray of int64, shape (windows, 2)
        Recording and first step of unlabelled windows beside the dataset's examples; none by default.
    """

    name: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    unlabelled: NDArray[np.int64] = field(default_factory=_none)
    pool: NDArray[np.int64] = field(default_factory=_no_windows)

    @property
    def all_training(self) -> NDArray[np.int64]:
        """Labelled and then unlabelled training examples: what inputs are scaled by."""
        return np.concatenate([self.train, self.unlabelled])

    @property
    def repeated_train(self) -> NDArray[np.int64]:
        """The labelled training examples, repeated until they are as many as `all_training`.

        What learns from labels alone then takes as many gradient steps in an epoch as what learns from both.
        """
        return np.resize(self.train, len(self.train) + len(self.unlabelled)).astype(np.int64)
