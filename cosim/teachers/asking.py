"""A fitted teacher asked about what a student sees: inputs of a batch, however a method has changed them."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch import Tensor

from cosim.datasets.types import Dataset
from cosim.datasets.windows import example_windows
from cosim.teachers.targets import Named
from cosim.teachers.teacher import Answers
from students.training import Ask


def asked(answers: Answers, dataset: Dataset, seen: Dataset) -> Ask:
    """Return a fitted teacher as a function of a student's inputs, shape (examples, channels, steps).

    Each example is a recording of its own, so that a teacher which filters knows nothing before its first step.

    Parameters
    ----------
    answers : Answers
    dataset : Dataset
        As its pipeline leaves it: what the teacher reads.
    seen : Dataset
        The same as the student sees it: scaled, or not.
    """
    scaler = seen.windows.scaler

    def ask(inputs: Tensor) -> Named:
        values = inputs.detach().cpu().numpy()
        one = of_inputs(dataset, values if scaler is None else scaler.invert(values))
        return answers(one, one.windows.examples)

    return ask


def of_inputs(dataset: Dataset, inputs: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Dataset:
    """Return a dataset of other inputs than the given one's, without labels: its targets are zeros.

    Parameters
    ----------
    dataset : Dataset
        Whose channels, rate, task and pipeline it has.
    inputs : ndarray of float32, shape (examples, channels, steps)
    """
    count, names = len(inputs), [f"asked{number}" for number in range(len(inputs))]
    starts = np.zeros(count, dtype=np.int64)
    windows = example_windows(inputs, names, starts, dataset.windows.channels, dataset.step_rate_hz)
    values = np.zeros((count, *dataset.target_values.shape[1:]), dtype=dataset.target_values.dtype)
    groups = {name: np.asarray(names, dtype=np.str_) for name in dataset.groups}
    return dataclasses.replace(dataset, windows=windows, target_values=values, groups=groups, target_mask=None)
