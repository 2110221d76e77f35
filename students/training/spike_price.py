"""What the events of a spiking student cost while it is trained (`students.spec.SpikePrice`).

Of one pass, with events ``s`` (an event of value k counts k), the weights ``W`` of each product that reads them and
``h = (W != 0) s``, the events that each neuron behind it hears in a step:

    cost = synaptic_operation sum h + neuron_update sum min(h, 1) + event sum s,    share = cost(s) / cost(1)

``sum h`` is rate times fan-out, padding and stride included: the synaptic operations that a workload counts, where no
event has a value above 1. The events of the input are not the student's, and cost nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.layers.fast_convolution import pad_steps
from students.neurons import RECURRENT_NEURONS, IntegerStateLIF
from students.neurons.described import neuron_dynamics
from students.neurons.recurrent import weights_in_use
from students.spec import SpikePrice

Product = nn.Linear | nn.Conv1d | nn.Conv2d
STOPS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm)
"""Modules behind which a signal is events no more."""


@dataclass(slots=True)
class Reading:
    """What the events of one pass, or several, cost.

    Parameters
    ----------
    costs : list of Tensor, each of shape ()
    whole : float
        What they would cost if every neuron fired once in every step.
    """

    costs: list[Tensor] = field(default_factory=list[Tensor])
    whole: float = 0.0

    @property
    def share(self) -> Tensor:
        """Cost over that of one event of every neuron in every step, shape ()."""
        return torch.stack(self.costs).sum() / self.whole


class EventMeter:
    """Listens to a spiking network and adds up what its events cost.

    Parameters
    ----------
    model : nn.Module
        On the CPU; it is run on `inputs` in evaluation mode to learn which products read events.
    inputs : Tensor, shape (examples, channels, steps)
    price : SpikePrice

    Raises
    ------
    StudentError
        A network without neurons that fire and can be trained.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, price: SpikePrice) -> None:
        self.price, self.neurons = price, _firing(model)
        self.readers = _readers(model, self.neurons, inputs) if self.neurons else []
        self._whole: dict[tuple[nn.Module, torch.Size], float] = {}
        if not self.neurons:
            raise StudentError(
                "there are no neurons that fire, whose events could have a price", where="training.spikes",
                remedy="Leave 'spikes' out, or train a spiking student",
            )

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Add up the costs of all passes within the block."""
        found = Reading()
        handles = [one.register_forward_hook(self._fired(found)) for one in self.neurons]
        if self.price.synaptic_operation or self.price.neuron_update:
            handles += [one.register_forward_pre_hook(self._read(found)) for one in self.readers]
        try:
            yield found
        finally:
            for handle in handles:
                handle.remove()

    def penalty(self, found: Reading) -> Tensor:
        """Return what is added to the loss, shape ()."""
        return self.price.weight * (found.share - self.price.target).clamp(min=0.0)

    def _fired(self, found: Reading) -> Callable[[nn.Module, Any, Any], None]:
        price = self.price

        def count(module: nn.Module, inputs: Any, output: Any) -> None:
            events = _signal(output)
            if price.event:
                self._add(found, (module, events), lambda signal: price.event * signal.sum())
            if isinstance(module, RECURRENT_NEURONS):
                state = inputs[1] if len(inputs) > 1 else None
                self._hear(found, module.recurrent, module.heard(events, state))
            elif isinstance(module, IntegerStateLIF) and module.recurrent is not None:
                self._hear(found, module.recurrent, module.heard(events))

        return count

    def _hear(self, found: Reading, recurrent: nn.Module, events: Tensor) -> None:
        """Add what recurrent weights do with the events of the step before."""
        own, heard = weights_in_use(recurrent)[0], events.movedim(1, -1)
        self._add(found, (recurrent, heard), lambda signal: self._synapses(_recurrent(signal, own)))

    def _read(self, found: Reading) -> Callable[[nn.Module, Any], None]:
        def count(module: nn.Module, inputs: Any) -> None:
            product = cast(Product, module)
            self._add(found, (module, _signal(inputs)), lambda signal: self._synapses(_heard(product, signal)))

        return count

    def _synapses(self, heard: Tensor) -> Tensor:
        return self.price.synaptic_operation * heard.sum() + self.price.neuron_update * heard.clamp(max=1.0).sum()

    def _add(self, found: Reading, where: tuple[nn.Module, Tensor], cost: Callable[[Tensor], Tensor]) -> None:
        """Add the cost of a signal, and what it would be of ones."""
        module, events = where
        key = (module, events.shape[1:])
        if key not in self._whole:
            with torch.no_grad():
                self._whole[key] = float(cost(torch.ones_like(events[:1])))
        found.costs.append(cost(events))
        found.whole += self._whole[key] * events.shape[0]


def _firing(model: nn.Module) -> list[nn.Module]:
    """Return the neurons whose outputs are events."""
    described = ((one, neuron_dynamics(one)) for one in model.modules())
    return [one for one, dynamics in described if dynamics is not None and dynamics.threshold is not None]


def _readers(model: nn.Module, neurons: list[nn.Module], inputs: Tensor) -> list[nn.Module]:
    """Return the products that read events: their input follows from neurons with no product or norm between."""
    fired: set[Any] = set()
    stopped: set[Any] = set()
    found: dict[nn.Module, None] = {}

    def keep(of: set[Any]) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: of.add(_signal(output).grad_fn)

    def look(module: nn.Module, given: Any) -> None:
        if _reaches(_signal(given).grad_fn, fired, stopped):
            found[module] = None

    stops = [one for one in model.modules() if isinstance(one, STOPS)]
    handles = [one.register_forward_hook(keep(fired)) for one in neurons]
    handles += [one.register_forward_hook(keep(stopped)) for one in stops]
    handles += [one.register_forward_pre_hook(look) for one in stops if isinstance(one, Product)]
    try:
        with torch.enable_grad():
            model.eval()(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return list(found)


def _reaches(start: Any, fired: set[Any], stopped: set[Any]) -> bool:
    """Return whether a node of autograd's graph follows from one of `fired` with none of `stopped` between."""
    pending, seen = [start], {None, *stopped}
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        if node in fired:
            return True
        seen.add(node)
        pending += [before for before, _ in node.next_functions]
    return False


def _signal(given: Any) -> Tensor:
    """Return the first tensor of a module's inputs or outputs, of one on a grid its values."""
    plain: Any = given  # a signal on a grid is a named tuple too
    first = plain[0] if isinstance(given, tuple) and not hasattr(plain, "value") else plain
    return first if isinstance(first, Tensor) else first.value


def _present(weight: Tensor) -> Tensor:
    return (weight.detach() != 0).to(weight.dtype)


def _heard(product: Product, events: Tensor) -> Tensor:
    """Return how many events reach each of a product's sums."""
    weight = _present(product.weight)
    if isinstance(product, nn.Linear):
        return functional.linear(events, weight)
    settings: Any = (product.stride, product.padding, product.dilation, product.groups)
    if isinstance(product, nn.Conv2d):
        return functional.conv2d(events, weight, None, *settings)
    padded = pad_steps(events, cast("tuple[int, int]", getattr(product, "pads", (0, 0))))
    return functional.conv1d(padded, weight, None, *settings)


def _recurrent(heard: Tensor, weight: Tensor) -> Tensor:
    """Return how many events of its own layer reach each neuron, shape (batch, steps, channels)."""
    return functional.linear(heard, _present(weight)) if weight.ndim > 1 else heard * _present(weight)
