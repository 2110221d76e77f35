"""A Conformer in integers on motor imagery: every integer of the deployed graph, and every decision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cosim.datasets.registry import load
from students.deploy import InputCodes, agreement, lower
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit


@pytest.mark.slow
@pytest.mark.recordings
@pytest.mark.parametrize("form", ["w8a8", "w4a4"])
def test_a_conformer_decides_motor_imagery_in_integers(recordings: Path, form: str) -> None:
    """Imagined left and right fist, one subject, 64 electrodes; trained a little on two runs, compared on the third."""
    data = load("eegmmidb", data_dir=recordings / "eegmmidb_S001", options={"task": "imagined_left_right"})
    seen = np.asarray(data.windows.inputs(np.arange(len(data.windows.starts))), dtype=np.float64)
    held = data.windows.recording == data.windows.recording.max()
    mean, deviation = seen[~held].mean((0, 2)), seen[~held].std((0, 2))
    channels, steps = seen.shape[1:]
    shape = Shape(task="classification", channels=channels, steps=steps, outputs=2, step_rate_hz=160.0)
    step = float(np.abs(seen).max()) / 2**11
    codes = InputCodes(12, signed=True, scale=step / deviation, offset=-mean / deviation)
    converted = np.clip(np.rint(seen / step), -(2**11), 2**11 - 1).astype(np.int64)
    inputs = torch.from_numpy(codes.values_of(converted)).float()
    examples = Examples(inputs[~held], torch.from_numpy(np.asarray(data.target_values[~held])))
    training = Training(epochs=4, batch_size=8, learning_rate=5e-3)
    spec = StudentSpec(family="conformer", shape=shape, training=training, seed=1)
    floating = build(spec)
    fit(floating, examples, examples, spec)
    wanted = spec.model_copy(update={"form": parse_form(form)})
    model = quantised_from_float(wanted, floating, examples.inputs)
    fit(model, examples, examples, wanted)
    found = agreement(model.eval(), lower(model, shape, codes=codes), converted[held])
    assert found.decisions == int(held.sum()) > 10
    assert found.changed == found.tied
    assert found.largest <= 1
    assert found.differing <= 1e-5 * found.elements, found
