"""A made session of the primate reaching format: rates that follow a smooth velocity, targets that jump."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.cosim.matlab_files import Cell, for_version_7, write

INTERVAL_S = 0.004


def made_session(samples: int, channels: int = 6, reach: int = 150, seed: int = 0) -> dict[str, Any]:
    """Return the variables; channel 0 is silent, and unit 1 of every channel has no spike."""
    chance = np.random.default_rng(seed)
    times = 1000.0 + INTERVAL_S * np.arange(samples)
    smooth = np.hanning(61) / np.hanning(61).sum()
    velocity = np.stack([np.convolve(chance.normal(0, 9, samples), smooth, "same") for _ in range(2)], axis=1)
    tuning = chance.normal(0, 0.8, (2, channels))
    rates = np.exp(-1.8 + velocity @ tuning).clip(max=0.9)
    fired = chance.random((samples, channels)) < rates
    fired[:, 0] = False
    spikes = [times[fired[:, place]] - 0.001 for place in range(channels)]
    target = chance.integers(0, 8, (-(-samples // reach), 2)).repeat(reach, axis=0)[:samples].astype(float)
    target += np.arange(samples)[:, None] // reach  # no two neighbours are one
    return {
        "t": times[:, None], "cursor_pos": np.cumsum(velocity, axis=0) * INTERVAL_S, "target_pos": target,
        "spikes": [*spikes, *([np.zeros(0)] * channels)], "chan_names": [f"M1 {one:03}" for one in range(channels)],
    }  # fmt: skip


def write_session(path: Path, content: dict[str, Any], version: str = "7.3") -> Path:
    """Write a session as MATLAB does: cells of channels by units, column vectors."""
    channels = len(content["chan_names"])
    columns = [one[:, None] for one in content["spikes"]]
    plain = {**content, "chan_names": Cell(content["chan_names"])}
    if version == "5":
        cells = np.empty((channels, len(columns) // channels), dtype=object)
        for number, one in enumerate(columns):
            cells[number % channels, number // channels] = one
        return write(path, "5", {**plain, "spikes": cells})
    with h5py.File(path, "w") as file:
        for name, value in plain.items():
            if name != "spikes":
                for_version_7(file, file, name, value)
        data = file.create_dataset("spikes", (len(columns) // channels, channels), h5py.ref_dtype)
        data.attrs["MATLAB_class"] = np.bytes_("cell")
        for number, one in enumerate(columns):
            made = _cell(file, f"s{number}", one)
            data[number // channels, number % channels] = made.ref
    return path


def _cell(file: Any, name: str, column: np.ndarray) -> Any:
    """Write the spikes of a unit; MATLAB writes the shape of what is empty."""
    refs = file.require_group("#refs#")
    made = refs.create_dataset(name, data=np.zeros(2, np.uint64) if not column.size else column.T)
    made.attrs["MATLAB_class"] = np.bytes_("double")
    if not column.size:
        made.attrs["MATLAB_empty"] = np.uint8(1)
    return made
