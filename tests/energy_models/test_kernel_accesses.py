"""Weight-stationary cells and im2col kernels: accesses by hand, against loops that run them, published closed forms."""

from __future__ import annotations

from collections import Counter

from energy_workloads import dense_layer, toy_array, toy_core, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.hardware import HardwareProfile
from energy_models.mapping import ActionCounts, access_counts, count_actions, place
from energy_models.pricing import estimate
from energy_models.workload import LayerWork

sizes = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))


def counts(layer: LayerWork, profile: HardwareProfile) -> ActionCounts:
    work = workload(layer)
    return count_actions(work, profile.execution, place(work, profile))[0]


def registers(found: ActionCounts) -> dict[str, tuple[float, float]]:
    return {one.operand: (one.bits_read, one.bits_written) for one in found.registers}


def _stationary(positions: int, depth: int, filters: int, rows: int, columns: int) -> tuple[int, Counter[str]]:
    """Run a weight-stationary array cell by cell: cycles of loading, streaming and leaving, and what was moved."""
    moved: Counter[str] = Counter()
    cycles = 0
    for top in range(0, depth, rows):
        for left in range(0, filters, columns):
            inside = [(r, c) for r in range(min(rows, depth - top)) for c in range(min(columns, filters - left))]
            moved["weight"] += len(inside)
            moved["input"] += positions * len({r for r, _ in inside})
            for r, c in inside:
                moved["site"] += positions
                moved["sum read"] += positions if r else 0
                moved["partial read"] += positions if r == 0 and top else 0
                moved["left"] += positions if r == len({row for row, _ in inside}) - 1 else 0
                del c
            # rows cycles to load; the last input enters row rows-1 at rows-1 + positions-1 and crosses the columns
            cycles += rows + (rows - 1) + (positions - 1) + (columns - 1) + 1
    return cycles, moved


@settings(max_examples=60, deadline=None)
@given(sizes)
def test_weight_stationary_equals_a_run_of_the_array(size: tuple[int, int, int]) -> None:
    positions, depth, filters = size
    layer = dense_layer(depth, filters, positions=positions, weight_bits=32, activation_bits=32)  # one element a word
    found = counts(layer, toy_array())
    cycles, moved = _stationary(positions, depth, filters, 8, 4)
    assert found.cycles[0].count == cycles
    weights, streams = found.accesses
    assert weights.reads == moved["weight"] == layer.weights  # fills are unique elements
    assert streams.reads == moved["input"] + moved["partial read"]
    assert streams.writes == layer.outputs + moved["partial read"]
    bits = registers(found)
    assert bits["weights"] == (32 * moved["site"], 32 * moved["weight"])
    assert bits["sums"] == (32 * moved["sum read"], 32 * moved["site"])
    assert bits["outputs"][0] == 32 * moved["left"]


@given(st.integers(1, 20), st.integers(1, 8), st.integers(1, 20))
def test_sums_read_in_one_tile_of_rows_are_products_less_outputs(positions: int, depth: int, filters: int) -> None:
    layer = dense_layer(depth, filters, positions=positions)
    sites = positions * depth * filters
    for profile in (toy_array(), toy_core()):
        assert registers(counts(layer, profile))["sums"] == (32 * (sites - layer.outputs), 32 * sites)


def test_published_cycles_of_weight_stationary() -> None:
    # SCALE-Sim, 256^3 on 8 x 8: ceil(256/8)^2 tiles of 2 x 8 + 256 + 8 - 2 = 278 cycles
    from energy_workloads import quantity, toy_table

    from energy_models.quantities import parse_model

    execution = {**toy_array().execution.model_dump(mode="json", exclude_none=True), "rows": 8, "columns": 8}
    machine = parse_model(toy_table(execution, static=quantity(10, "nW")), HardwareProfile, where="toy")
    assert counts(dense_layer(256, 256, positions=256), machine).cycles[0].count == 32 * 32 * 278


def test_register_energy_of_weight_stationary_cells_is_in_the_control_factor() -> None:
    # as before there were counts: 48 + 16 + 30 + 6 pJ of memory (test_array_by_hand), nothing more
    energy = estimate(workload(dense_layer(16, 6)), toy_array(), None, decode_rate_hz=1).layers[0].energy_j
    assert abs(energy["memory"].nominal - 100e-12) < 1e-18


def _im2col(positions: int, depth: int, filters: int) -> Counter[str]:
    """Run the kernel: two gathered positions and two filters at a time."""
    moved: Counter[str] = Counter()
    for first in range(0, positions, 2):
        block = min(2, positions - first)
        if positions > 1:
            moved["input"] += block * depth
            moved["column written"] += block * depth
        for left in range(0, filters, 2):
            pair = min(2, filters - left)
            moved["column read"] += block * depth
            moved["weight"] += pair * depth
            moved["sum read"] += block * pair * (depth - 1)
    return moved


@settings(max_examples=60, deadline=None)
@given(sizes)
def test_im2col_equals_a_run_of_the_kernel(size: tuple[int, int, int]) -> None:
    positions, depth, filters = size
    layer = dense_layer(depth, filters, positions=positions, weight_bits=32, activation_bits=32)
    found = counts(layer, toy_core())
    moved = _im2col(positions, depth, filters)
    weights, streams = found.accesses
    assert weights.reads == moved["weight"]
    assert streams.reads == moved["input"] + moved["column read"]
    assert streams.writes == moved["column written"] + layer.outputs
    assert registers(found)["sums"][0] == 32 * moved["sum read"]


def test_im2col_by_hand() -> None:
    # 10 positions of 16 inputs x 6 filters, W8A8, words of 32 bit:
    # weights  96 x 8 / 32 = 24 words for each of 5 pairs of positions = 120
    # inputs   160 x 8 / 32 = 40 words; columns of 16 bit 160 x 16 / 32 = 80 written, read for 3 pairs of filters: 240
    # outputs  60 x 8 / 32 = 15 words
    weights, streams = counts(dense_layer(16, 6, positions=10), toy_core()).accesses
    assert (weights.reads, streams.reads, streams.writes) == (120, 40 + 240, 80 + 15)
    # one position: the input is multiplied where it lies, 16 x 8 / 32 = 4 words for each of 3 pairs of filters
    weights, streams = counts(dense_layer(16, 6), toy_core()).accesses
    assert (weights.reads, streams.reads, streams.writes) == (24, 12, 2)


def test_accesses_by_layer_operand_and_level() -> None:
    # test_array_by_hand: 24 words of weights; 8 + 6 words in, 6 + 2 out; two tiles of rows: sums 96 - 12 read
    found = {(one.operand, one.level): one for one in access_counts(workload(dense_layer(16, 6)), toy_array())}
    assert (found["weights", "w"].reads, found["weights", "w"].writes, found["weights", "w"].word_bits) == (24, 0, 32)
    assert (found["activations", "d"].reads, found["activations", "d"].writes) == (14, 8)
    assert (found["sums", "registers"].reads, found["sums", "registers"].writes) == (84 * 32, 96 * 32)
    assert {one.layer for one in found.values()} == {"fc"}
