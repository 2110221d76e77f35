"""Very many machines at once cost what `estimate` says of each, and every physical term only adds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from energy_workloads import dense_layer, neurons, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.design.choices import Choices, fitted_cells
from energy_models.design.constants import machine_constants
from energy_models.design.front import front_indices
from energy_models.design.grid import Task, price_machines
from energy_models.design.laws import gates, silicon_area_m2
from energy_models.design.machine import DESIGNED_STYLES, NUMBERS, Machine, at_point
from energy_models.design.memories import BuiltMemory, built
from energy_models.design.profile import machine_profile
from energy_models.design.room import needed_banks
from energy_models.design.search import search
from energy_models.design.widths import datapath_widths
from energy_models.errors import WorkloadError
from energy_models.mapping import STYLES
from energy_models.pricing import estimate
from energy_models.workload import Workload, at_widths, read_workload

KIB = 8192.0
EEGNET = at_widths(
    read_workload(Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json"),
    weight_bits=4, activation_bits=4,
)
FEW = Choices(
    styles=("weight_stationary_array",), supplies_v=(0.5, 0.7), rows=(8, 16), columns=(4,), word_bits=(32,),
    bank_bits=(KIB, 4 * KIB), weight_cells=("sram",), data_cells=("sram",), gated=(True,),
)
AXES: dict[str, tuple[float, ...]] = {
    "supply_v": (0.5, 0.65, 0.9), "rows": (1.0, 3.0, 16.0), "columns": (1.0, 5.0, 8.0),
    "weight_bank_bits": (KIB, 4 * KIB), "data_bank_bits": (KIB, 16 * KIB), "weight_word_bits": (8.0, 32.0),
    "data_word_bits": (16.0, 64.0),
}


def machines(**words: Any) -> Machine:
    """All points of the axes, or of the given style, node, cells and gating."""
    shapes: dict[str, list[int]] = {name: [1] * len(NUMBERS) for name in NUMBERS}
    for place, name in enumerate(NUMBERS):
        shapes[name][place] = len(AXES[name])
    numbers = {name: np.asarray(AXES[name]).reshape(shapes[name]) for name in NUMBERS}
    chosen = {"style": "weight_stationary_array", "node_nm": 65, "weight_cell": "sram", "data_cell": "sram"}
    return Machine(**{**chosen, "gated": True, **words}, **numbers)


@st.composite
def networks(draw: st.DrawFn) -> Workload:
    layers = [
        dense_layer(
            draw(st.integers(1, 90)), draw(st.integers(1, 40)), name=f"fc{place}", positions=draw(st.integers(1, 6)),
            weight_bits=draw(st.sampled_from([2, 4, 8])), activation_bits=draw(st.sampled_from([4, 8])),
        )
        for place in range(draw(st.integers(1, 3)))
    ]
    return workload(*layers, neurons(draw(st.integers(1, 30)), active=1, spikes=1))


def of_point(values: Any, shape: tuple[int, ...], point: int) -> float:
    return float(np.broadcast_to(np.asarray(values), shape).flat[point])


grids = st.builds(
    machines, style=st.sampled_from(DESIGNED_STYLES), node_nm=st.sampled_from([22, 45, 65, 90]),
    weight_cell=st.sampled_from(["sram", "standard_cell", "register", "non_volatile"]),
    data_cell=st.sampled_from(["sram", "standard_cell", "register"]), gated=st.booleans(),
)


@settings(max_examples=30, deadline=None)
@given(networks(), grids, st.sampled_from(["fastest", "slowest"]), st.floats(0.1, 200.0), st.data())
def test_each_of_very_many_machines_costs_what_estimate_says(
    work: Workload, many: Machine, clock: Any, rate: float, data: st.DataObject
) -> None:
    if STYLES[many.style].refuses(work):
        work = dataclasses.replace(work, mode="stream", steps_per_decode=1)
    widths = datapath_widths([work])
    prices = price_machines(
        work, many, needed_banks(work, many), widths, decode_rate_hz=rate, deadline_s=1 / rate, clock=clock
    )
    shape = np.broadcast_shapes(*(np.shape(getattr(many, name)) for name in NUMBERS))
    point = data.draw(st.integers(0, int(np.prod(shape)) - 1))
    one = dataclasses.replace(many, **at_point(many, point))
    memories = built(one, needed_banks(work, one))
    hertz = of_point(prices.clock_hz, shape, point)
    profile = machine_profile(one, memories, widths, clock_hz=hertz, name="one", title="One")
    report = estimate(work, profile, None, decode_rate_hz=rate)
    assert report.unaccounted == ()
    for cause, power in prices.power_w.items():
        assert of_point(power, shape, point) == pytest.approx(report.power_w[cause].nominal, rel=1e-12, abs=1e-30)
    assert of_point(prices.latency_s, shape, point) == pytest.approx(report.latency_s.nominal, rel=1e-12)
    total = sum(band.nominal for band in report.power_w.values())
    assert of_point(prices.decoder_power_w, shape, point) == pytest.approx(total, rel=1e-12)
    if clock == "slowest" and of_point(prices.busy, shape, point) < 0.99:
        assert report.latency_s.nominal == pytest.approx(1 / rate, rel=1e-9)  # the deadline is met just so


def test_a_memory_of_more_banks_costs_no_less_and_takes_no_less_room() -> None:
    work = workload(dense_layer(40, 20))
    many, widths = machines(), datapath_widths([work])
    weights, data = needed_banks(work, many)
    few = price_machines(work, many, (weights, data), widths, decode_rate_hz=2.0, deadline_s=0.5)
    more = price_machines(work, many, (weights + 3, data + 5), widths, decode_rate_hz=2.0, deadline_s=0.5)
    assert np.all(more.decoder_power_w >= few.decoder_power_w)
    assert np.any(more.decoder_power_w > few.decoder_power_w)
    assert np.all(more.area_m2 > few.area_m2)


def test_more_cells_take_more_room_leak_more_and_clock_more() -> None:
    widths = datapath_widths([EEGNET])
    small = machines()
    large = dataclasses.replace(small, rows=2 * np.asarray(small.rows))
    assert np.all(gates(large, widths) > gates(small, widths))
    area = [silicon_area_m2(one, built(one, (3.0, 5.0)), widths) for one in (small, large)]
    assert np.all(area[1] > area[0])


def test_a_memory_costs_more_with_its_size_word_node_and_supply() -> None:
    def read(**change: Any) -> float:
        base: dict[str, Any] = {
            "cell": "sram", "node_nm": 45, "banks": 4.0, "bank_bits": 4 * KIB, "word_bits": 32.0, "rail_v": 0.7,
        }
        memory = BuiltMemory(**{**base, **change})
        return float(memory.access_j("read") + memory.wires_j())

    assert read(banks=16.0) > read()  # wires between banks
    assert read(bank_bits=16 * KIB) > read()
    assert read(word_bits=64.0) > read()
    assert read(rail_v=0.9) == pytest.approx(read() * (0.9 / 0.7) ** 2)
    assert read(node_nm=65) > read()


def test_networks_in_floating_point_have_no_designed_machine() -> None:
    floating = read_workload(Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json")
    with pytest.raises(WorkloadError, match=r"floating point.*quantise"):
        datapath_widths([floating])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 3))
def test_the_front_is_that_of_comparing_every_pair(seed: int, points: int, kinds: int) -> None:
    costs = np.random.default_rng(seed).integers(1, 12, (points, kinds)).astype(np.float64)
    costs[:: 7] = np.inf
    beaten = [
        any(
            np.all(costs[other] <= costs[one]) and (np.any(costs[other] < costs[one]) or other < one)
            for other in range(points) if other != one
        )
        for one in range(points)
    ]
    wanted = {one for one in range(points) if np.all(np.isfinite(costs[one])) and not beaten[one]}
    assert {tuple(costs[one]) for one in front_indices(costs)} == {tuple(costs[one]) for one in wanted}
    assert len(front_indices(costs)) == len(wanted)


def test_a_network_that_waits_is_as_late_as_estimate_says() -> None:
    late = dataclasses.replace(workload(dense_layer(40, 20)), delay_s=0.4)
    many, widths = machines(), datapath_widths([late])
    prices = price_machines(late, many, needed_banks(late, many), widths, decode_rate_hz=2.0, deadline_s=0.5)
    assert np.all(np.asarray(prices.latency_s) > 0.4)
    with pytest.raises(WorkloadError, match="none of"):
        search([Task(late, 2.0, 0.3)], FEW)
    slow = search([Task(late, 2.0, 0.5)], dataclasses.replace(FEW, clocks=("slowest",))).best
    report = estimate(late, slow.profile, None, decode_rate_hz=2.0)
    assert report.latency_s.nominal == pytest.approx(slow.latency_s[0], rel=1e-9)
    assert slow.latency_s[0] == pytest.approx(0.5, rel=1e-6)


def test_several_networks_on_one_machine_have_one_clock_however_they_are_called() -> None:
    works = [workload(dense_layer(60, 40)), workload(dense_layer(20, 4))]  # of one name
    tasks = [Task(works[0], 20.0, 0.05), Task(works[1], 1.0, 1.0)]
    for clock in ("fastest", "slowest"):
        best = search(tasks, dataclasses.replace(FEW, clocks=(clock,))).best
        for task, power, latency in zip(tasks, best.decoder_power_w, best.latency_s, strict=True):
            report = estimate(task.workload, best.profile, None, decode_rate_hz=task.decode_rate_hz)
            assert report.decoder_power_w.nominal == pytest.approx(power, rel=1e-9)
            assert report.latency_s.nominal == pytest.approx(latency, rel=1e-9)


def test_a_table_below_the_lowest_supply_of_its_cells_pays_for_its_rail() -> None:
    looked_up = BuiltMemory("sram", 65, 1.0, 8192, 32, 0.6)
    many = machines(weight_cell="standard_cell", data_cell="standard_cell")
    memories = built(many, (1.0, 1.0))
    found = machine_constants(many, memories, datapath_widths([EEGNET]))["execution.operations.integer.lookup.fixed"]
    low = float(np.asarray(found).flat[0])  # logic at 0.5 V
    assert low == pytest.approx(float(looked_up.access_j("read")) / 0.85)


def test_sizes_that_just_fit_are_kept() -> None:
    rows, columns = fitted_cells([workload(dense_layer(34, 17))], "weight_stationary_array")
    assert 34 in rows
    assert 17 in columns
