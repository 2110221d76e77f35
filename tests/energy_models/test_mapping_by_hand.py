"""Hand-worked mappings: what a layer without products reads, how wide it multiplies, what is fused, what must fit."""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import count, dense_layer, products, toy_array, toy_core, toy_event, with_operations, workload

from energy_models.errors import WorkloadError
from energy_models.mapping.action_counts import operand_widths
from energy_models.mapping.placing import required_bits
from energy_models.mapping.styles.programmable_core import fused_epilogues
from energy_models.pricing import estimate
from energy_models.workload import LayerWork

PJ = 1e-12

FILTER = LayerWork(
    name="iir", kind="filter", arithmetic="integer", calls=5, input_shape=(4,), output_shape=(4,), inputs=20,
    outputs=20, operations={"multiply": count(100), "add": count(80)}, weights=5, weights_nonzero=5, weights_key="iir",
    weight_bits=8, activation_bits=8, output_bits=8, accumulator_bits=32,
)


def test_a_multiplication_outside_products_is_as_wide_as_its_operands_not_as_its_sum() -> None:
    assert operand_widths(FILTER, "multiply") == (8, 8)
    assert operand_widths(FILTER, "add") == (32, 32)
    assert operand_widths(dataclasses.replace(FILTER, weight_bits=6), "multiply") == (8, 6)
    # no stored coefficient: a value times a value; beside products: a value times the kept state
    assert operand_widths(dataclasses.replace(FILTER, weights=0, weight_bits=0), "multiply") == (8, 8)
    gate = dataclasses.replace(dense_layer(8, 4), state_bits=16, weight_bits=4)
    assert operand_widths(gate, "multiply") == (8, 16)


def test_constants_of_a_layer_without_products_are_read_at_every_call() -> None:
    # multiply 100 x 8 x 8 x 10 fJ = 64 pJ, add 80 x 32 x 1 fJ = 2.56 pJ
    # constants 5 x 8 = 40 bit -> 2 words, 5 calls: 10 words x 2 pJ = 20 pJ; 5 words in x 2 pJ, 5 out x 3 pJ = 25 pJ
    for machine in (toy_array(), toy_event()):
        energy = estimate(workload(FILTER), machine, None, decode_rate_hz=1).layers[0].energy_j
        assert energy["compute"].nominal == pytest.approx(66.56 * PJ)
        assert energy["memory"].nominal == pytest.approx(45 * PJ)
    # a layer on the stream between two others has no words in and out, but its constants too
    norm = dataclasses.replace(FILTER, kind="norm", calls=1)
    energy = estimate(workload(norm), toy_array(), None, decode_rate_hz=1).layers[0].energy_j
    assert energy["memory"].nominal == pytest.approx(4 * PJ)


def test_a_layer_behind_a_stride_is_counted_per_active_decode_and_amortised() -> None:
    # Every fourth decode it does what FILTER does in each (above): a quarter of 66.56 pJ and of 45 pJ a decode.
    quarter = dataclasses.replace(
        FILTER, operations={"multiply": count(25), "add": count(20)}, decodes_per_call=4
    )
    energy = estimate(workload(quarter), toy_array(), None, decode_rate_hz=1).layers[0].energy_j
    assert energy["compute"].nominal == pytest.approx(66.56 / 4 * PJ)
    assert energy["memory"].nominal == pytest.approx(45 / 4 * PJ)


def test_a_filter_on_a_core_is_priced_by_multiply_accumulates() -> None:
    # 80 pairs x 2 cycles (price of a filter's product) + 20 multiplications x 6 + 50 per decode
    core = toy_core()
    execution = core.execution.model_dump()
    execution["cycles_per_product"]["integer"]["filter"] = execution["cycles_per_product"]["integer"]["linear"]
    execution["cycles_per_operation"]["integer"]["multiply"] = execution["cycles_per_operation"]["integer"]["add"]
    priced = type(core).model_validate({**core.model_dump(), "execution": execution}, context={})
    assert estimate(workload(FILTER), priced, None, decode_rate_hz=1).cycles.nominal == 80 * 2 + 20 * 6 + 50
    # a core without that price does every operation apart
    del execution["cycles_per_product"]["integer"]["filter"]
    apart = type(core).model_validate({**core.model_dump(), "execution": execution}, context={})
    assert estimate(workload(FILTER), apart, None, decode_rate_hz=1).cycles.nominal == 100 * 6 + 80 * 6 + 50


@pytest.mark.parametrize(
    # products / 8 cores x slowest core's share: 6 outputs leave two cores idle, 20 give three each to four and two to
    # four others, whose 24 places hold 20; 16 fill all
    ("outputs", "waiting"), [(2, 8 / 2), (6, 8 / 6), (16, 1), (20, 24 / 20)],
)
def test_cores_without_an_output_wait(outputs: int, waiting: float) -> None:
    core = toy_core()
    eight = type(core).model_validate(
        {**core.model_dump(), "execution": {**core.execution.model_dump(), "cores": 8}}, context={}
    )
    layer = dense_layer(16, outputs)
    cycles = estimate(workload(layer), eight, None, decode_rate_hz=1).cycles.nominal
    assert cycles == pytest.approx(16 * outputs * 2 * waiting + 100 + 50)
    # a time loop shares the outputs of one step: 4 calls of 16 outputs are 64 a decode, 4 of 2 are still 2 at a time
    loop = dataclasses.replace(layer, calls=4, outputs=4 * outputs)
    assert estimate(workload(loop), eight, None, decode_rate_hz=1).cycles.nominal == pytest.approx(cycles)


def _follower(name: str, kind: str, elements: int, **operations: int) -> LayerWork:
    layer = LayerWork(
        name=name, kind=kind, arithmetic="integer", calls=1, input_shape=(elements,),  # type: ignore[arg-type]
        output_shape=(elements,), inputs=elements, outputs=elements, activation_bits=20, output_bits=8,
    )
    return with_operations(layer, **operations)


def test_clipping_that_follows_a_product_layer_is_in_its_kernel() -> None:
    first = _follower("in", "quantise", 16, add=16)
    relu, grid = _follower("relu", "activation", 6, add=6, compare=6), _follower("grid", "quantise", 6, add=6)
    pool, late = _follower("pool", "pool", 6), _follower("late", "quantise", 6, add=6)
    layers = (first, dense_layer(16, 6), relu, grid, pool, late)
    assert fused_epilogues(layers) == {"relu", "grid"}
    assert fused_epilogues((dense_layer(16, 6), _follower("other", "quantise", 3, add=3))) == frozenset()
    # the toy core has `add` in its kernels: products 192 + 100, in 16 x 6, late 6 x 6, its compare 6 x 5, 50 a decode
    cycles = estimate(workload(*layers), toy_core(), None, decode_rate_hz=1).cycles.nominal
    assert cycles == 192 + 100 + 96 + 36 + 30 + 50
    # a float kernel was not measured with its clipping
    assert fused_epilogues((dense_layer(16, 6, arithmetic="float"), relu)) == frozenset()


def test_event_core_fetches_a_row_of_activations_where_nothing_is_stored() -> None:
    # 16 events, each a row of 6 x 8 bit = 2 words of 2 pJ: the same whether the row is of weights or of activations
    stored = dense_layer(16, 6, accumulator_bits=16)
    held = dataclasses.replace(stored, kind="matmul", weights=0, weights_nonzero=0, weights_key="", weight_bits=0)
    one, other = (
        estimate(workload(layer), toy_event(), None, decode_rate_hz=1).layers[0].energy_j for layer in (stored, held)
    )
    assert one["memory"].nominal == other["memory"].nominal == pytest.approx(16 * 2 * 2 * PJ)


def test_events_that_contradict_the_products_are_refused() -> None:
    odd = dataclasses.replace(dense_layer(16, 6), input_events=count(0), products=products(96))
    with pytest.raises(WorkloadError, match="no input event"):
        estimate(workload(odd), toy_event(), None, decode_rate_hz=1)


def test_unfinished_sums_need_room() -> None:
    # 20 inputs and 6 outputs of 8 bit. Array of 8 x 4: three tiles of rows, sums of 32 bit for one tile of 4 columns.
    work = workload(dense_layer(20, 6), dense_layer(6, 2, name="read-out"))
    plain = (20 + 6) * 8
    assert required_bits(work, toy_core().execution)["activations"] == plain
    assert required_bits(work, toy_array().execution)["activations"] == plain + 4 * (32 - 8)
    assert required_bits(work, toy_event().execution)["activations"] == plain + 6 * (32 - 8)
    # 8 products an output fit the rows: the array finishes each sum inside
    small = workload(dense_layer(8, 6), dense_layer(6, 2, name="read-out"))
    assert required_bits(small, toy_array().execution)["activations"] == (8 + 6) * 8


def test_a_window_kept_by_the_pipeline_is_not_stored_twice() -> None:
    keeper = dataclasses.replace(
        FILTER, name="window", operations={}, weights=0, weights_nonzero=0, weights_key="", weight_bits=0,
        state_bits=16, state_elements=20, state_writes=20, cadence="sample",
    )
    without = workload(dense_layer(20, 2), mode="window", steps=5, channels=4)
    kept = workload(keeper, dense_layer(20, 2), mode="window", steps=5, channels=4)
    execution = toy_core().execution
    assert required_bits(without, execution)["buffers"] == 5 * 4 * 8
    assert required_bits(kept, execution)["buffers"] == 4 * 8  # the newest sample only
    assert required_bits(kept, execution)["state"] == 20 * 16


def test_a_depthwise_layer_of_no_stated_shape_keeps_sums_as_one_group() -> None:
    layer = dense_layer(64, 4)
    scalar = dataclasses.replace(layer, kind="depthwise", input_shape=())
    one = dataclasses.replace(layer, kind="depthwise", input_shape=(1,))
    array = toy_array()
    assert required_bits(workload(scalar), array.execution) == required_bits(workload(one), array.execution)
