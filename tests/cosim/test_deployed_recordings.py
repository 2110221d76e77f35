"""Deployed graphs on real recordings held out: codes of filtered signals in, decisions and velocities out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from students.deploy import InputCodes, agreement, lower
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit

pytestmark = pytest.mark.recordings
CONVERTER_BITS = 12


def _compared(data: Dataset, family: str, form: str, shape: Shape, halves: tuple[int, int]) -> None:
    """Train a little on the first examples, quantise, and compare on the last: the standardisation is in the graph."""
    many = len(data.windows)
    known, held_out = (
        np.asarray(data.windows.inputs(rows), dtype=np.float64)
        for rows in (np.arange(halves[0]), np.arange(many - halves[1], many))
    )
    targets = torch.from_numpy(np.asarray(data.target_values))
    mean, deviation = known.mean(axis=(0, 2)), known.std(axis=(0, 2))
    step = np.abs(known).max() / 2 ** (CONVERTER_BITS - 1)
    codes = InputCodes(CONVERTER_BITS, signed=True, scale=step / deviation, offset=-mean / deviation)
    given = codes.codes_of((held_out - mean[:, None]) / deviation[:, None])
    seen = torch.from_numpy((known - mean[:, None]) / deviation[:, None]).float()
    spec = StudentSpec(family=family, shape=shape, training=Training(epochs=2, batch_size=32), seed=1)
    model = build(spec)
    fit(model, Examples(seen, targets[: halves[0]]), Examples(seen[:32], targets[:32]), spec)
    wanted = spec.model_copy(update={"form": parse_form(form)})
    quantised = quantised_from_float(wanted, model, seen[:64])
    found = agreement(quantised, lower(quantised, shape, codes=codes), given)
    assert found.elements > 1_000_000
    assert found.largest <= 1
    assert found.differing <= 1e-5 * found.elements, found
    assert found.changed == found.tied, found


def _steps(data: Dataset) -> int:
    return data.windows.inputs([0]).shape[2]


@pytest.mark.parametrize(("family", "form"), [("eegnet", "w8a8"), ("shallow", "w4a4"), ("mlp", "w2a4 edge=4")])
def test_windows_of_eeg(recordings: Path, family: str, form: str) -> None:
    data = load("ssvep_exoskeleton", data_dir=recordings, options={})
    shape = Shape(
        task="classification", channels=len(data.windows.channels), steps=_steps(data),
        outputs=int(np.max(data.target_values)) + 1, step_rate_hz=data.step_rate_hz,
    )  # fmt: skip
    _compared(data, family, form, shape, (96, 200))


@pytest.mark.parametrize("form", ["w8a8", "w4a4"])
def test_velocities_from_spikes(recordings: Path, form: str) -> None:
    data = load("m1_contdata95", data_dir=recordings, options={})
    shape = Shape(
        task="regression", channels=len(data.windows.channels), steps=_steps(data),
        outputs=data.target_values.shape[2], step_rate_hz=data.step_rate_hz,
    )  # fmt: skip
    _compared(data, "mlp", form, shape, (200, 200))
