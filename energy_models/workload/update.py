"""The work of learning on the device: forward, backward and optimiser of a network that has been counted.

Products are exact by layer kind. A site ``x w`` of the forward pass is one of the weight's gradient, ``dW += dy x``,
where the layer learns, and one of the signal's, ``dx += dy w``, unless nothing before it learns; a product of two
signals is two. Sites whose input is zero stay zero in the weight's gradient; how many gradients are zero is not known,
and none is taken to be.

Other operations follow the derivative of each: a sum hands its gradient on and adds it where signals fork, a product
of signals has two, a comparison masks, a look-up is one of the derivative and a product, a leak is one leak back. A
norm with statistics of its own costs four products and four sums an element, its own gain and offset are not learned.
Spikes have a surrogate derivative, looked up; the reset is taken as a constant. A stream learns from single steps:
what it kept of earlier ones is a constant too, as is the state that a window starts from.

The forward pass is that of the deployed network, filters and features included: examples are stored as they were
recorded. Gradients, learned weights and the optimiser's state have a width of
their own; where the deployed weights are narrower, each step requantises them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from energy_models.errors import WorkloadError
from energy_models.workload.count import Count
from energy_models.workload.layers import Arithmetic, LayerWork, Uncounted, Workload
from energy_models.workload.products import Conventions, Products

Optimiser = Literal["sgd", "momentum", "adam"]
Learning = Literal["all", "last"]
FLOAT_BITS = 32
STATE_WORDS: Mapping[Optimiser, int] = {"sgd": 0, "momentum": 1, "adam": 2}
STEP: Mapping[Optimiser, Mapping[str, int]] = {
    "sgd": {"multiply": 1, "add": 1}, "momentum": {"multiply": 2, "add": 2},
    "adam": {"multiply": 6, "add": 4, "square_root": 1, "divide": 1},
}  # fmt: skip
"""Operations of one weight in one step: ``w -= lr g``; ``v = m v + g``; Adam's two means, root, quotient and step."""
BACK: Mapping[str, Mapping[str, int]] = {
    "add": {"add": 1}, "multiply": {"multiply": 2}, "compare": {"compare": 1}, "lookup": {"lookup": 1, "multiply": 1},
    "divide": {"multiply": 1, "divide": 2}, "square_root": {"multiply": 1, "divide": 1}, "requantise": {"compare": 1},
    "leak": {"leak": 1}, "leak_shift": {"leak_shift": 1}, "reset": {},
}  # fmt: skip
"""Operations of the backward pass for one of the forward pass."""
NORM_ELEMENT = {"multiply": 4, "add": 4}
SURROGATE = {"lookup": 1, "multiply": 1, "add": 1}
PREPROCESSING = ("filter", "feature")
EARLIER = (".hidden", ".recurrent")
"""Ends of the names of products of a recurrent layer's own state, or spikes, of the step before."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """How a network learns on the device, each time it does.

    Parameters
    ----------
    examples : int
        Stored examples, each as long as what one decode reads.
    epochs : int
        Times that each is learned from.
    batch : int
        Examples of one step of the optimiser.
    optimiser : {'sgd', 'momentum', 'adam'}
    layers : {'all', 'last'}
        Which layers with weights learn.
    bits : int
        Width of gradients, learned weights and the optimiser's state [bits]; 32 is floating point.

    Raises
    ------
    WorkloadError
        A number below one, an optimiser or choice of layers that does not exist, or a width of none or above 32.
    """

    examples: int
    epochs: int
    batch: int
    optimiser: Optimiser
    layers: Learning
    bits: int

    def __post_init__(self) -> None:
        """Refuse what is no way to learn."""
        for name in ("examples", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise WorkloadError(f"{name} {getattr(self, name)}", where="recalibration", remedy="Give 1 or more")
        for name, known in (("optimiser", tuple(STEP)), ("layers", ("all", "last"))):
            if getattr(self, name) not in known:
                raise WorkloadError(
                    f"{name} {getattr(self, name)!r}", where="recalibration", remedy=f"Choose among {', '.join(known)}"
                )
        if not 2 <= self.bits <= FLOAT_BITS:
            raise WorkloadError(
                f"{self.bits} bits", where="recalibration", remedy="Give 2 to 31 (integers), or 32 (floating point)"
            )

    @property
    def arithmetic(self) -> Arithmetic:
        """Number format of gradients."""
        return "float" if self.bits == FLOAT_BITS else "integer"

    @property
    def passes(self) -> int:
        """Forward and backward passes of one recalibration."""
        return self.examples * self.epochs

    @property
    def steps(self) -> int:
        """Steps of the optimiser in one recalibration."""
        return math.ceil(self.examples / self.batch) * self.epochs


@dataclass(frozen=True, slots=True)
class UpdateWork:
    """The work of one example, forward and backward, and of one step of the optimiser.

    Parameters
    ----------
    example, step : Workload
    resting : Workload
        The deployed network with what is kept from one recalibration to the next: examples, learned weights, the
        optimiser's state and the table of the loss. Saved inputs end with a pass, gradients with a step.
    learned : int
        Weights and biases that learn.
    memory_bits : int
        What learning keeps beside the deployed network [bits]: examples, saved inputs, gradients, learned weights and
        the optimiser's state.
    written_bits: int
        Deployed weights and biases that a step makes anew [bits].
    """

    example: Workload
    step: Workload
    resting: Workload
    learned: int
    memory_bits: int
    written_bits: int


def update_work(workload: Workload, how: Recalibration) -> UpdateWork:
    """Return the work of learning on the device.

    Raises
    ------
    WorkloadError
        A network without weights to learn.
    """
    network = [layer for layer in workload.layers if not _is_preprocessing(layer)]
    learning = [place for place, layer in enumerate(network) if layer.products is not None and layer.weights]
    if not learning:
        raise WorkloadError("no layer has weights to learn", where=workload.name, remedy="Take another network")
    chosen = learning[-1:] if how.layers == "last" else learning
    back = [one for place in range(len(network) - 1, chosen[0] - 1, -1)
            for one in _backward(network[place], how, learns=place in chosen, first=place == chosen[0],
                                 decodes=workload.decodes)]  # fmt: skip
    keys = {network[place].weights_key or network[place].name: network[place] for place in chosen}
    learned = sum(layer.weights + layer.biases for layer in keys.values())
    examples, gradients, kept = _memory(workload, how, learned)
    loss = _other("(loss)", _times({"lookup": 1, "add": 1}, network[-1].outputs), how, workload.decodes, network[-1])
    layers = (examples, *(_at_decode(layer) for layer in workload.layers), loss, *back, gradients, kept)
    gaps = tuple(Uncounted(one.layer, one.operation, f"forward: {one.reason}") for one in workload.uncounted)
    changes = {"mode": "window", "products": None, "warm_up": (), "warm_up_steps": 0, "delay_s": 0.0, "lag_s": 0.0}
    example = workload.replace(name=f"{workload.name} learning", layers=layers, uncounted=gaps, **changes)
    saved = sum(layer.state_elements * layer.state_bits for layer in (examples, gradients, kept, *back))
    step = example.replace(name=f"{workload.name} step", layers=(_step(list(keys.values()), how, learned, workload),))
    written = sum(layer.weights * layer.weight_bits + layer.biases * layer.bias_bits for layer in keys.values())
    resting = workload.replace(name=f"{workload.name} resting", layers=(examples, *workload.layers, loss, kept))
    return UpdateWork(example, step, resting, learned, saved, written)


def _is_preprocessing(layer: LayerWork) -> bool:
    return layer.kind in PREPROCESSING or layer.cadence != "decode"


def _at_decode(layer: LayerWork) -> LayerWork:
    """Return a layer of the forward pass; what runs on every sample is done again on those of the stored example."""
    return dataclasses.replace(layer.per_active_decode(), cadence="decode")


def _times(operations: Mapping[str, int], number: int) -> dict[str, int]:
    return {name: each * number for name, each in operations.items()}


def _backward(
    layer: LayerWork, how: Recalibration, *, learns: bool, first: bool, decodes: int
) -> Iterator[LayerWork]:
    """Yield the backward pass of a layer: gradients of weights and of the signal, and the other operations."""
    layer = layer.per_active_decode()
    if layer.products is not None:
        if learns:
            yield _weight_gradient(layer, how)
            yield _gradient_words(layer, how)
        if layer.kind == "recurrent" and layer.name.endswith(EARLIER):
            yield from _earlier_gradient(layer, how)
        elif not first:
            yield _signal_gradient(layer, how)
    counts = {name: count for name, count in _back_operations(layer).items() if count.total}
    if counts:
        yield _bare(layer, f"{layer.name}.backward", how, counts)


def _back_operations(layer: LayerWork) -> dict[str, Count]:
    if layer.kind == "norm" and "square_root" in layer.operations:
        decodes = layer.operations["square_root"].decodes
        return {name: Count.constant(each * layer.outputs, decodes) for name, each in NORM_ELEMENT.items()}
    found: dict[str, Count] = {}

    def put(name: str, count: Count) -> None:
        found[name] = count if name not in found else _sum(found[name], count)

    if layer.kind == "pool":  # a mean hands its gradient, scaled, to all alike; a maximum to the one it took
        forward = next(iter(layer.operations.values()), None)
        routed = "add" if "compare" in layer.operations else "multiply"
        return {} if forward is None else {routed: Count.constant(layer.outputs, forward.decodes)}
    for name, count in layer.operations.items():
        if name == "add" and layer.biases:  # those of biases are in the weight's gradient
            others = count.total - layer.outputs * count.decodes
            put(name, _exact(max(0, others), count.decodes))
        else:
            for back, each in BACK[name].items():
                put(back, count.times(each))
    updates = [one for one in (layer.updates_active, layer.updates_idle) if one is not None]
    for one in updates:
        for name, each in SURROGATE.items():
            put(name, one.times(each))
    return found


def _sum(first: Count, second: Count) -> Count:
    """Return two counts of the same decodes added up, alike in all of them."""
    return _exact(first.total + second.total, first.decodes)


def _exact(total: int, decodes: int) -> Count:
    """Return a count with an exact sum, spread evenly over the decodes."""
    return Count(total, -(-total * total // decodes), decodes)


def _weight_gradient(layer: LayerWork, how: Recalibration) -> LayerWork:
    """Return ``dW += x dy``: as many products as forward, one matrix product over all positions and calls."""
    sites = _known(layer)
    filters = max(1, layer.weights // max(1, layer.reduction))
    positions = max(1, round(sites.dense_full.mean / layer.weights))
    graded = layer.weight_form == "graded"

    def as_gradient(one: Products) -> Products:
        return one if graded or layer.activation_bits == 1 else _multiplied(one)

    seen = as_gradient(sites.effective_input)
    products = Conventions(as_gradient(sites.dense_full), as_gradient(sites.dense_valid), seen, seen)
    return _gradient(
        layer, how, name=f"{layer.name}.weight_gradient", products=products, reduction=positions,
        output_shape=(max(1, layer.reduction), filters), outputs=layer.weights, inputs=layer.inputs,
        operations={"add": Count.constant(layer.outputs, seen.accumulate.decodes)} if layer.biases else {},
        state_elements=layer.inputs, state_bits=layer.activation_bits,
    )  # fmt: skip


def _gradient_words(layer: LayerWork, how: Recalibration) -> LayerWork:
    """Return what a weight's gradient reads and writes: sums over the examples of a step, of the gradients' width."""
    words = layer.weights + layer.biases
    return dataclasses.replace(
        _bare(layer, f"{layer.name}.gradient_words", how, {}), inputs=0, outputs=0, state_bits=how.bits,
        state_reads=words, state_writes=words,
    )  # fmt: skip


def _earlier_gradient(layer: LayerWork, how: Recalibration) -> Iterator[LayerWork]:
    """Yield the gradient of the state of the step before: what the first step starts from is a constant."""
    found = _signal_gradient(layer, how)
    steps = layer.calls - 1
    if not steps or found.products is None:
        return

    def part(count: Count) -> Count:
        return _exact(count.total * steps // layer.calls, count.decodes)

    def later(one: Products) -> Products:
        return Products(part(one.multiply_accumulate), part(one.accumulate))

    four = found.products
    conventions = (four.dense_full, four.dense_valid, four.effective_input, four.effective)
    products = Conventions(*(later(one) for one in conventions))
    yield dataclasses.replace(
        found, calls=steps, products=products, outputs=found.outputs * steps // layer.calls,
        inputs=found.inputs * steps // layer.calls,
    )  # fmt: skip


def _signal_gradient(layer: LayerWork, how: Recalibration) -> LayerWork:
    """Return ``dx += dy w``; of a product of two signals the gradients of both."""
    sites = _known(layer)
    signals = 1 if layer.weights else 2
    graded = layer.weight_form == "graded"
    dense = [_multiplied(one) if graded else _added(one) for one in (sites.dense_full, sites.dense_valid)]
    products = Conventions(dense[0], dense[1], dense[1], dense[1]).times(signals)
    if not layer.weights:
        return _gradient(
            layer, how, name=f"{layer.name}.signal_gradients", products=products, reduction=layer.reduction,
            calls=2 * layer.calls, output_shape=layer.output_shape, outputs=2 * layer.outputs, inputs=2 * layer.inputs,
        )  # fmt: skip
    depth = min(layer.weights, max(1, math.ceil(sites.dense_full.mean / max(1, layer.inputs))))
    return _gradient(
        layer, how, name=f"{layer.name}.signal_gradient", products=products, reduction=depth, calls=layer.calls,
        output_shape=layer.input_shape, outputs=layer.inputs, inputs=layer.outputs, weights=layer.weights,
        weights_nonzero=layer.weights_nonzero, weights_key=layer.weights_key or layer.name,
        weight_bits=layer.weight_bits, weight_form=layer.weight_form,
    )  # fmt: skip


def _known(layer: LayerWork) -> Conventions:
    if layer.products is None:  # unreachable, see _backward
        raise WorkloadError("no products", where=layer.name, remedy="Count them")
    return layer.products


def _multiplied(one: Products) -> Products:
    """Return all sites as multiply-accumulates."""
    both = _joined(one)
    return Products(both, Count.constant(0, both.decodes))


def _added(one: Products) -> Products:
    """Return all sites as accumulates: a gradient times a weight of -1, 0 or 1."""
    both = _joined(one)
    return Products(Count.constant(0, both.decodes), both)


def _joined(one: Products) -> Count:
    first, second = one.multiply_accumulate, one.accumulate
    if not second.total:
        return first
    return second if not first.total else _sum(first, second)


def _gradient(layer: LayerWork, how: Recalibration, **fields: object) -> LayerWork:
    kind = "linear" if fields.get("weights") and layer.kind == "recurrent" else layer.kind
    kind = kind if fields.get("weights") else "attention"
    spiking = layer.activation_bits == 1 and str(fields["name"]).endswith("weight_gradient")
    given: dict[str, object] = {
        "kind": kind, "arithmetic": how.arithmetic, "calls": 1, "input_shape": layer.input_shape,
        "activation_bits": 1 if spiking else how.bits, "output_bits": how.bits,
        "accumulator_bits": how.bits if how.arithmetic == "float" else 2 * how.bits,
        "kernel": layer.kernel if fields.get("weights") and kind == layer.kind else (),
    }  # fmt: skip
    return LayerWork(**{**given, **fields})  # pyright: ignore[reportArgumentType]  (fields of LayerWork, by name)


def _bare(layer: LayerWork, name: str, how: Recalibration, operations: Mapping[str, Count]) -> LayerWork:
    """Return operations without products, an element in and out each, in the arithmetic of gradients."""
    return LayerWork(
        name=name, kind="elementwise", arithmetic=how.arithmetic, calls=1, input_shape=layer.output_shape,
        output_shape=layer.input_shape, inputs=layer.outputs, outputs=layer.inputs, operations=dict(operations),
        activation_bits=how.bits, output_bits=how.bits,
    )  # fmt: skip


def _other(
    name: str, operations: Mapping[str, int], how: Recalibration, decodes: int, like: LayerWork
) -> LayerWork:
    counts = {one: Count.constant(number, decodes) for one, number in operations.items()}
    return dataclasses.replace(_bare(like, name, how, counts), inputs=like.outputs, outputs=like.outputs)


def _memory(workload: Workload, how: Recalibration, learned: int) -> tuple[LayerWork, LayerWork, LayerWork]:
    """Return what learning keeps: examples, read once a pass; gradients; learned weights and the optimiser's state."""
    window = workload.channels * workload.steps_per_decode
    nothing: dict[str, object] = {
        "kind": "elementwise", "arithmetic": "integer", "calls": 1, "input_shape": (), "output_shape": (), "inputs": 0,
        "outputs": 0,
    }  # fmt: skip
    examples = LayerWork(
        name="(examples)", **nothing, state_elements=how.examples * window, state_bits=workload.input_bits,  # pyright: ignore[reportArgumentType]
        state_reads=window, activation_bits=workload.input_bits, output_bits=workload.input_bits,
    )  # fmt: skip
    gradients, kept = (
        LayerWork(
            name=name, **nothing, state_elements=learned * words, state_bits=how.bits,  # pyright: ignore[reportArgumentType]
            activation_bits=how.bits, output_bits=how.bits,
        )
        for name, words in (("(gradients)", 1), ("(learned)", 1 + STATE_WORDS[how.optimiser]))
    )
    return examples, gradients, kept


def _step(layers: Sequence[LayerWork], how: Recalibration, learned: int, workload: Workload) -> LayerWork:
    """Return one step of the optimiser: every learned weight once, with its gradient and state read and written."""
    operations = _times(STEP[how.optimiser], learned)
    narrower = sum(layer.weights for layer in layers if layer.weight_bits < how.bits)
    operations |= {"requantise": narrower} if narrower else {}
    words = 2 + STATE_WORDS[how.optimiser]
    return LayerWork(
        name="(optimiser)", kind="elementwise", arithmetic=how.arithmetic, calls=1, input_shape=(learned,),
        output_shape=(learned,), inputs=learned, outputs=learned, activation_bits=how.bits, output_bits=how.bits,
        operations={name: Count.constant(number, workload.decodes) for name, number in operations.items()},
        state_elements=learned * words, state_bits=how.bits, state_reads=learned * words, state_writes=learned * words,
    )  # fmt: skip
