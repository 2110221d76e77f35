"""Widths of each layer's weights, learned together with the weights under a price on every stored bit.

What is minimised is ``task + penalty * sum(c_l b_l) / sum(c_l b_0)``, with the width ``b_l`` of layer l, its cost of a
bit ``c_l`` and the width ``b_0`` of the form one begins with: at a penalty of 1, all its bits weigh as much as one nat
of cross-entropy, or as the variance of a regression's targets. Costs are plain numbers, such as weights (for size) or
what one bit less of a layer's width saves on some machine; only their proportions matter. What comes out is a form with
a width for each layer by name, to be made and trained as any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError, unknown_name
from students.spec import LayerBits, LayerKind, Quantised, StudentSpec
from students.training.examples import Examples
from students.training.objective import prepare

REACH, FASTEST = 12.0, 0.5
"""Bits that a width pulled one way all through the training can move by, and in one step at most [bits]."""


@dataclass(frozen=True, slots=True)
class LearnedBits:
    """What was learned.

    Parameters
    ----------
    form : Quantised
        The form that was begun with, each layer's weights as wide as learned.
    bits : mapping of str to int
        Widths by layer [bits].
    share : float
        Cost over that of the form begun with.
    """

    form: Quantised
    bits: Mapping[str, int]
    share: float


def learn_bits(
    spec: StudentSpec, float_model: nn.Module, examples: Examples, *, calibration: Tensor, penalty: float,
    costs: Mapping[str, float] | None = None,
) -> LearnedBits:
    """Return the widths at which a student's loss and the price of its bits balance.

    Parameters
    ----------
    spec : StudentSpec
        With a quantised form, which gives the greatest width and all else; `training` says how long.
    float_model : nn.Module
        Trained; not changed.
    examples : Examples
        Training examples.
    calibration : Tensor, shape (examples, channels, steps)
        Inputs of training examples from all over the recordings, on which the ranges of signals are read.
    penalty : float
        Above zero.
    costs : mapping of str to float, or None
        Of one bit of each layer, above zero, by the layer's name; None: its number of weights.

    Raises
    ------
    StudentError
        A form with coarse weights, costs of other layers than the network's, or a penalty that is not above zero.
    """
    # Deferred: Brevitas takes seconds to import.
    from students.models.build import product_kinds
    from students.models.from_float import quantised_from_float
    from students.quantize import free_widths, keep_in_range, width_of, width_parameters

    form = spec.form
    if not isinstance(form, Quantised) or not penalty > 0:
        raise StudentError(
            f"a form {form} and a penalty of {penalty:g}", where="learn_bits",
            remedy="Begin with a form such as w8a8, and a penalty above zero",
        )
    model = quantised_from_float(spec, float_model, calibration).train()
    layers = free_widths(model)
    modules = [module for some in layers.values() for module in some]
    prices = _prices(layers, costs)
    most = {id(module): round(width_of(module).item()) for module in modules}
    whole = sum(price * most[id(module)] for module, price in prices)
    objective = prepare(model, examples, spec)
    widths = width_parameters(modules)
    others = [one for one in model.parameters() if all(one is not width for width in widths)]
    batches = list(_batches(len(examples), spec))
    rate = min(REACH / max(len(batches), 1), FASTEST)
    optimiser = torch.optim.Adam(
        [{"params": others, "lr": spec.training.learning_rate}, {"params": widths, "lr": rate}]
    )
    for indices in batches:
        loss = objective.task(model(examples.inputs[indices]), examples.targets[indices])
        price: Tensor = sum((price * width_of(module) for module, price in prices), torch.zeros(()))
        optimiser.zero_grad()
        (loss + penalty * price / whole).backward()
        optimiser.step()
        for module in modules:
            keep_in_range(module, most[id(module)])
    learned = {id(module): round(width_of(module).item()) for module in modules}
    bits = {name: max(learned[id(module)] for module in some) for name, some in layers.items()}
    share = sum(price * learned[id(module)] for module, price in prices) / whole
    return LearnedBits(_with_bits(form, bits, product_kinds(spec)), bits, share)


def _prices(
    layers: Mapping[str, list[nn.Module]], costs: Mapping[str, float] | None
) -> list[tuple[nn.Module, float]]:
    """Return each product with the cost of one bit of its width; of a layer's products, by their weights."""
    if costs is not None and (foreign := sorted(costs.keys() ^ layers.keys())):
        raise StudentError(
            f"costs do not fit the network's layers: {', '.join(foreign)}", where="learn_bits, costs",
            remedy=unknown_name("layers", foreign[0], list(layers)),
        )
    if costs is not None and min(costs.values()) <= 0:
        raise StudentError("a cost is not above zero", where="learn_bits, costs", remedy="Give each bit a price")
    found: list[tuple[nn.Module, float]] = []
    for name, modules in layers.items():
        counts = [float(module.weight.numel()) for module in modules]  # type: ignore[union-attr]
        whole = sum(counts) if costs is None else costs[name]
        found += [(module, whole * count / sum(counts)) for module, count in zip(modules, counts, strict=True)]
    return found


def _batches(count: int, spec: StudentSpec) -> Iterator[Tensor]:
    """Yield the examples of every step, in an order that the seed decides."""
    generator = torch.Generator().manual_seed(spec.seed)
    size = min(spec.training.batch_size, count)
    for _ in range(spec.training.epochs):
        order = torch.randperm(count, generator=generator)
        yield from (order[start : start + size] for start in range(0, count - size + 1, size))


def _with_bits(form: Quantised, bits: Mapping[str, int], kinds: Mapping[str, LayerKind]) -> Quantised:
    """Return a form whose common width is the most frequent, with the other layers by name.

    Each layer reads its signal at the width that the form begun with gives it, by its name, its kind or as all others.
    """
    # Deferred: Brevitas takes seconds to import.
    from students.quantize import layer_bits

    common = Counter(bits.values()).most_common(1)[0][0]
    own = tuple(
        (name, LayerBits(weight=width, activation_bits=layer_bits(form, name, kinds[name], "inner").activation_bits))
        for name, width in bits.items()
    )
    return Quantised.model_validate({**dict(form), "weight": common, "edge_bits": None, "overrides": own})
