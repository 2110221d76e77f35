"""Activations in memory at once, by hand: what each style stores between layers, and what lies there already."""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import (
    count,
    dense_layer,
    neurons,
    products,
    toy_array,
    toy_broadcast,
    toy_core,
    toy_event,
    toy_output_stationary,
    toy_ring,
    toy_table_machine,
    workload,
)

from energy_models.hardware import HardwareProfile, load_profile
from energy_models.mapping import access_counts, place
from energy_models.mapping.live import live_passes
from energy_models.mapping.placing import passing_bits, required_bits
from energy_models.pricing import estimate
from energy_models.workload import Kind, LayerWork, Workload

STREAMING = (toy_output_stationary(), toy_broadcast(), toy_ring())
"""Dense machines whose unfinished sums never leave their registers, whatever the size of a layer."""


def follower(kind: Kind, shape: tuple[int, ...], bits: tuple[int, int], **changes: object) -> LayerWork:
    """An element-wise layer from one width to another."""
    elements = 1
    for axis in shape:
        elements *= axis
    layer = LayerWork(
        name=kind, kind=kind, arithmetic="integer", calls=1, input_shape=shape, output_shape=shape, inputs=elements,
        outputs=elements, activation_bits=bits[0], output_bits=bits[1],
    )
    return dataclasses.replace(layer, **changes)  # type: ignore[arg-type]


def convolution(name: str, channels: tuple[int, int], taps: int, steps: int, **changes: object) -> LayerWork:
    """A convolution of 8 bit, sums of 20 bit, as wide at its output as it is summed."""
    shapes = [(side, steps) for side in channels]
    weights = channels[0] * channels[1] * taps
    layer = LayerWork(
        name=name, kind="conv", arithmetic="integer", calls=1, input_shape=shapes[0], output_shape=shapes[1],
        inputs=channels[0] * steps, outputs=channels[1] * steps, reduction=channels[0] * taps,
        products=products(weights * steps), weights=weights, weights_nonzero=weights, weights_key=name, weight_bits=8,
        activation_bits=8, output_bits=20, accumulator_bits=20,
    )
    return dataclasses.replace(layer, **changes)  # type: ignore[arg-type]


def live(machine: HardwareProfile, *layers: LayerWork, **shape: object) -> list[int]:
    return [one.bits for one in live_passes(workload(*layers, **shape), machine.execution)]  # type: ignore[arg-type]


def one_convolution(first: LayerWork | None = None) -> Workload:
    """3072 samples of one channel, 32 filters of 15 taps, a ReLU that requantises, one channel out."""
    grid = follower("quantise", (1, 3072), (8, 8)) if first is None else first
    relu = follower("activation", (32, 3072), (20, 8))
    layers = (grid, convolution("in", (1, 32), 15, 3072), relu, convolution("out", (32, 1), 1, 3072))
    return workload(*layers, mode="window", steps=3072, channels=1)


def test_one_convolution_of_int8_fits_a_microcontroller() -> None:
    # int8 in 3,072 B + int8 out 98,304 B; weights are in flash, sums of 20 bit in registers, the window there once
    placed = place(one_convolution(), load_profile("nrf52840"))
    assert {use.memory: use.used_bits / 8 for use in placed.uses} == {"sram": 101_376, "flash": 32 * 15 + 32}
    assert placed.infeasibilities == ()
    assert required_bits(one_convolution(), load_profile("nrf52840").execution) == {
        "weights": 8 * (32 * 15 + 32), "activations": 8 * 98_304, "state": 0, "buffers": 8 * 3_072,
    }


@pytest.mark.parametrize("machine", [toy_core(), *STREAMING], ids=lambda one: one.execution.style)
def test_outputs_are_stored_as_the_stream_leaves_them(machine: HardwareProfile) -> None:
    # 16 of 8 bit in (the newest sample: in buffers), 6 of 20 bit summed, of 4 bit stored; then 6 read, 5 stored at 8
    layers = (
        dense_layer(16, 6, accumulator_bits=20, name="a"), follower("activation", (6,), (20, 20)),
        follower("quantise", (6,), (20, 4)), dense_layer(6, 5, activation_bits=4, name="b"),
        dense_layer(5, 2, name="c"),
    )
    wide = dataclasses.replace(layers[0], output_bits=20)
    assert live(machine, wide, *layers[1:]) == [6 * 4, 6 * 4 + 5 * 4, 5 * 8]


def test_unfinished_sums_are_kept_where_a_style_has_them_in_memory() -> None:
    # as above: 16 products an output are two tiles of 8 rows, sums of 20 bit for a tile of 4 columns over 4 bit stored;
    # on event cores the sums of all 6 outputs. The result (2 outputs, 5 products each: one tile) is stored nowhere
    layers = (
        dense_layer(16, 6, accumulator_bits=20, name="a"), follower("quantise", (6,), (20, 4)),
        dense_layer(6, 2, activation_bits=4, name="b"),
    )
    assert live(toy_array(), *layers) == [6 * 4 + 4 * (20 - 4), 6 * 4]
    for machine in (toy_event(), toy_table_machine()):
        assert live(machine, *layers) == [6 * 20, 6 * 4 + 2 * 32]


def test_neurons_store_spikes_behind_an_array_and_currents_behind_a_kernel() -> None:
    # 32 inputs of 1 bit, 20 currents of 12 bit, 20 spikes, 2 outputs. A core writes the currents for the neurons to
    # read; they write their spikes over them
    layers = (
        dense_layer(32, 20, activation_bits=1, accumulator_bits=12, name="a"),
        neurons(20, active=5, spikes=3), dense_layer(20, 2, activation_bits=1, accumulator_bits=12, name="b"),
    )
    current = dataclasses.replace(layers[0], output_bits=12)
    read = dataclasses.replace(layers[1], activation_bits=12)
    for machine in STREAMING:
        assert live(machine, current, read, layers[2]) == [32 + 20, 20]
    assert live(toy_core(), current, read, layers[2]) == [32 + 20 * 12, 20 * 12, 20]
    assert live(toy_event(), current, read, layers[2]) == [32 + 20 * 12, 20 + 2 * 12]


def test_neurons_take_a_window_step_by_step() -> None:
    # 4 x 16 currents of 20 bit made at once; 4 neurons in 16 calls of a loop; 64 spikes are read at once
    first, last = convolution("a", (4, 4), 3, 16), convolution("b", (4, 1), 1, 16, activation_bits=1)
    loop = dataclasses.replace(
        neurons(4, active=2, spikes=1), calls=16, inputs=64, outputs=64, activation_bits=20, state_bits=20
    )
    for machine in STREAMING:
        assert live(machine, first, loop, last, channels=4) == [64 * 8 + 64, 64]
    assert live(toy_core(), first, loop, last, channels=4) == [64 * 28, 64 * 20, 64]


def test_words_written_are_those_of_the_stored_width() -> None:
    # 64 currents of 16 bit would be 32 words; 64 spikes are 2. Energy: 8 words of weights and 1 of inputs at 2 pJ
    layers = (
        dense_layer(4, 64, activation_bits=1, accumulator_bits=16, weight_bits=1, name="a"),
        neurons(64, active=5, spikes=3), dense_layer(64, 2, activation_bits=1, name="b"),
    )
    work = workload(dataclasses.replace(layers[0], output_bits=16), *layers[1:])
    for machine in (toy_array(), *STREAMING):
        found = [one for one in access_counts(work, machine) if one.layer == "a" and one.level == "d"]
        assert [one.writes for one in found] == [2]
        energy = estimate(work, machine, None, decode_rate_hz=1).layers[0].energy_j["memory"].nominal
        direct = estimate(workload(layers[0], *layers[1:]), machine, None, decode_rate_hz=1)
        assert energy == direct.layers[0].energy_j["memory"].nominal  # output_bits = 1: what the neurons make of it
    # a core's kernel writes what its epilogue makes, and currents as they are
    on_core = [one for one in access_counts(work, toy_core()) if one.layer == "a" and one.level == "d"]
    assert [one.writes for one in on_core] == [32]
    grid = follower("quantise", (64,), (16, 4))
    fused = workload(dataclasses.replace(layers[0], output_bits=16), grid, layers[2])
    assert [one.writes for one in access_counts(fused, toy_core()) if one.layer == "a" and one.level == "d"] == [8]


def test_a_module_at_several_places_stores_no_sums() -> None:
    # one ReLU behind two convolutions is one layer of two calls: 64 of 20 bit never lie anywhere
    shared = follower("activation", (4, 16), (20, 8), calls=2, inputs=128, outputs=128)
    first, second = (convolution(name, (4, 4), 3, 16, output_bits=8) for name in ("a", "b"))
    for machine in (toy_core(), *STREAMING):
        found = live(machine, first, shared, second, convolution("c", (4, 1), 1, 16), channels=4)
        assert found == [2 * 64 * 8, 2 * 64 * 8, 64 * 8]


def test_pools_and_sums_of_branches_are_passes_of_their_own() -> None:
    # 64 of 20 bit summed, pooled as they are (no style has a pool in its pipeline), 16 put on a grid of 8 bit
    pool = follower("pool", (4, 16), (20, 20), output_shape=(4, 4), outputs=16)
    layers = (
        convolution("a", (4, 4), 3, 16), pool, follower("quantise", (4, 4), (20, 8)), convolution("b", (4, 1), 1, 4),
    )
    branch, relu = follower("elementwise", (4, 16), (8, 9)), follower("activation", (4, 16), (9, 8))
    both = (convolution("a", (4, 4), 3, 16, output_bits=8), branch, relu, convolution("b", (4, 1), 1, 16))
    for machine in (toy_core(), *STREAMING):
        assert live(machine, *layers, channels=4) == [64 * 28, 64 * 20 + 16 * 8, 16 * 8]
        assert live(machine, *both, channels=4) == [2 * 64 * 8, 2 * 64 * 8, 64 * 8]


def test_a_chain_of_element_wise_layers_is_one_loop() -> None:
    # a norm behind a clip is no epilogue; what it makes, 32 bit wide, is requantised in the same loop
    layers = (
        convolution("a", (4, 4), 3, 16), follower("activation", (4, 16), (20, 8)), follower("norm", (4, 16), (8, 32)),
        follower("quantise", (4, 16), (32, 4)), convolution("b", (4, 1), 1, 16, activation_bits=4),
    )
    assert live(toy_core(), *layers, channels=4) == [2 * 64 * 8, 64 * 8, 64 * 4]
    for machine in STREAMING:
        assert live(machine, *layers, channels=4) == [64 * 12, 64 * 4]
    # a norm of sums reads them in memory
    direct = (layers[0], follower("norm", (4, 16), (20, 32)), *layers[3:])
    assert live(toy_core(), *direct, channels=4) == [64 * 28, 64 * 20, 64 * 4]


def test_a_float_network_clips_in_place() -> None:
    # 16 x 32 bit in, 64 x 32 bit out; the ReLU is no epilogue of a float kernel, and needs no copy
    first = dense_layer(16, 64, activation_bits=32, arithmetic="float", name="a")
    relu = dataclasses.replace(follower("activation", (64,), (32, 32)), arithmetic="float")
    last = dense_layer(64, 2, activation_bits=32, arithmetic="float", name="b")
    work = dataclasses.replace(workload(first, relu, last), input_bits=32)
    for machine, bits in ((toy_core(), [2048, 2048, 2048]), (toy_output_stationary(), [2048, 2048])):
        assert [one.bits for one in live_passes(work, machine.execution)] == bits


def test_a_copy_of_the_window_is_counted_where_there_is_one() -> None:
    core = toy_core().execution
    copy = 8 * 3_072
    # 16 bit in buffers, 8 bit in the copy that the quantiser makes
    assert live_passes(dataclasses.replace(one_convolution(), input_bits=16), core)[1].bits == copy + 8 * 98_304
    # a norm of the window is not done sample by sample
    norm = follower("norm", (1, 3072), (8, 8))
    assert [one.bits for one in live_passes(one_convolution(norm), core)] == [copy, copy + 8 * 98_304, 8 * 98_304]
    # what is read again and again by a streaming machine is stored too
    wide = dataclasses.replace(one_convolution(), input_bits=16)
    assert live_passes(wide, toy_output_stationary().execution)[0].bits == copy
    # a decoder that reads something else than the window has it as well
    frames = workload(dense_layer(40, 2), mode="window", steps=5, channels=4)
    assert live_passes(frames, core)[0].bits == 40 * 8


def test_a_window_kept_by_a_filter_is_read_there() -> None:
    # 5 steps x 4 channels of 16 bit in the filter's state; each sample is read from buffers, 4 x 16 bit made of it
    keeper = LayerWork(
        name="window", kind="filter", arithmetic="integer", calls=5, input_shape=(4,), output_shape=(4,), inputs=20,
        outputs=20, activation_bits=16, output_bits=16, state_bits=16, state_elements=20, state_writes=20,
        cadence="sample",
    )
    second = dataclasses.replace(keeper, name="gain", state_elements=0, state_writes=0, state_bits=0)
    hidden, read = dense_layer(20, 6, activation_bits=16, name="a"), dense_layer(6, 2, activation_bits=16, name="b")
    work = workload(keeper, second, hidden, read, mode="window", steps=5, channels=4)
    work = dataclasses.replace(work, input_bits=16)
    found = live_passes(work, toy_core().execution)
    assert [(one.cadence, one.bits) for one in found] == [
        ("sample", 64), ("sample", 128), ("decode", 6 * 16), ("decode", 6 * 16),
    ]
    # the activations of a decode end with it, beyond those of each sample
    assert passing_bits(work, toy_core().execution) == 0
    narrow = dataclasses.replace(work, layers=(keeper, second, dense_layer(20, 6, name="a"), read))
    # a copy of 8 bit is made by the layers between, which the list does not show: 20 x 8 + 6 x 8
    assert live_passes(narrow, toy_core().execution)[2].bits == 20 * 8 + 6 * 8
    assert passing_bits(narrow, toy_core().execution) == 20 * 8 + 6 * 8 - 128


def test_all_steps_wait_where_a_loop_meets_a_whole_window() -> None:
    # 4 steps of 8 numbers are made at once, then read step by step; 4 steps of 3 are made, then read at once
    before = dense_layer(20, 32, name="before")
    loop = dataclasses.replace(
        dense_layer(8, 3, name="loop"), calls=4, inputs=32, outputs=12, products=products(96), input_events=count(32)
    )
    after, last = dense_layer(12, 4, name="after"), dense_layer(4, 2, name="last")
    found = live(toy_core(), before, loop, after, last)
    assert found == [8 * (20 + 32), 8 * (32 + 12), 8 * (12 + 4), 8 * 4]
    # two layers of one loop hand on a step at a time
    second = dataclasses.replace(
        dense_layer(3, 2, name="second"), calls=4, inputs=12, outputs=8, products=products(24), input_events=count(12)
    )
    assert live(toy_core(), loop, second, channels=2) == [8 * (8 + 3), 8 * 3]


def test_both_signals_of_a_product_are_in_memory() -> None:
    # 5 x 7 times 7 x 3: 35 and 21 of 8 bit; 15 out of 8 bit
    both = dataclasses.replace(
        dense_layer(7, 3, name="scores", kind="attention"), input_shape=(5, 7), output_shape=(5, 3), inputs=35,
        outputs=15, products=products(105), weights=0, weights_nonzero=0, weights_key="", weight_bits=0,
    )
    assert live(toy_core(), both, dense_layer(15, 2)) == [8 * (35 + 21 + 15), 8 * 15]
    # a covariance is of one signal with itself: 5 x 7 in, 5 x 5 out
    own = dataclasses.replace(both, name="power", kind="matmul", output_shape=(5, 5), outputs=25)
    assert live(toy_core(), own, dense_layer(25, 2)) == [8 * (35 + 25), 8 * 25]
