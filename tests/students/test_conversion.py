"""Quantised students run with spikes: equal to the deployed graph, counted, and what has no spiking form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from energy_models.errors import StudentError, WorkloadError
from energy_models.workload import Count, LayerWork, parse_workload, workload_text
from students.deploy import DeployedGraph, execute, lower
from students.deploy.conversion import convert, simulate, spiking_workload
from students.deploy.conversion.simulate import Train, membrane_bits, spikes_of
from students.deploy.fixed_point import FixedPoint
from students.deploy.graph import INPUT, InputCodes, Linear, Move, Pool, Requantise
from students.deploy.ranges import Range
from students.spec import Shape
from tests.students.deployed_networks import CODES, quantised, signals

WINDOW = Shape(task="classification", channels=3, steps=64, outputs=2, step_rate_hz=64.0)
STREAM = Shape(task="regression", channels=4, steps=20, outputs=2, step_rate_hz=20.0)
SMALL = {"temporal_filters": 2, "depth": 2}


def lowered(family: str, form: str, shape: Shape, options: dict[str, object]) -> DeployedGraph:
    model, spec = quantised(family, form, shape, options)
    return lower(model, spec.shape, codes=CODES)


def codes_for(graph: DeployedGraph, shape: Shape, count: int = 6) -> np.ndarray:
    return graph.codes.codes_of(signals(shape, count, 9).numpy())


CASES = [
    ("mlp", "w4a4", WINDOW, {"hidden": 8}), ("mlp", "w4a4", STREAM, {"hidden": 8, "lags": 4}),
    ("eegnet", "w4a4", WINDOW, SMALL), ("eegnet", "w2a2", WINDOW, SMALL), ("mlp", "w8a3", STREAM, {"hidden": 6}),
]  # fmt: skip


@pytest.mark.parametrize(("family", "form", "shape", "options"), CASES)
def test_a_converted_student_is_its_deployed_graph_exactly(
    family: str, form: str, shape: Shape, options: dict[str, object]
) -> None:
    graph = lowered(family, form, shape, options)
    codes = codes_for(graph, shape)
    network, expected = convert(graph), execute(graph, codes)
    found = simulate(network, codes)
    assert np.array_equal(found.outputs, expected[graph.nodes[-1].name])
    for name, steps in network.steps.items():
        train = found.signals[name]
        assert isinstance(train, Train)
        assert np.array_equal(train.total, expected[name])  # the number of spikes is the activation
        assert set(np.unique(train.steps)) <= ({-1, 0, 1} if name in network.pairs else {0, 1})
        assert len(train.steps) == steps
    assert sum(spikes_of(network, found).values()) > 0


def test_time_steps_follow_the_width_of_activations() -> None:
    graphs = {form: lowered("mlp", form, WINDOW, {"hidden": 8}) for form in ("w4a4", "w4a2")}
    steps = {form: set(convert(graph).steps.values()) for form, graph in graphs.items()}
    assert steps == {"w4a4": {15}, "w4a2": {3}}


def node_graph(requantise: Requantise, size: int, *more: object) -> DeployedGraph:
    codes = InputCodes(8, signed=True, scale=np.array(1.0), offset=np.array(0.0))
    given = Range((size, 1), -128, 127)
    nodes = (requantise, *more)
    return DeployedGraph("classification", codes, given, nodes, 1.0, 0.0, "", 16)  # type: ignore[arg-type]


def constant(number: int) -> np.ndarray:
    return np.array([number], dtype=np.int64)


@pytest.mark.parametrize(("shift", "guard", "multiplier", "offset"), [
    (1, 0, 1, 0), (2, 0, 1, 3), (3, 0, 5, -2), (5, 2, 7, 9), (0, 0, 1, 0), (4, 0, -3, 40),
])  # fmt: skip
def test_ties_go_to_even_as_in_the_graph(shift: int, guard: int, multiplier: int, offset: int) -> None:
    """Every input of 8 bits: halves fall as the integer reference rounds them."""
    constants = FixedPoint(constant(multiplier), constant(offset), constant(shift), constant(guard))
    graph = node_graph(Requantise("relu", INPUT, Range((256, 1), 0, 7), constants), 256)
    codes = np.arange(-128, 128, dtype=np.int64).reshape(1, 256, 1)
    assert np.array_equal(simulate(convert(graph), codes).outputs, execute(graph, codes)["relu"])


def test_a_maximum_of_spikes_is_the_maximum_of_activations() -> None:
    constants = FixedPoint(constant(1), constant(0), constant(2), constant(0))
    relu = Requantise("relu", INPUT, Range((8, 1), 0, 7), constants)
    pool = Pool("pool", "relu", Range((4, 1), 0, 7), "max", np.arange(8).reshape(4, 2))
    flat = Move("flat", "pool", Range((4,), 0, 7), np.arange(4))
    weights = np.array([[1, -2, 3, 0], [0, 5, -1, 2]])
    last = Linear("last", "flat", Range((2,), -1000, 1000), weights, 4, np.array([7, -90]))
    graph = node_graph(relu, 8, pool, flat, last)
    codes = np.random.default_rng(1).integers(-20, 40, (5, 8, 1))
    assert np.array_equal(simulate(convert(graph), codes).outputs, execute(graph, codes)["last"])


def test_the_workload_by_hand() -> None:
    """Codes 4, 8 and -3 at a shift of 2 make 1, 2 and 0 spikes; each reaches two outputs, one by a weight of zero."""
    constants = FixedPoint(constant(1), constant(0), constant(2), constant(0))
    relu = Requantise("relu", INPUT, Range((3, 1), 0, 3), constants)
    flat = Move("flat", "relu", Range((3,), 0, 3), np.arange(3))
    last = Linear("last", "flat", Range((2,), -100, 100), np.array([[1, 1, 1], [0, 2, 2]]), 4, None)
    graph = node_graph(relu, 3, flat, last)
    network = convert(graph)
    work = spiking_workload(
        network, simulate(network, np.array([[[4], [8], [-3]]])), name="n", step_rate_hz=10.0, preprocessing=()
    )
    neurons, product = work.layers
    assert {name: one.total for name, one in neurons.operations.items()} == {"compare": 9, "reset": 3}
    assert (neurons.output_events.total, neurons.calls, neurons.state_elements) == (3, 3, 3)
    assert product.products.dense_full.accumulate.total == 3 * 2 * 3
    assert (product.products.effective_input.accumulate.total, product.products.effective.accumulate.total) == (6, 5)
    assert product.products.dense_full.multiply_accumulate.total == 0
    assert parse_workload(workload_text(work), where="w") == work


@pytest.mark.parametrize(("family", "form", "shape", "options"), CASES[:3])
def test_the_workload_of_a_student_is_whole_and_has_a_decode_for_each_example_or_step(
    family: str, form: str, shape: Shape, options: dict[str, object]
) -> None:
    graph = lowered(family, form, shape, options)
    network = convert(graph)
    ran = simulate(network, codes_for(graph, shape, 3))
    work = spiking_workload(network, ran, name="n", step_rate_hz=10.0, preprocessing=())
    assert work.decodes == (3 if shape is WINDOW else 3 * shape.steps)
    assert parse_workload(workload_text(work), where="w") == work
    spiking = [layer for layer in work.layers if layer.products and layer.products.dense_full.accumulate.total]
    assert spiking
    assert all(layer.products.effective_input.total <= layer.products.dense_valid.total for layer in spiking)


@pytest.mark.parametrize(("family", "form", "shape", "options"), CASES[1:3])
def test_a_membranes_word_holds_what_its_neurons_fire_from(
    family: str, form: str, shape: Shape, options: dict[str, object]
) -> None:
    graph = lowered(family, form, shape, options)
    codes = codes_for(graph, shape)
    network, signals_of = convert(graph), execute(graph, codes)
    work = spiking_workload(network, simulate(network, codes), name="n", step_rate_hz=10.0, preprocessing=())
    widths = {layer.name: layer.state_bits for layer in work.layers if layer.kind == "neuron"}
    for node in graph.nodes:
        if isinstance(node, Requantise) and node.name in network.steps:
            constants, threshold = node.constants, node.constants.shift - node.constants.guard
            sums = signals_of[node.source] * constants.multiplier + constants.offset >> constants.guard
            most = abs(sums + (1 << threshold >> 1)).max()
            assert 2 ** (widths[node.name] - 1) > most
            assert widths[node.name] > threshold.max()


def test_the_width_of_a_membrane_by_hand() -> None:
    """Sums from -128 to 127, times 5, less 2, and half of a threshold of 8: -638 to 637, and 646 for a pair."""
    constants = FixedPoint(constant(5), constant(-2), constant(3), constant(0))
    given = Range((4, 1), -128, 127)
    assert membrane_bits(Requantise("n", INPUT, Range((4, 1), 0, 7), constants), given) == 11
    assert membrane_bits(Requantise("n", INPUT, Range((4, 1), -7, 7), constants), given) == 11
    wide = FixedPoint(constant(5), constant(0), constant(12), constant(0))
    assert membrane_bits(Requantise("n", INPUT, Range((4, 1), 0, 7), wide), given) == 13  # 635 + 2048
    assert membrane_bits(Requantise("n", INPUT, Range((4, 1), 0, 7), wide), Range((4, 1), -(2**20), 5)) == 24
    alone = FixedPoint(constant(1), constant(0), constant(0), constant(0))
    assert membrane_bits(Requantise("n", INPUT, Range((4, 1), 0, 7), alone), given) == 8


@pytest.mark.parametrize(("kind", "operation", "expected"), [("sum", "add", 4), ("max", "compare", 7 * 3)])
def test_a_pool_is_counted_by_hand(kind: str, operation: str, expected: int) -> None:
    """Codes 4, 8, 0 and 0 make 1, 2, 0 and 0 spikes; windows of 2, 2, 2 and 1 places, two of which hold the second.

    Each of its 2 spikes is added twice, the first place's is in no window; 3 windows compare once in each of 7 steps.
    """
    constants = FixedPoint(constant(1), constant(0), constant(2), constant(0))
    relu = Requantise("relu", INPUT, Range((4, 1), 0, 7), constants)
    windows = np.array([[1, 2, -1], [1, 3, -1], [2, 3, -1], [3, -1, -1]])
    pool = Pool("pool", "relu", Range((4, 1), 0, 21), kind, windows)  # type: ignore[arg-type]
    network = convert(node_graph(relu, 4, pool))
    ran = simulate(network, np.array([[[4], [8], [0], [0]]]))
    row = spiking_workload(network, ran, name="n", step_rate_hz=10.0, preprocessing=()).layers[1]
    assert (row.name, row.kind, row.calls) == ("pool", "pool", 7)
    assert {name: count.total for name, count in row.operations.items()} == {operation: expected}


def test_every_node_that_computes_has_a_layer() -> None:
    graph = lowered("eegnet", "w4a4", WINDOW, SMALL)
    network = convert(graph)
    ran = simulate(network, codes_for(graph, WINDOW, 3))
    row = LayerWork("pipeline.band", "filter", "integer", 64, (3,), (3,), 192, 192,
                    operations={"multiply": Count.constant(480, 5)}, cadence="sample")  # fmt: skip
    work = spiking_workload(network, ran, name="n", step_rate_hz=10.0, preprocessing=[row])
    computing = [node.name for node in graph.nodes if not isinstance(node, Move)]
    assert [layer.name for layer in work.layers] == ["pipeline.band", *computing]
    assert work.layers[0].operations["multiply"] == Count.constant(480, 3)
    assert work.complete
    assert parse_workload(workload_text(work), where="w") == work
    unknown = spiking_workload(network, ran, name="n", step_rate_hz=10.0, preprocessing=None)
    assert [one.operation for one in unknown.uncounted] == ["preprocessing"]
    uneven = dataclasses.replace(row, operations={"multiply": Count.of([1, 2])})
    with pytest.raises(WorkloadError, match="differs between decodes"):
        spiking_workload(network, ran, name="n", step_rate_hz=10.0, preprocessing=[uneven])


def test_what_has_no_spiking_form_is_refused_by_its_layers_name() -> None:
    with pytest.raises(StudentError, match=r"has no spiking form") as caught:
        convert(lowered("gru", "w8a8", STREAM, {"hidden": 4}))
    assert "layer '" in str(caught.value)
    graph = lowered("mlp", "w4a4", WINDOW, {"hidden": 8})
    with pytest.raises(StudentError, match="no activation"):
        convert(dataclasses.replace(graph, nodes=graph.nodes[:1]))
