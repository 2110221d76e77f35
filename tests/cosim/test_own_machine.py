"""Machines sized to the points of a sweep: one search for all points that ask the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import cosim
from cosim.api.sweeps import own_machine
from energy_models.design import Choices, Task
from energy_models.workload import Workload, neuron_layer, synapse_layer

LAYERS = (synapse_layer("synapses", 8, 4, spikes=6, steps=2), neuron_layer("neurons", 4, spikes=1, steps=2))
WORK = Workload("one of its own", "window", 2, 2, 8, 100.0, 8, LAYERS)


def test_points_that_differ_around_the_machine_alone_have_one_search(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    searched: list[Task] = []
    real = own_machine.search

    def counted(tasks: tuple[Task, ...], choices: Choices) -> Any:
        searched.extend(tasks)
        return real(tasks, dataclasses.replace(choices, styles=("output_stationary",), supplies_v=(0.6,)))

    own_machine._searched.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(own_machine, "search", counted)
    over = {"site.front_end.power": ["1 uW/channel", "3 uW/channel"], "decode_rate_hz": [1, 2]}
    table: Any = cosim.sweep(WORK, over=over, machines="designed", sites="implant_epilepsy").to_frame()
    assert len(table) == 4
    assert sorted(one.decode_rate_hz for one in searched) == [1, 2]
    said = capsys.readouterr().err
    assert said.count("designing a machine of 65 nm for one of its own") == 2

    cosim.sweep(WORK, over=over, machines="designed", sites="implant_epilepsy")
    assert len(searched) == 2
    own_machine._searched.cache_clear()  # pyright: ignore[reportPrivateUsage]
