"""A dataset's examples as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.datasets.types import Dataset
from students.training import Examples


def examples(
    dataset: Dataset, indices: Sequence[int] | NDArray[np.int64], teacher: Mapping[str, Tensor] | None = None
) -> Examples:
    """Return some of a dataset's examples as tensors.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int
    teacher : mapping of str to Tensor, or None
        The teacher's targets for these examples, in this order.
    """
    rows = np.asarray(indices, dtype=np.int64)
    inputs, targets = torch.as_tensor(dataset.windows.inputs(rows)), torch.as_tensor(dataset.masked_targets[rows])
    known = None if dataset.target_mask is None else torch.as_tensor(dataset.target_mask[rows])
    return Examples(inputs, targets, teacher or {}, known)
