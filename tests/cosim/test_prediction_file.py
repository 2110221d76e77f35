"""Predictions come back as they were written; anything else is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosim.engine.prediction_file import PREDICTIONS, read_predictions, write_predictions
from energy_models.errors import CosimError


def test_predictions_come_back(tmp_path: Path) -> None:
    outputs = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    write_predictions(tmp_path, np.arange(6)[::2], np.array([0, 1, 2]), outputs[::2])  # not contiguous in memory
    found = read_predictions(tmp_path, "session 1")
    assert found.examples.tolist() == [0, 2, 4]
    assert (found.outputs == outputs[::2]).all()
    assert found.outputs.dtype == np.float32
    assert found.folds.tolist() == ["session 1"] * 3


@pytest.mark.parametrize("damage", ["absent", "truncated", "other arrays"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    write_predictions(tmp_path, np.arange(3), np.arange(3), np.eye(3))
    path = tmp_path / PREDICTIONS
    if damage == "absent":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        from safetensors.numpy import save_file

        save_file({"weights": np.eye(2)}, path)
    with pytest.raises(CosimError, match=r"predictions\.safetensors: no file of predictions"):
        read_predictions(tmp_path, "one")
