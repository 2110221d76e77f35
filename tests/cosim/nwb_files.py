"""Small NWB files written for tests."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write_nwb(
    path: Path,
    stored: np.ndarray | None = None,
    *,
    series: Mapping[str, Any] | None = None,
    trials: Sequence[Mapping[str, Any]] = (),
    invalid: Sequence[tuple[float, float]] = (),
    spikes: Sequence[Mapping[str, Any]] = (),
    hand: Mapping[str, Any] | None = None,
) -> Path:
    """Write an ElectricalSeries of `stored` (samples, channels), trials, units and a series of positions."""
    import pynwb
    from pynwb.ecephys import ElectricalSeries

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pynwb.NWBFile("made for a test", "one", datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
        group = file.create_electrode_group("g", "d", "l", file.create_device("amplifier"))
        if stored is not None:
            file.add_electrode_column("label", "its name")
            for number in range(stored.shape[1]):
                file.add_electrode(location="M1", group=group, label=f"C{number}")
            region = file.create_electrode_table_region(list(range(stored.shape[1])), "all")
            file.add_acquisition(ElectricalSeries(name="ECoG", data=stored, electrodes=region, **(series or {})))
        for name in dict.fromkeys(key for row in trials for key in row if key not in {"start_time", "stop_time"}):
            file.add_trial_column(name, "a column")
        for row in trials:
            file.add_trial(**row)
        for start, stop in invalid:
            file.add_invalid_time_interval(start_time=start, stop_time=stop)
        for unit in spikes:
            file.add_unit(**unit)
        if hand is not None:
            module = file.create_processing_module("behavior", "of the hand")
            module.add(pynwb.TimeSeries(name="hand", unit="m", **hand))
        with pynwb.NWBHDF5IO(str(path), "w") as out:
            out.write(file)
    return path
