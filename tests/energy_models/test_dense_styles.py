"""Output-stationary, input-broadcast, streaming ring: by hand, against loops that run them, and as properties."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from energy_workloads import (
    count,
    dense_layer,
    in_turn,
    neurons,
    products,
    toy_array,
    toy_broadcast,
    toy_output_stationary,
    toy_ring,
    with_operations,
    workload,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.errors import ProfileError, WorkloadError
from energy_models.hardware import HardwareProfile
from energy_models.mapping import ActionCounts, count_actions, place
from energy_models.mapping.styles.matrix_product import matrix_product
from energy_models.mapping.styles.output_stationary import output_stationary_cycles
from energy_models.pricing import estimate
from energy_models.workload import LayerWork

PJ = 1e-12
STYLES = (toy_output_stationary(), toy_broadcast(), toy_ring())
sizes = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))


def counts(layer: LayerWork, profile: HardwareProfile) -> ActionCounts:
    work = workload(layer)
    return count_actions(work, profile.execution, place(work, profile))[0]


def registers(found: ActionCounts) -> dict[str, tuple[float, float]]:
    return {one.operand: (one.bits_read, one.bits_written) for one in found.registers}


def test_output_stationary_by_hand() -> None:
    # 10 positions of 16 inputs x 6 outputs, W8A8, sums of 32 bit, on 8 rows x 4 columns: 2 x 2 tiles. 960 sites.
    # multiply   960 x 64 x 10 fJ = 614.4 pJ; accumulate 960 x 32 fJ = 30.72 pJ  -> compute 645.12 pJ, control as much
    # weights    96 x 8 / 32 = 24 words, once for each of 2 row tiles: 48 x 2 pJ = 96 pJ
    # inputs     160 x 2 column tiles x 8 / 32 = 80 words x 2 pJ = 160 pJ
    # outputs    60 x 8 / 32 = 15 words x 3 pJ = 45 pJ
    # registers  activations and weights 960 x 8 = 7680 bit in and out each: 2 x 7680 x 3 fJ = 46.08 pJ
    #            sums 900 x 32 = 28800 bit read, 30720 written, 60 x 32 = 1920 read to leave: 28.8 + 61.44 + 1.92
    # memory     96 + 160 + 45 + 46.08 + 92.16 = 439.24 pJ
    # cycles     4 x (16 + 8 + 4 - 2) = 104
    report = estimate(workload(dense_layer(16, 6, positions=10)), toy_output_stationary(), None, decode_rate_hz=1)
    energy = report.layers[0].energy_j
    assert energy["compute"].nominal == energy["control"].nominal == pytest.approx(645.12 * PJ)
    assert energy["memory"].nominal == pytest.approx(439.24 * PJ)
    assert report.cycles.nominal == 104
    assert report.latency_s.nominal == pytest.approx(104e-6 + 2e-6)


def test_input_broadcast_by_hand() -> None:
    # The same layer on 4 lanes of 2 sums: 6 filters are 2 vectors (4 and 2), all 8 sums at hand, one pass. 160 uses.
    # weights    96 x 8 / 32 = 24 words at each of 10 positions: 240 x 2 pJ = 480 pJ
    # inputs     160 x 8 / 32 = 40 words x 2 pJ = 80 pJ; outputs 45 pJ
    # registers  input 160 x 8 = 1280 bit written, read for 2 vectors: 2560 + 2 x 1280 = 5.12 pJ; sums 92.16 pJ (above)
    # cycles     160 x 2 broadcasts + 10 x 2 vectors of sums written = 340
    report = estimate(workload(dense_layer(16, 6, positions=10)), toy_broadcast(), None, decode_rate_hz=1)
    energy = report.layers[0].energy_j
    assert energy["compute"].nominal == pytest.approx(645.12 * PJ)
    assert energy["memory"].nominal == pytest.approx((480 + 80 + 45 + 5.12 + 92.16) * PJ)
    assert report.cycles.nominal == 340
    # one sum a lane: the second vector needs a second pass over the inputs, 40 words and 1280 register bits more
    narrow = estimate(
        workload(dense_layer(16, 6, positions=10)), toy_broadcast(sums_per_lane=1), None, decode_rate_hz=1
    )
    more = narrow.layers[0].energy_j["memory"].nominal - energy["memory"].nominal
    assert more == pytest.approx((40 * 2 + 1280 * 2e-3) * PJ)


RING_LAYER = LayerWork(  # 4 channels, 12 taps, 6 filters, one new sample: 48 products an output, 44 past elements kept
    name="conv", kind="conv", arithmetic="integer", calls=1, input_shape=(4,), output_shape=(6,), inputs=4, outputs=6,
    reduction=48, products=products(288), weights=288, weights_nonzero=288, weights_key="conv", weight_bits=8,
    activation_bits=8, output_bits=8, accumulator_bits=32, state_bits=8, state_elements=44, state_reads=44,
    state_writes=4,
)


def test_streaming_ring_by_hand() -> None:
    # multiply 288 x 64 x 10 fJ = 184.32 pJ, accumulate 288 x 32 fJ = 9.216 pJ
    # weights 288 x 8 / 32 = 72 words x 2 pJ = 144; new samples 4 x 8 = 1 word, 2 pJ; outputs 48 bit = 2 words, 6 pJ
    # ring    44 x 8 / 32 = 11 words read 22 pJ, 4 x 8 = 1 word written 3 pJ
    # registers: window 48 x 8 = 384 bit written 0.768 pJ, 288 x 8 = 2304 read 2.304 pJ; 8 multipliers take 6 turns an
    #         output: sums 6 x 5 x 32 = 960 bit read, 6 x 6 x 32 = 1152 written, 192 read to leave: 0.96 + 2.304 + 0.192
    # cycles  6 outputs x 6 turns + 3 levels of the adder tree = 39
    report = estimate(workload(RING_LAYER), toy_ring(), None, decode_rate_hz=1)
    energy = report.layers[0].energy_j
    assert energy["compute"].nominal == pytest.approx(193.536 * PJ)
    assert energy["state"].nominal == pytest.approx(25 * PJ)
    assert energy["memory"].nominal == pytest.approx((144 + 2 + 6 + 0.768 + 2.304 + 0.96 + 2.304 + 0.192) * PJ)
    assert report.cycles.nominal == 39
    assert not report.infeasibilities


def test_a_window_does_not_fit_a_streaming_ring() -> None:
    work = workload(dense_layer(8, 4), mode="window", steps=5, channels=4)
    report = estimate(work, toy_ring(), None, decode_rate_hz=1)
    expected = "takes one new step a decode, workload 'by hand' a window of 5"
    assert any(expected in line for line in report.infeasibilities)
    assert not estimate(work, toy_output_stationary(), None, decode_rate_hz=1).infeasibilities


def _systolic(positions: int, depth: int, filters: int, rows: int, columns: int) -> tuple[int, Counter[str]]:
    """Run an output-stationary array cell by cell: the last busy cycle over all tiles, and what was moved."""
    moved: Counter[str] = Counter()
    cycles = 0
    for top in range(0, positions, rows):
        for left in range(0, filters, columns):
            inside = [(r, c) for r in range(min(rows, positions - top)) for c in range(min(columns, filters - left))]
            moved["input"] += len({(r, k) for r, _ in inside for k in range(depth)})
            moved["weight"] += len({(k, c) for _, c in inside for k in range(depth)})
            for _ in inside:
                moved["sum read"] += depth - 1
                moved["sum written"] += depth
            # the array is stepped whole: its last cell does its last product in cycle (rows-1) + (columns-1) + depth-1
            cycles += max(r + c + k for r in range(rows) for c in range(columns) for k in (0, depth - 1)) + 1
    return cycles, moved


@settings(max_examples=60, deadline=None)
@given(sizes)
def test_output_stationary_equals_a_run_of_the_array(size: tuple[int, int, int]) -> None:
    positions, depth, filters = size
    layer = dense_layer(depth, filters, positions=positions, weight_bits=32, activation_bits=32)  # one element a word
    found = counts(layer, toy_output_stationary())
    cycles, moved = _systolic(positions, depth, filters, 8, 4)
    assert found.cycles[0].count == cycles
    weights, streams = found.accesses
    assert (weights.reads, streams.reads) == (moved["weight"], moved["input"])
    assert streams.writes == positions * filters
    assert registers(found)["sums"] == (32 * moved["sum read"], 32 * moved["sum written"])


def test_published_cycles_of_output_stationary() -> None:
    # SCALE-Sim, 256^3 on 8 x 8: 32 x 32 tiles of 256 + 8 + 8 - 2; the tool prints the last cycle's index, 276479.
    product = matrix_product(dense_layer(256, 256, positions=256))
    assert output_stationary_cycles(product, 8, 8) - 1 == 32 * 32 * 270 - 1 == 276_479


@given(st.integers(1, 8), st.integers(1, 20), st.integers(1, 4))
def test_one_tile_fetches_unique_elements(positions: int, depth: int, filters: int) -> None:
    layer = dense_layer(depth, filters, positions=positions, weight_bits=32, activation_bits=32)
    weights, streams = counts(layer, toy_output_stationary()).accesses
    assert (weights.reads, streams.reads) == (layer.weights, layer.inputs)
    sums_read, _ = registers(counts(layer, toy_output_stationary()))["sums"]
    assert sums_read == 32 * (layer.products.dense_valid.mean - layer.outputs)  # type: ignore[union-attr]


def _broadcast(positions: int, depth: int, filters: int, lanes: int, sums: int) -> Counter[str]:
    """Run the lanes: inputs fetched, weights fetched, broadcasts, and the writing of finished sums."""
    moved: Counter[str] = Counter()
    vectors = [range(first, min(first + lanes, filters)) for first in range(0, filters, lanes)]
    for _ in range(positions):
        for first in range(0, len(vectors), sums):
            for k in range(depth):
                moved["input"] += 1
                for vector in vectors[first : first + sums]:
                    moved["cycle"] += 1
                    moved["weight"] += len(vector)
                    moved["sum read"] += 0 if k == 0 else len(vector)
                    moved["sum written"] += len(vector)
        moved["cycle"] += len(vectors)
    return moved


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(1, 6), st.integers(1, 3))
def test_input_broadcast_equals_a_run_of_the_lanes(size: tuple[int, int, int], lanes: int, sums: int) -> None:
    positions, depth, filters = size
    layer = dense_layer(depth, filters, positions=positions, weight_bits=32, activation_bits=32)
    found = counts(layer, toy_broadcast(lanes=lanes, sums_per_lane=sums))
    moved = _broadcast(positions, depth, filters, lanes, sums)
    weights, streams = found.accesses
    assert (weights.reads, streams.reads) == (moved["weight"], moved["input"])
    assert found.cycles[0].count == moved["cycle"]
    assert registers(found)["sums"] == (32 * moved["sum read"], 32 * moved["sum written"])


@pytest.mark.parametrize("profile", STYLES, ids=lambda one: one.execution.style)
def test_halved_weights_halve_their_words_and_their_multiplier_only(profile: HardwareProfile) -> None:
    # 16 x 8 weights fill words at 8 and at 4 bits
    wide, narrow = (dense_layer(16, 8, positions=3, weight_bits=bits) for bits in (8, 4))
    reads = [counts(one, profile).accesses[0].reads for one in (wide, narrow)]
    assert reads[0] == 2 * reads[1] > 0
    energies = [estimate(workload(one), profile, None, decode_rate_hz=1).layers[0].energy_j for one in (wide, narrow)]
    # 384 multiplications of 8 x 8 against 8 x 4 bits, 10 fJ each square bit; the accumulator is as wide as before
    saved = energies[0]["compute"].nominal - energies[1]["compute"].nominal
    assert saved == pytest.approx(384 * (64 - 32) * 10e-15)
    sums = [registers(counts(one, profile))["sums"] for one in (wide, narrow)]
    assert sums[0] == sums[1]


@pytest.mark.parametrize("profile", [*STYLES, toy_array()], ids=lambda one: one.execution.style)
@pytest.mark.parametrize("form", ["binary", "ternary"])
def test_binary_and_ternary_weights_need_no_multiplier(profile: HardwareProfile, form: str) -> None:
    graded = dense_layer(16, 6, weight_bits=2)
    signs = dataclasses.replace(graded, weight_form=form)  # type: ignore[arg-type]
    assert {one.name for one in counts(graded, profile).operations} == {"multiply", "accumulate"}
    assert {one.name for one in counts(signs, profile).operations} == {"accumulate"}


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(1, 12), st.integers(1, 8), st.sampled_from(STYLES))
def test_total_is_exactly_the_sum_of_its_breakdown(
    size: tuple[int, int, int], weight_bits: int, activation_bits: int, profile: HardwareProfile
) -> None:
    positions, depth, filters = size
    layer = dense_layer(
        depth, filters, positions=positions, weight_bits=weight_bits, activation_bits=activation_bits
    )
    report = estimate(workload(layer, neurons(filters, active=1, spikes=1)), profile, None, decode_rate_hz=3)
    assert report.total_power_w.nominal == in_turn(one.nominal for one in report.power_w.values())
    inside = [one.nominal for part in report.layers for one in part.energy_j.values()]
    assert report.decode_energy_j.nominal == in_turn(inside)


@pytest.mark.parametrize("profile", STYLES, ids=lambda one: one.execution.style)
def test_work_in_one_of_four_decodes_is_amortised(profile: HardwareProfile) -> None:
    whole = with_operations(dense_layer(16, 6, positions=4), add=8)
    assert whole.products is not None
    quarter = dataclasses.replace(
        whole, products=products(96), operations={"add": count(2)}, input_events=count(16), decodes_per_call=4
    )
    one, other = (counts(layer, profile) for layer in (whole, quarter))
    assert [a.reads / 4 for a in one.accesses] == [a.reads for a in other.accesses]
    assert [r.bits_read / 4 for r in one.registers] == [r.bits_read for r in other.registers]
    assert [r.bits_written / 4 for r in one.registers] == [r.bits_written for r in other.registers]
    assert one.cycles[0].count / 4 == other.cycles[0].count


def test_depthwise_and_products_of_two_signals() -> None:
    # 4 groups of (10, 5) x (5, 2): on 8 rows x 4 columns 4 x 2 x 1 tiles of 5 + 10 cycles
    depthwise = LayerWork(
        name="dw", kind="depthwise", arithmetic="integer", calls=1, input_shape=(4, 10), output_shape=(8, 10),
        inputs=40, outputs=80, reduction=5, products=products(400), weights=40, weights_key="dw", weight_bits=8,
        activation_bits=8, output_bits=8, accumulator_bits=32,
    )
    assert counts(depthwise, toy_output_stationary()).cycles[0].count == 4 * 2 * 15
    # 4 lanes, 2 filters a group: half of them idle; 200 uses, 40 vectors of sums
    assert counts(depthwise, toy_broadcast()).cycles[0].count == 240
    # 2 heads of (6, 3) x (3, 6): the second signal is read as activations, 36 x 8 / 32 = 9 words
    scores = dataclasses.replace(
        depthwise, kind="matmul", input_shape=(2, 6, 3), output_shape=(2, 6, 6), outputs=72, reduction=3, weights=0,
        weights_key="", weight_bits=0, products=products(216),
    )
    held, _ = counts(scores, toy_output_stationary()).accesses
    assert (held.operand, held.reads) == ("activations", 9)


def test_products_without_a_reduction_are_refused() -> None:
    with pytest.raises(WorkloadError, match="reduction of 0"):
        counts(dataclasses.replace(dense_layer(4, 4), reduction=0), toy_output_stationary())


def test_a_control_factor_below_one_is_refused() -> None:
    table = toy_ring().model_dump(mode="json")
    table["execution"]["control_factor"] |= {"low": 0.5}
    from energy_models.quantities import parse_model

    with pytest.raises(ProfileError, match="cannot be below 1"):
        parse_model(table, HardwareProfile, where="toy")
