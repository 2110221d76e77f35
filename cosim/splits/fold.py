"""One division of a dataset's examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of one train/validation/test division; no two parts share a sample or lie closer than the purge gap.

    Regression examples of one part are in time order; consecutive ones may be joined into one contiguous segment.
    """

    name: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
