"""Datasets made of one array, for tests of what reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from cosim.datasets.card import Card
from cosim.datasets.recordings import Channel
from cosim.datasets.types import Dataset
from cosim.datasets.windows import example_windows


def dense_dataset(  # noqa: PLR0917
    name: str, card: Card, task: Any, inputs: np.ndarray, targets: np.ndarray, output_names: tuple[str, ...],
    groups: Mapping[str, np.ndarray], starts: np.ndarray, step_rate_hz: float, source_bits: int = 16,
) -> Dataset:
    """Return examples cut before, inputs of shape (examples, channels, steps)."""
    channels = tuple(Channel(f"c{n}") for n in range(inputs.shape[1]))
    cut_from, begins = groups["recording"].tolist(), np.asarray(starts, dtype=np.int64)
    return Dataset(
        name=name, card=card, task=task, output_names=output_names, groups=groups, target_values=targets,
        windows=example_windows(inputs, cut_from, begins, channels, step_rate_hz),
        source_rate_hz=step_rate_hz, source_bits=source_bits, pipeline=(),
    )  # fmt: skip


def with_inputs(dataset: Dataset, inputs: np.ndarray, rate_hz: float | None = None) -> Dataset:
    """Return the dataset with other inputs, shape (examples, channels, steps), and perhaps at another rate."""
    old = dataset.windows
    names = [old.recordings[int(number)].source for number in old.recording]
    windows = example_windows(inputs, names, old.starts, old.channels, rate_hz or dataset.step_rate_hz)
    return dataclasses.replace(dataset, windows=windows)
