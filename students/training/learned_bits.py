"""Widths of each layer's weights and signals, learned together with the weights under a price on every bit.

What is minimised is ``task + penalty * sum(c_i b_i) / sum(c_i B_i)``, with the width ``b_i`` of a layer's weights or of
the signal it reads, the cost of a bit ``c_i``, and the width ``B_i`` of the form one begins with: at a penalty of 1,
all its bits weigh as much as one nat of cross-entropy, or as the variance of a regression's targets. Costs are plain
numbers, such as weights (for size) or what one bit less of a layer's width saves on some machine; only their
proportions matter. What comes out is a form with widths for each layer by name, to be made and trained as any other.

Layers that read one signal share its width. The raw input keeps the width that the form gives it, and so does what a
recurrent layer reads, whose state has the same width.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError, unknown_name
from students.spec import LayerBits, Quantised, StudentSpec
from students.spec.form import Weight
from students.training.examples import Examples
from students.training.objective import prepare

REACH, FASTEST = 12.0, 0.5
"""Bits that a width pulled one way all through the training can move by, and in one step at most [bits]."""


Learned = Literal["weights", "activations", "both"]
"""Whose widths are learned; those of the others are the form's."""


@dataclass(frozen=True, slots=True)
class LearnedBits:
    """What was learned.

    Parameters
    ----------
    form : Quantised
        The form that was begun with, each layer's weights and signal as wide as learned.
    bits : mapping of str to int
        Widths of weights by layer [bits]; empty where they were not learned.
    activation_bits : mapping of str to int
        Widths of signals by the layer that reads them [bits]; empty where they were not learned.
    share : float
        Cost over that of the form begun with.
    """

    form: Quantised
    bits: Mapping[str, int]
    activation_bits: Mapping[str, int]
    share: float


@dataclass(frozen=True, slots=True)
class _Free:
    """A width that is learned: whose, what holds it, its cost of a bit, and the greatest it may have [bits]."""

    layers: tuple[str, ...]
    module: nn.Module
    cost: float
    most: int


def learn_bits(
    spec: StudentSpec, float_model: nn.Module, examples: Examples, *, calibration: Tensor, penalty: float,
    learned: Learned = "weights", costs: Mapping[str, float] | None = None,
    activation_costs: Mapping[str, float] | None = None,
) -> LearnedBits:
    """Return the widths at which a student's loss and the price of its bits balance.

    Parameters
    ----------
    spec : StudentSpec
        With a quantised form, which gives the greatest widths and all else; `training` says how long.
    float_model : nn.Module
        Trained; not changed.
    examples : Examples
        Training examples.
    calibration : Tensor, shape (examples, channels, steps)
        Inputs of training examples from all over the recordings, on which the ranges of signals are read.
    penalty : float
        Above zero.
    learned : {'weights', 'activations', 'both'}
    costs : mapping of str to float, or None
        Of one bit of each layer's weights, above zero, by the layer's name; None: its number of weights.
    activation_costs : mapping of str to float, or None
        Of one bit of the signal each layer reads, above zero, by the layer's name; of layers that share one their sum.
        None: how many values of it one decode computes.

    Raises
    ------
    StudentError
        A form with coarse weights, costs of other layers than those whose widths are learned, a penalty that is not
        above zero, or a network without a width to learn.
    """
    # Deferred: Brevitas takes seconds to import.
    from students.models.from_float import quantised_from_float
    from students.quantize import keep_in_range, width_of, width_parameters

    form = spec.form
    if not isinstance(form, Quantised) or not penalty > 0:
        raise StudentError(
            f"a form {form} and a penalty of {penalty:g}", where="learn_bits",
            remedy="Begin with a form such as w8a8, and a penalty above zero",
        )
    if learned not in get_args(Learned):
        raise StudentError(f"{learned!r:.40} are no widths", where="learn_bits, learned",
                           remedy=unknown_name("widths", str(learned), get_args(Learned)))  # fmt: skip
    model = quantised_from_float(spec, float_model, calibration)
    weights = [] if learned == "activations" else _free_weights(model, costs)
    signals = [] if learned == "weights" else _free_signals(model.eval(), spec, calibration, activation_costs)
    free = [*weights, *signals]
    if not free:
        raise StudentError("no layer reads a signal whose width could be learned", where="learn_bits",
                           remedy='Learn the widths of weights (learned = "weights")')  # fmt: skip
    whole = sum(one.cost * one.most for one in free)
    objective = prepare(model.train(), examples, spec)
    widths = width_parameters([one.module for one in free])
    others = [one for one in model.parameters() if all(one is not width for width in widths)]
    batches = list(_batches(len(examples), spec))
    rate = min(REACH / max(len(batches), 1), FASTEST)
    optimiser = torch.optim.Adam(
        [{"params": others, "lr": spec.training.learning_rate}, {"params": widths, "lr": rate}]
    )
    for indices in batches:
        loss = objective.task(model(examples.inputs[indices]), examples.targets[indices])
        price: Tensor = sum((one.cost * width_of(one.module) for one in free), torch.zeros(()))
        optimiser.zero_grad()
        (loss + penalty * price / whole).backward()
        optimiser.step()
        for one in free:
            keep_in_range(one.module, one.most)
    found, read = _widths(weights), _widths(signals)
    share = sum(one.cost * round(width_of(one.module).item()) for one in free) / whole
    return LearnedBits(_with_bits(spec, form, found, read), found, read, share)


def _widths(free: Sequence[_Free]) -> dict[str, int]:
    """Return learned widths by layer; a layer with several products has the greatest of theirs."""
    # Deferred: Brevitas takes seconds to import.
    from students.quantize import width_of

    found: dict[str, int] = {}
    for one in free:
        for layer in one.layers:
            found[layer] = max(found.get(layer, 0), round(width_of(one.module).item()))
    return found


def _free_weights(model: nn.Module, costs: Mapping[str, float] | None) -> list[_Free]:
    """Free the widths of weights and return them with their costs; of a layer's products, by their weights."""
    # Deferred: Brevitas takes seconds to import.
    from students.quantize import free_widths, width_of

    layers = free_widths(model)
    _check_costs(costs, list(layers), "costs")
    found: list[_Free] = []
    for name, modules in layers.items():
        counts = [float(module.weight.numel()) for module in modules]  # type: ignore[union-attr]
        whole = sum(counts) if costs is None else costs[name]
        found += [_Free((name,), module, whole * count / sum(counts), round(width_of(module).item()))
                  for module, count in zip(modules, counts, strict=True)]  # fmt: skip
    return found


def _free_signals(
    model: nn.Module, spec: StudentSpec, calibration: Tensor, costs: Mapping[str, float] | None
) -> list[_Free]:
    """Free the widths of signals and return them with their costs."""
    # Deferred: Brevitas takes seconds to import.
    from students.models.build import mode, signal_readers
    from students.quantize import free_signal_widths, width_of

    readers = signal_readers(spec)
    sizes = _values(model, readers, calibration)
    groups = free_signal_widths(model, readers)
    _check_costs(costs, [layer for layers in groups for layer in layers], "activation_costs")
    steps = spec.shape.steps if mode(spec) == "stream" else 1
    found: list[_Free] = []
    for layers, module in groups.items():
        size = sum(sizes[name] for name, some in readers.items() if set(some) & set(layers)) / steps
        cost = size if costs is None else sum(costs[layer] for layer in layers)
        found.append(_Free(layers, module, cost, round(width_of(module).item())))
    return found


def _values(model: nn.Module, names: Iterable[str], calibration: Tensor) -> dict[str, float]:
    """Return how many values of each signal one example has."""
    sizes: dict[str, float] = {}

    def keep(name: str, output: Any) -> None:
        sizes[name] = sizes.get(name, 0.0) + float(math.prod(output.shape[1:]))

    hooks = [model.get_submodule(name).register_forward_hook(lambda _m, _i, output, name=name: keep(name, output))
             for name in names]  # fmt: skip
    with torch.no_grad():
        model(calibration[:1])
    for hook in hooks:
        hook.remove()
    return sizes


def _check_costs(costs: Mapping[str, float] | None, layers: Sequence[str], name: str) -> None:
    if costs is None:
        return
    if foreign := sorted(costs.keys() ^ set(layers)):
        raise StudentError(
            f"{name} do not fit the network's layers: {', '.join(foreign)}", where=f"learn_bits, {name}",
            remedy=unknown_name("layers", foreign[0], list(layers)),
        )
    if not all(0 < cost < math.inf for cost in costs.values()):
        raise StudentError(f"one of {name} is not above zero, or infinite", where=f"learn_bits, {name}",
                           remedy="Give each bit a price")  # fmt: skip


def _batches(count: int, spec: StudentSpec) -> Iterator[Tensor]:
    """Yield the examples of every step, in an order that the seed decides."""
    generator = torch.Generator().manual_seed(spec.seed)
    size = min(spec.training.batch_size, count)
    for _ in range(spec.training.epochs):
        order = torch.randperm(count, generator=generator)
        yield from (order[start : start + size] for start in range(0, count - size + 1, size))


def _with_bits(
    spec: StudentSpec, form: Quantised, bits: Mapping[str, int], activations: Mapping[str, int]
) -> Quantised:
    """Return the form with learned widths by layer; of weights, the most frequent one is that of all others.

    What was not learned has the width that the form begun with gives it, by name, by kind, as an edge or as all others.
    """
    # Deferred: Brevitas takes seconds to import.
    from students.models.build import products_of
    from students.quantize import layer_bits

    own: dict[str, LayerBits] = {}
    for one in products_of(spec):
        given = layer_bits(form, one.name, one.kind, one.edge)
        weight = cast("Weight", bits.get(one.name, given.weight))
        read = activations.get(one.name, given.activation_bits)
        own[one.name] = LayerBits(weight=weight, activation_bits=read)
    base: dict[str, object] = {"weight": Counter(bits.values()).most_common(1)[0][0], "edge_bits": None} if bits else {}
    return Quantised.model_validate({**dict(form), **base, "overrides": tuple(own.items())})
