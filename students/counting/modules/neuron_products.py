"""The products inside neurons: recurrent weights, gated cells, a linear layer in front.

snnTorch may evaluate them more than once a step (a reset to zero computes the whole update again). What a neuron
needs is one product a step, so its operand is noted when it is used, and the product is run once more to be counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.counting.axes import Axes, BatchAxisError, conventions, is_labelled, plain
from students.counting.dispatch import Info, ModuleContext, Tracer
from students.counting.records import MULTIPLIER_BITS, Work
from students.counting.rules import Operand, decodes_in, events, linear_counts, record_product
from students.layers.grid import SPIKES
from students.neurons import RECURRENT_NEURONS, IntegerStateLIF, RecurrentLIF, RecurrentSynapticLIF
from students.neurons.dynamics import Dynamics
from students.neurons.recurrent import weights_in_use


@dataclass(frozen=True, slots=True)
class Driven:
    """What drives the neurons in one call.

    Parameters
    ----------
    currents : tuple of Tensor
        Each is added to a state where it is not zero; the first is the input.
    like : Tensor
        A tensor of the neurons' shape.
    info : Info
        Of `like`.
    pooled : Tensor or None
        Membranes after a pool that stands before the threshold.
    """

    currents: tuple[Tensor, ...]
    like: Tensor
    info: Info
    pooled: Tensor | None = None


def watch(tracer: Tracer, module: nn.Module, dynamics: Dynamics | None) -> list[Any]:
    """Note what a neuron's own product is called with; return the handles to remove."""
    if dynamics is None or not dynamics.product:
        return []

    def note(_: nn.Module, args: Any) -> None:
        tracer.cache["product of", module] = args

    def note_all(_: nn.Module, args: Any, named: Any) -> None:
        tracer.cache["product of", module] = (*args, *named.values())

    if isinstance(module, (*RECURRENT_NEURONS, IntegerStateLIF)):
        return [module.register_forward_pre_hook(note_all, with_kwargs=True)]
    return [module.get_submodule(dynamics.product).register_forward_pre_hook(note)]


def driven(tracer: Tracer, module: Any, current: Tensor, dynamics: Dynamics, output: Any) -> Driven | None:
    """Count the neurons' own product and return what drives them; None for a product that is not known here."""
    info = tracer.info(current) if dynamics.threshold is None else tracer.read(current)
    if not dynamics.product:
        return Driven((current,), current, info)
    product = module.get_submodule(dynamics.product)
    args = tracer.cache.pop(("product of", module))
    if isinstance(module, RECURRENT_NEURONS):
        state = next((one for one in args[1:] if one is not None), None)
        heard = module.heard(output[0].detach(), state)
        return Driven((current, _over_steps(tracer, module, heard, info)), current, info)
    if isinstance(module, IntegerStateLIF):
        heard = module.heard(output.detach())
        _over_steps(tracer, module, heard, info)
        return Driven((current, args[1](heard.mT).mT), current, info)
    if type(product) is nn.LSTMCell:
        return _cell(tracer, module, product, (current, info), args[1])
    if dynamics.product == "conv" and type(product) is nn.Conv2d:
        return _convolutional(tracer, module, product, info, args[0])
    if dynamics.product == "linear" and type(product) is nn.Linear:
        with inside(tracer, dynamics.product, product):
            through = functional.linear(current, product.weight, product.bias)
        return Driven((through,), through, tracer.info(through))
    fed_back = _fed_back(tracer, product, args[0], info)
    return None if fed_back is None else Driven((current, fed_back), current, info)


@contextmanager
def inside(tracer: Tracer, name: str, module: nn.Module, feedback: int = 0) -> Iterator[None]:
    """Count operations one by one again, as those of a neuron's part; what else a neuron does is not followed."""
    tracer.contexts.append(ModuleContext(f"{tracer.path}.{name}", module, whole=True, feedback=feedback))
    paused, tracer.paused = tracer.paused, False
    try:
        with tracer:
            yield
    finally:
        tracer.paused = paused
        tracer.contexts.pop()


def _fed_back(tracer: Tracer, product: nn.Module, spikes: Tensor, info: Info) -> Tensor | None:
    """Count recurrent weights on the spikes of the step before: V S[t-1]; return that current."""
    spikes = spikes.detach()  # a tensor object of its own: the caller's may be a constant shared with other layers
    known = Info(info.axes, SPIKES)
    tracer.set_info(spikes, known)
    units = spikes.numel() // decodes_in(tracer, info)
    one_to_one = getattr(product, "V", None)
    if isinstance(one_to_one, Tensor):
        return _one_to_one(tracer, Operand(spikes, known, one_to_one, None), units)
    with inside(tracer, "recurrent", product, units):
        if type(product) is nn.Linear:
            return functional.linear(spikes, product.weight, product.bias)
        if type(product) is nn.Conv2d:
            return _convolve(product, spikes)
    return None


def _over_steps(
    tracer: Tracer, module: RecurrentLIF | RecurrentSynapticLIF | IntegerStateLIF, heard: Tensor, info: Info
) -> Tensor:
    """Count recurrent weights on the spikes of all steps, shape (batch, channels, steps); return their current.

    Neurons with an integer membrane put it on the grid of their currents: one requantisation a neuron.
    """
    product, axes = module.recurrent, info.axes
    assert isinstance(product, nn.Module)  # noqa: S101  these neurons have recurrent weights
    last = None if axes is None else (axes[0], axes[2], axes[1])
    weight, bias = weights_in_use(product)
    bias = None if bias is None else product.get_parameter("bias")
    operand = Operand(heard.transpose(1, 2), Info(last, SPIKES), weight, bias)
    steps = 1 if tracer.recorder.steps else heard.shape[-1]
    updates = module.channels * steps
    dense = weight.ndim == 2
    counts = linear_counts(tracer, operand, last) if dense else _self_counts(tracer, operand, updates)
    reduction = module.channels if dense else 1
    done = record_product(
        tracer, f"{tracer.path}.recurrent", "recurrent", operand, counts,
        shapes=((module.channels,), (module.channels,)), full=updates * reduction, reduction=reduction, calls=steps,
        state={"state_elements": module.channels, "state_reads": updates, "state_writes": updates},
    )  # fmt: skip
    if isinstance(module, IntegerStateLIF):
        sums = replace(done, axes=last)
        requantised(tracer, f"{tracer.path}.recurrent.quantise", sums, (module.channels, steps), module.bits)
    return product(operand.signal).transpose(1, 2)


def requantised(tracer: Tracer, name: str, done: Info, rows_and_steps: tuple[int, int], bits: int) -> None:
    """Record the requantisation of a product's accumulators, inside a module that is counted whole.

    Parameters
    ----------
    tracer : Tracer
    name : str
        Of the layer.
    done : Info
        What `record_product` returned, with the axes of its operand.
    rows_and_steps : (int, int)
        Accumulators of a step, and steps of a decode.
    bits : int
        Of the result [bits].
    """
    rows, steps = rows_and_steps
    if done.producer is not None:
        tracer.recorder.requantised(done.producer, bits)
    work = Work(
        kind="quantise", arithmetic="integer", input_shape=(rows,), output_shape=(rows,), calls=steps,
        when=tracer.when(done), counts={"op:requantise": rows * steps}, activation_bits=done.word, output_bits=bits,
        constants=done.scales, constant_bits=MULTIPLIER_BITS,
    )  # fmt: skip
    tracer.record(name, work)


def _convolve(product: nn.Conv2d, signal: Tensor) -> Tensor:
    assert not isinstance(product.padding, str)  # noqa: S101  snnTorch gives it numbers
    return functional.conv2d(signal, product.weight, product.bias, product.stride, list(product.padding))


def _one_to_one(tracer: Tracer, operand: Operand, units: int) -> Tensor:
    """One weight a neuron, or one for all: as many products as neurons."""
    shape = tracer.shape(operand.signal, operand.info)
    record_product(
        tracer, f"{tracer.path}.recurrent", "recurrent", operand, _self_counts(tracer, operand, units),
        shapes=(shape, shape), full=units, reduction=1,
        state={"state_elements": units, "state_reads": units, "state_writes": units},
    )  # fmt: skip
    return operand.signal * operand.weight


def _self_counts(tracer: Tracer, operand: Operand, units: int) -> dict[str, Tensor]:
    """Return the conventions of a weight from each neuron to itself, over so many updates, and the events."""
    spikes, axes = operand.signal != 0, operand.info.axes
    weighted = tracer.sums(spikes & (operand.weight != 0), axes)
    none = torch.zeros_like(weighted)  # spikes need no multiplier
    counts = conventions(units, units, (tracer.sums(spikes, axes), none), (weighted, none))
    return {**counts, "input_events": events(tracer, operand)}


def _cell(tracer: Tracer, module: Any, cell: nn.LSTMCell, given: tuple[Tensor, Info], states: Any) -> Driven:
    with inside(tracer, "lstm_cell", cell):
        weights = cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh
        torch.lstm_cell(given[0], states, *weights)
    axes = given[1].axes
    after: Axes | None = None if axes is None else (*axes[:-1], plain(cell.hidden_size))
    return Driven((), module.mem, Info(after))


def _convolutional(tracer: Tracer, module: Any, conv: nn.Conv2d, info: Info, joined: Tensor) -> Driven:
    """Count the gates' convolution of input and membrane, and the pool of the membrane where there is one."""
    axes = info.axes
    if axes is not None and any(is_labelled(axis) for axis in axes[1:]):
        raise BatchAxisError
    joined = joined.detach()
    rows: Axes | None = None if axes is None else (axes[0],)
    tracer.set_info(joined, _mapped(rows, joined))
    membrane = module.mem
    tracer.set_info(membrane, _mapped(rows, membrane))
    with inside(tracer, "conv", conv, membrane.numel() // decodes_in(tracer, info)):
        _convolve(conv, joined)
    pooled = None
    with inside(tracer, "pool", module):
        if module.max_pool:
            pooled = functional.max_pool2d(membrane, module.max_pool)
        elif module.avg_pool:
            pooled = functional.avg_pool2d(membrane, module.avg_pool)
    return Driven((), membrane, tracer.info(membrane), pooled)


def _mapped(rows: Axes | None, maps: Tensor) -> Info:
    return Info(None if rows is None else (*rows, *(plain(size) for size in maps.shape[1:])))
