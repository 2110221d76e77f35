"""What calibration reads of a signal, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.quantize.calibration import SAMPLES, signal_samples
from students.spec import Quantised, Shape, StudentSpec


def test_thinning_prefers_no_step_and_no_channel() -> None:
    """2 x 32 steps, 65,536 examples: a stride of 64 would see the first step of the first channel and nothing else."""
    signal = torch.arange(64.0).reshape(1, 2, 32).expand(SAMPLES, 2, 32)
    samples = signal_samples(nn.Sequential(nn.Identity()), ["0"], signal)["0"]
    assert 0.9 * SAMPLES < samples.numel() <= SAMPLES
    places = samples.flatten().long().bincount(minlength=64)
    assert int(places.max() - places.min()) <= 1


def test_a_calibration_set_of_another_shape_is_refused() -> None:
    shape = Shape(task="classification", channels=3, steps=32, outputs=2, step_rate_hz=64)
    spec = StudentSpec(family="mlp", shape=shape, seed=0)
    integer = spec.model_copy(update={"form": Quantised(weight=4, activation_bits=4)})
    with pytest.raises(StudentError, match=r"shape \(4, 5, 32\), expected \(examples, 3, 32\)"):
        quantised_from_float(integer, build(spec), torch.zeros(4, 5, 32))
