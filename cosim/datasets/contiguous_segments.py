"""Examples of a regression dataset joined into contiguous segments: the longest runs without a missing step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.types import Dataset

Floats = NDArray[np.float64]


def contiguous_segments(dataset: Dataset, examples: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return the examples in time order, cut wherever the next one leaves a gap or is of another recording."""
    sources, starts = dataset.windows.sources[examples], dataset.windows.starts[examples]
    order = np.lexsort((starts, sources))
    labels = dataset.groups["recording"][examples[order]]
    follows = (np.diff(sources[order]) == 0) & (np.diff(starts[order]) == dataset.windows.steps)
    follows &= labels[1:] == labels[:-1]
    return tuple(np.split(examples[order], np.flatnonzero(~follows) + 1)) if len(examples) else ()


def joined_inputs(dataset: Dataset, run: NDArray[np.int64]) -> Floats:
    """Return the inputs of one contiguous segment, shape (steps, channels)."""
    inputs = dataset.windows.inputs(run)
    return inputs.transpose(0, 2, 1).reshape(-1, inputs.shape[1]).astype(np.float64)


def joined_targets(dataset: Dataset, run: NDArray[np.int64]) -> Floats:
    """Return the targets of one contiguous segment, shape (steps, outputs), nan in every step that has none."""
    return dataset.masked_targets[run].reshape(-1, dataset.target_values.shape[2]).astype(np.float64)


def in_test_order(
    dataset: Dataset, test: NDArray[np.int64], runs: Sequence[NDArray[np.int64]], decoded: Sequence[Floats]
) -> Floats:
    """Return estimates of contiguous segments as examples in the order of `test`, shape (examples, steps, outputs)."""
    steps = dataset.windows.steps
    place = {int(example): estimate
             for run, whole in zip(runs, decoded, strict=True)
             for example, estimate in zip(run, whole.reshape(len(run), steps, -1), strict=True)}  # fmt: skip
    return np.stack([place[int(example)] for example in test])
