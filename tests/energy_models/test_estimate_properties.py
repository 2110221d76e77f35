"""What holds for any workload: sums, order of bounds, packing, idle cost, affinity in the decode rate."""

from __future__ import annotations

import dataclasses
import math
import time

import pytest
from energy_workloads import count, dense_layer, in_turn, neurons, quantity, toy_array, toy_event, toy_site, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.hardware import load_profile, load_site, profile_names
from energy_models.mapping import words
from energy_models.pricing import estimate
from energy_models.quantities import Band
from energy_models.workload import LayerWork

PROFILES = profile_names()
ARRAY, EVENT = load_profile("asic65_near_memory"), load_profile("event_core_28nm")

layers = st.builds(
    dense_layer, st.integers(1, 200), st.integers(1, 60), positions=st.integers(1, 20), weight_bits=st.integers(1, 8),
    activation_bits=st.integers(1, 8), accumulator_bits=st.integers(8, 32),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(layers, max_size=4), st.sampled_from(PROFILES), st.floats(0.1, 100))
def test_total_is_the_sum_of_its_parts_and_bounds_are_ordered(
    found: list[LayerWork], name: str, rate: float
) -> None:
    report = estimate(workload(*found), load_profile(name), load_site("headset_commodity"), decode_rate_hz=rate)
    for bound in ("low", "nominal", "high"):
        parts = [getattr(band, bound) for band in report.power_w.values()]
        assert getattr(report.total_power_w, bound) == in_turn(parts)
        inside = [getattr(band, bound) for layer in report.layers for band in layer.energy_j.values()]
        assert getattr(report.decode_energy_j, bound) == in_turn(inside)
        # the same joules, seen as power: every cause that comes from decoding, times the rate
        causes = ("compute", "memory", "state", "control", "features")
        spent = sum(getattr(report.power_w[cause], bound) for cause in causes)
        assert math.isclose(spent, rate * sum(inside), rel_tol=1e-9, abs_tol=1e-30)
    everything: list[Band] = [*report.power_w.values(), report.latency_s, report.cycles, report.decode_energy_j]
    assert all(0 <= band.low <= band.nominal <= band.high for band in everything)


@settings(max_examples=40, deadline=None)
@given(layers, st.sampled_from(PROFILES), st.floats(0.5, 20), st.floats(1, 4))
def test_power_is_affine_in_the_decode_rate(layer: LayerWork, name: str, rate: float, factor: float) -> None:
    profile, work = load_profile(name), workload(layer)
    rates = (rate, 2 * rate, rate * factor)
    reports = [estimate(work, profile, None, decode_rate_hz=r) for r in rates]
    powers = [report.total_power_w.nominal for report in reports]
    slope = (powers[1] - powers[0]) / rate
    if len({None if report.reload is None else report.reload.choice for report in reports}) == 1:
        assert math.isclose(powers[2], powers[0] + slope * (rate * factor - rate), rel_tol=1e-9)
    else:  # the cheaper of two affine ways: concave
        (least, middle, most), (low, between, high) = sorted(rates), sorted(powers)
        assert between >= (low + (high - low) * (middle - least) / (most - least)) * (1 - 1e-9)
    assert slope > 0 or estimate(work, profile, None, decode_rate_hz=rate).infeasibilities  # nothing of it has a price


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50).map(lambda n: 8 * n), st.integers(1, 10).map(lambda n: 8 * n))
def test_half_the_weight_bits_are_half_the_words(inputs: int, outputs: int) -> None:
    assert words(inputs * outputs, 4, 32) * 2 == words(inputs * outputs, 8, 32)
    wide, narrow = (dense_layer(inputs, outputs, weight_bits=bits) for bits in (8, 4))
    for profile in (ARRAY, EVENT):
        more, less = (estimate(workload(w), profile, None, decode_rate_hz=1).decode_energy_j for w in (wide, narrow))
        assert less.nominal < more.nominal


@given(st.integers(0, 10_000), st.integers(1, 32), st.sampled_from([8, 32, 64]))
def test_words_hold_all_bits_and_not_one_word_more(elements: int, bits: int, word: int) -> None:
    found = words(elements, bits, word)
    assert (found - 1) * word < elements * bits <= found * word


@settings(max_examples=30, deadline=None)
@given(layers, st.integers(1, 8))
def test_array_energy_grows_with_either_width(layer: LayerWork, bits: int) -> None:
    for field in ("weight_bits", "activation_bits"):
        widths = sorted((max(2, bits), max(2, getattr(layer, field))))
        small, large = (
            estimate(workload(dataclasses.replace(layer, **{field: width})), ARRAY, None, decode_rate_hz=1)
            for width in widths
        )
        assert small.decode_energy_j.nominal <= large.decode_energy_j.nominal


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 100), st.integers(1, 50), st.data())
def test_event_core_energy_grows_with_events(inputs: int, outputs: int, data: st.DataObject) -> None:
    few, many = sorted(data.draw(st.lists(st.integers(0, inputs), min_size=2, max_size=2)))
    spent = [
        estimate(workload(dense_layer(inputs, outputs, activation_bits=1, events=n)), EVENT, None, decode_rate_hz=1)
        for n in (few, many)
    ]
    assert spent[0].decode_energy_j.nominal <= spent[1].decode_energy_j.nominal
    step = EVENT.quantity_at["execution.step.energy"].band.nominal
    assert (spent[0].decode_energy_j.nominal == step) == (few == 0)


def test_silence_on_the_event_core_leaves_static_retention_and_idle_updates() -> None:
    silent = workload(dense_layer(32, 16, activation_bits=1, events=0), neurons(16, active=0, spikes=0))
    report = estimate(silent, EVENT, None, decode_rate_hz=50)
    synapses, idle, step = report.layers
    assert all(band == Band(0, 0, 0) for band in synapses.energy_j.values())
    assert idle.energy_j["state"].nominal > 0
    assert idle.energy_j["control"].nominal >= 16 * EVENT.quantity_at["execution.control_per_idle_update"].band.nominal
    assert step.energy_j["control"] == EVENT.quantity_at["execution.step.energy"].band
    charged = {cause for cause, band in report.power_w.items() if band.high > 0}
    assert charged == {"state", "control", "static", "retention"}


def test_full_activity_costs_an_event_core_no_less_than_its_dense_twin() -> None:
    # density 1: a layer whose events were not counted is taken as dense
    counted = dense_layer(32, 16)
    uncounted = dataclasses.replace(counted, input_events=None)
    one, other = (estimate(workload(w), EVENT, None, decode_rate_hz=1).decode_energy_j for w in (counted, uncounted))
    assert one == other


@given(st.floats(0.05, 1.0))
def test_a_regulator_only_adds(efficiency: float) -> None:
    regulator = {"model": "efficiency", "efficiency": quantity(efficiency, "1")}
    work = workload(dense_layer(16, 6))
    bare = estimate(work, toy_array(), None, decode_rate_hz=10).total_power_w
    fed = estimate(work, toy_array(), toy_site(regulator=regulator), decode_rate_hz=10).total_power_w
    assert fed.nominal >= bare.nominal
    assert fed.nominal * efficiency == pytest.approx(bare.nominal)


def test_static_power_is_charged_without_work_and_once() -> None:
    empty = dataclasses.replace(dense_layer(1, 1), products=None, weights=0, weights_key="", kind="activation")
    nothing = workload(empty)
    for profile in (toy_array(), toy_event()):
        slow, fast = (estimate(nothing, profile, None, decode_rate_hz=rate) for rate in (0.01, 100))
        assert slow.power_w["static"] == fast.power_w["static"] == profile.static.band


def test_mean_over_decodes_is_what_is_priced() -> None:
    layer = dense_layer(16, 6, activation_bits=1, events=4)
    twice = dataclasses.replace(
        layer,
        input_events=count(8),
        products=dense_layer(16, 6, activation_bits=1, events=8).products,
    )
    one, two = (estimate(workload(w), toy_event(), None, decode_rate_hz=1).decode_energy_j for w in (layer, twice))
    step = 0.6e-12
    assert two.nominal - step == pytest.approx(2 * (one.nominal - step))


@pytest.mark.parametrize("name", PROFILES)
def test_one_estimate_takes_less_than_five_milliseconds(name: str) -> None:
    work = workload(*(dense_layer(64, 32, name=f"layer{i}") for i in range(12)), neurons(32, active=8, spikes=2))
    profile, site = load_profile(name), load_site("implant_utah96")
    estimate(work, profile, site, decode_rate_hz=50)
    best = math.inf
    for _ in range(20):
        start = time.perf_counter()
        estimate(work, profile, site, decode_rate_hz=50)
        best = min(best, time.perf_counter() - start)
    assert best < 5e-3
