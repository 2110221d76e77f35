"""Neurons of several states with integer membranes: by hand, gradients, deployed graphs, streams, counts, C."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from deployed_networks import CODES, norms_of_powers_of_two, quantised, round_scales, signals
from hypothesis import given, settings
from hypothesis import strategies as st
from test_deploy_c import check, compiled, vectors
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import InputCodes, advance, agreement, decide, first_past, lower, state_counts, static_counts
from students.deploy.c_code import export_c
from students.deploy.cells import Adaptation, Feedback, Neurons, run_neurons
from students.deploy.fixed_point import fixed_point
from students.deploy.ranges import Range
from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import membrane_readout
from students.layers import Layers
from students.models.build import build, mode
from students.models.store import load_student, save_student
from students.neurons import (
    AdaptiveModel,
    NeuronModel,
    RecurrentLIFModel,
    RecurrentSynapticModel,
    Surrogate,
    SynapticModel,
)
from students.neurons.integer_states import IntegerStateLIF, StateModel
from students.quantize.layers import QuantLayers
from students.spec import Float32, Quantised, Shape, StudentSpec, parse_form
from students.training import Examples, fit, predict

STREAM = Shape(task="regression", channels=5, steps=40, outputs=2, step_rate_hz=20.0)
WINDOW = Shape(task="classification", channels=4, steps=30, outputs=3, step_rate_hz=64.0)
MODELS: dict[str, StateModel] = {
    "synaptic": SynapticModel(0.5, 0.8, 1.0, learnable="both"),
    "synaptic zero": SynapticModel(0.6, 0.9, 1.0, parameters="of each neuron", reset="zero"),
    "synaptic none": SynapticModel(0.6, 0.7, 1.0, reset="none"),
    "adaptive": AdaptiveModel(0.8, 0.9, 1.0, 0.3, learnable="beta"),
    "recurrent": RecurrentLIFModel(0.8, 1.0, parameters="of each neuron", learnable="both"),
    "recurrent zero": RecurrentLIFModel(0.8, 1.0, bias="learned", reset="zero"),
    "recurrent synaptic": RecurrentSynapticModel(0.5, 0.8, 1.0, surrogate=Surrogate("fast sigmoid", 5.0)),
}
POWERS = InputCodes(12, signed=True, scale=np.array(2.0**-9), offset=np.array(0.25))


class Options(FamilyOptions):
    """Of the family below."""

    kind: str
    hidden: int = 8


def _build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    model: NeuronModel = MODELS[options.kind]
    modules = [
        layers.quantise_input(),
        layers.conv1d(shape.channels, options.hidden, 1, padding=0, bias="none", edge="first"),
        layers.batchnorm(options.hidden), layers.neurons(options.hidden, model),
    ]  # fmt: skip
    return membrane_readout(modules, options.hidden, shape, layers, beta=0.7, warmup_steps=2)


FAMILY = Family(
    title="Neurons of several states", tasks=WINDOWS_AND_STEPS, forms=(Float32, Quantised), spiking=True,
    Options=Options, build=_build,
)  # fmt: skip
OWN = "test_integer_states:FAMILY"


@dataclasses.dataclass
class OnGrid:
    """Levels times a step."""

    value: Tensor
    scale: Tensor


def fired(model: StateModel, bits: int, *levels: float, **options: Any) -> list[float]:
    step = torch.tensor(0.25)
    drive = OnGrid(torch.tensor(levels).reshape(1, 1, -1) * step, step)
    return IntegerStateLIF(1, model, bits)(drive, **options).flatten().tolist()


def test_a_synaptic_current_by_hand() -> None:
    """Four bits: threshold 4, states within 7, both decays 1/2. Drives 6, 5, 0, 0, -7, 0.

    Currents 6, 3 + 5 held at 7, 3, 1, 0 - 7, -3. Subtract: 6 (spike), 3 + 7 - 4 = 6 (spike), 3 + 3 - 4 = 2, 1 + 1 = 2,
    1 - 7, -3 - 3. A spike that clears: 6 (spike), 0, 3, 1 + 1, 1 - 7, -6. None: 6, 3 + 7 held at 7, 3 + 3, 3 + 1 = 4.
    """
    drives = (6, 5, 0, 0, -7, 0)
    assert fired(SynapticModel(0.5, 0.5, 1.0), 4, *drives) == [1, 1, 0, 0, 0, 0]
    assert fired(SynapticModel(0.5, 0.5, 1.0, reset="zero"), 4, *drives) == [1, 0, 0, 0, 0, 0]
    assert fired(SynapticModel(0.5, 0.5, 1.0, reset="none"), 4, *drives) == [1, 1, 1, 0, 0, 0]


def test_an_adapting_threshold_by_hand() -> None:
    """Eight bits: threshold 32 of 127, no leak; a spike raises it by half of that, 16 levels; it falls by half a step.

    Drive 33 in each step: 33 (spike), 33 + 33 - 32 = 34 against 32 + 16, 67 against 40 (spike), 68 against 32 + 4 + 16
    (spike), 69 against 32 + 10 + 16 (spike).
    """
    assert fired(AdaptiveModel(1.0, 0.5, 1.0, 0.5), 8, 33, 33, 33, 33, 33) == [1, 0, 1, 1, 1]
    node = Neurons("n", "input", Range((1, 5), 0, 1), Range((1,), -127, 127), 256, 32, "subtract",
                   adaptation=Adaptation(128, 16 << 8, 8, 16))  # fmt: skip
    spikes, (membrane, risen) = run_neurons(node, np.full((1, 1, 5), 33), node.first_state(1))
    assert spikes.ravel().tolist() == [1, 0, 1, 1, 1]
    assert (membrane.item(), risen.item()) == (69, 26 * 256)
    assert node.state_bits == (8, 16)


def test_spikes_of_the_own_layer_by_hand() -> None:
    """Two neurons of four bits, threshold 4, no leak, no reset: the first drives the other by 3 * 1.5, held at even 4.

    Drives (5, 0, 0) and (0, 1, 0): 5 5 5 fires always, the other hears 4 from the second step on: 0, 5, 9 held at 7.
    """
    weights = np.array([[0, 0], [3, 0]])
    ratio = fixed_point(np.array(1.5), np.array(0.0), largest=3, limit=7, bits=26, where="test")
    feedback = Feedback(weights, 3, None, Range((2,), 0, 3), ratio)
    node = Neurons("n", "input", Range((2, 3), 0, 1), Range((2,), -7, 7), 256, 4, "none", feedback=feedback)
    spikes, (membranes,) = run_neurons(node, np.array([[[5, 0, 0], [0, 1, 0]]]), node.first_state(1))
    assert spikes[0].tolist() == [[1, 1, 1], [0, 1, 1]]
    assert membranes.tolist() == [[5, 7]]


@pytest.mark.parametrize("kind", ["synaptic", "synaptic zero", "synaptic none", "adaptive"])
def test_fine_states_and_their_gradients_are_those_of_the_float_neuron(kind: str) -> None:
    """16 bits, decays that are whole numbers of 256ths, drives on the grid that saturate nothing."""
    model = dataclasses.replace(MODELS[kind], beta=0.75, learnable="both")
    other = {"rho": 0.875} if isinstance(model, AdaptiveModel) else {"alpha": 0.5}
    model = dataclasses.replace(model, **other)
    fine, plain = IntegerStateLIF(4, model, 16), model.make(4)
    step, generator = 1.0 / fine.level, torch.Generator().manual_seed(0)
    current = (torch.randn(3, 4, 30, generator=generator) * 0.5 / step + 0.2 / step).round() * step
    weights, found = torch.randn(3, 4, 30, generator=generator), []
    for module in (fine, plain):
        leaf = current.clone().requires_grad_()
        out = module(OnGrid(leaf, torch.tensor(step))) if module is fine else plain(leaf)[0]
        (out * weights).sum().backward()
        found.append((out.detach(), leaf.grad, module.beta.grad))
    (spikes, grads, decay), (wanted, expected, of_beta) = found
    assert float((spikes != wanted).float().mean()) < 0.02
    assert float(spikes.mean()) > 0.05
    torch.testing.assert_close(grads, expected, rtol=0.1, atol=0.05 * float(expected.abs().max()))
    assert float((decay - of_beta).abs().max() / of_beta.abs().max()) < 0.1


@settings(max_examples=14, deadline=None)
@given(
    kind=st.sampled_from(list(MODELS)), widths=st.tuples(*[st.integers(2, 8)] * 4, st.integers(4, 16)),
    sizes=st.tuples(*[st.integers(1, 7)] * 3, st.integers(1, 30)), seed=st.integers(0, 10_000),
    task=st.sampled_from(["regression", "classification"]),
)  # fmt: skip
def test_any_kind_shape_width_and_seed_is_the_reference_exactly(
    kind: str, widths: tuple[int, ...], sizes: tuple[int, ...], seed: int, task: str
) -> None:
    (weight, activation, edge, raw, state), (channels, outputs, hidden, steps) = widths, sizes
    shape = (STREAM if task == "regression" else WINDOW).model_copy(
        update={"channels": channels, "outputs": outputs, "steps": steps + 2}
    )
    form = f"w{weight}a{activation}s{state} edge={edge} in={raw}"
    model, _ = quantised(OWN, form, shape, {"kind": kind, "hidden": hidden}, seed)
    round_scales(model)
    norms_of_powers_of_two(model)
    codes = POWERS.codes_of(signals(shape, 8, seed).numpy() * 3)
    found = agreement(model, lower(model, shape, codes=POWERS), codes)
    assert (found.differing, found.changed) == (0, 0), found


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("form", ["w8a8s8", "w4a4s4", "ternary-a4s10"])
def test_neurons_on_grids_of_float_scales_are_the_reference_exactly(kind: str, form: str) -> None:
    model, _ = quantised(OWN, form, STREAM, {"kind": kind})
    found = agreement(model, lower(model, STREAM, codes=CODES), CODES.codes_of(signals(STREAM, 40, 9).numpy() * 3))
    spiking = next(one for one in found.nodes if one.name == "body.3.neurons")
    assert (spiking.differing, spiking.elements) == (0, 40 * 8 * 40)
    assert found.largest <= 1
    assert found.differing <= 1e-4 * found.elements + 2, found


@pytest.mark.parametrize("kind", ["adaptive", "recurrent zero", "recurrent synaptic"])
def test_a_stream_in_pieces_is_the_whole(kind: str) -> None:
    model, _ = quantised(OWN, "w4a4s6", STREAM, {"kind": kind})
    graph, codes = lower(model, STREAM, codes=CODES), CODES.codes_of(signals(STREAM, 3, 1).numpy() * 3)
    past, pieces = first_past(graph, 3), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 40)):
        found, past = advance(graph, codes[:, :, start:stop], past)
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), decide(graph, codes))


@pytest.mark.parametrize("kind", MODELS)
def test_static_counts_are_those_of_observe(kind: str) -> None:
    model, spec = quantised(OWN, "w4a4s6", STREAM, {"kind": kind})
    work = observe(model, signals(STREAM, 2) * 3, name="n", mode=mode(spec), step_rate_hz=20.0, input_bits=CODES.bits)
    assert work.uncounted == ()
    layers, graph = {layer.name: layer for layer in work.layers}, lower(model, STREAM, codes=CODES)
    assert all(layer.arithmetic == "integer" for layer in work.layers)
    assert [one.name for one in static_counts(graph)] == [one.name for one in work.layers if one.products is not None]
    for one in static_counts(graph):
        layer = layers[one.name]
        assert layer.products is not None
        assert (one.dense_full, one.weights, one.weight_bits, one.activation_bits, one.accumulator_bits) == (
            layer.products.dense_full.mean, layer.weights, layer.weight_bits, layer.activation_bits,
            layer.accumulator_bits,
        )  # fmt: skip
        assert one.state_elements == layer.state_elements
    kept = {one.name: (one.state_elements, one.state_bits) for one in work.layers if one.state_elements}
    assert {one.name: (one.elements, one.bits) for one in state_counts(graph)} == {
        name: what for name, what in kept.items() if layers[name].products is None
    }
    if "recurrent" in kind:
        assert layers["body.3.neurons.recurrent.quantise"].operations["requantise"].mean == 8


@compiled
@pytest.mark.parametrize(("kind", "shape"), [
    ("synaptic zero", STREAM), ("adaptive", STREAM), ("adaptive", WINDOW), ("recurrent zero", STREAM),
    ("recurrent", WINDOW), ("recurrent synaptic", STREAM),
])  # fmt: skip
def test_c_is_bit_exact(kind: str, shape: Shape, tmp_path: Path) -> None:
    model, _ = quantised(OWN, "w4a4s6", shape, {"kind": kind})
    graph = lower(model, shape, codes=CODES)
    export = export_c(graph, tmp_path, weights="packed", vectors=vectors(graph, shape, 4))
    check(export, "decoder")


def test_an_adapting_threshold_meets_saturated_membranes_in_c(tmp_path: Path) -> None:
    """Every width from 4 to 16 bits, driven to both ends."""
    model, _ = quantised(OWN, "w8a8s16", STREAM, {"kind": "adaptive"})
    graph = lower(model, STREAM, codes=CODES)
    neurons = next(node for node in graph.nodes if isinstance(node, Neurons) and node.adaptation is not None)
    codes = CODES.codes_of(np.sign(signals(STREAM, 3).numpy()) * 5)
    found = agreement(model, graph, codes)
    assert next(one for one in found.nodes if one.name == neurons.name).differing == 0


@pytest.mark.parametrize("family", ["spiking_recurrent", "tinyrsnn"])
@pytest.mark.parametrize("form", ["w4a4", "w4a4s6"])
def test_recurrent_families_train_in_integers_and_are_stored(family: str, form: str, tmp_path: Path) -> None:
    options = {"hidden": 8} | ({"tau_membrane_s": 0.2, "tau_synapse_s": 0.1} if family == "tinyrsnn" else {})
    model, spec = quantised(family, form, STREAM, options)
    examples = Examples(signals(STREAM, 8) * 3, torch.randn(8, 40, 2, generator=torch.Generator().manual_seed(1)))
    before = {name: one.clone() for name, one in model.named_parameters()}
    fit(model, examples, examples, spec)
    changed = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    neurons = "body.4.neurons" if family == "spiking_recurrent" else "body.3.neurons"
    assert {f"{neurons}.recurrent.weight", f"{neurons}.beta"} <= changed
    save_student(tmp_path / "student", model, spec, {})
    again, _ = load_student(tmp_path / "student")
    assert torch.equal(predict(again, examples.inputs), predict(model, examples.inputs))
    work = observe(model, examples.inputs, name="n", mode="stream", step_rate_hz=20.0, input_bits=8)
    assert work.uncounted == ()
    recurrent = next(one for one in work.layers if one.name == f"{neurons}.recurrent")
    assert (recurrent.weight_bits, recurrent.arithmetic) == (4, "integer")


def test_widths_by_the_name_and_the_kind_of_recurrent_weights() -> None:
    for text in ("w8a8s8 recurrent=w4a8", "w8a8s8 body.4.neurons.recurrent=w4a8"):
        model = build(StudentSpec(family="spiking_recurrent", form=parse_form(text), shape=STREAM, seed=0))
        layer: Any = model.get_submodule("body.4.neurons.recurrent")
        assert int(layer.quant_weight().bit_width) == 4


def test_a_weight_from_each_neuron_to_itself_is_refused() -> None:
    with pytest.raises(StudentError, match="from each neuron to itself alone has no integer form"):
        QuantLayers(Quantised(weight=8, activation_bits=8)).neurons(3, RecurrentLIFModel(0.9, 1.0, "one to one"))
