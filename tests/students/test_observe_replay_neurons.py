"""Random small spiking networks in a time loop, replayed, are counted as they are where every call is followed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_observe_products import seen
from test_observe_replay import followed
from torch import Tensor, nn

HABITS = ("plain", "one buffer for all inputs", "a second shape", "an error that is caught", "by keyword", "in place")
NEURONS: dict[str, Any] = {
    "leaky": lambda width: snntorch.Leaky(beta=0.8),
    "to zero": lambda width: snntorch.Leaky(beta=0.5, reset_mechanism="zero"),
    "integrator": lambda width: snntorch.Leaky(beta=0.9, reset_mechanism="none"),
    "recurrent": lambda width: snntorch.RLeaky(beta=0.8, linear_features=width),
    "one to one": lambda width: snntorch.RLeaky(beta=0.8, all_to_all=False),
}


class Spiking(nn.Module):
    """Input (examples, channels, steps)."""

    def __init__(self, widths: tuple[int, ...], neuron: str, habit: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.neurons = nn.ModuleList(NEURONS[neuron](width) for width in widths[1:])
        self.habit = habit

    def into(self, layer: nn.Module, signal: Tensor, step: int) -> Tensor:
        if self.habit == "a second shape" and step % 3 == 2:
            return layer(signal.unsqueeze(1)).squeeze(1)
        if self.habit == "an error that is caught" and step % 3 == 2:
            with pytest.raises(RuntimeError):
                layer(torch.cat((signal, signal), dim=1))
        return layer(input=signal) if self.habit == "by keyword" else layer(signal)

    def forward(self, x: Tensor) -> Tensor:
        buffer, total = torch.zeros_like(x[..., 0]), torch.zeros(())
        states: list[tuple[Tensor, ...]] = []
        for neuron in self.neurons:
            fresh = neuron.reset_mem()
            states.append(fresh if isinstance(fresh, tuple) else (fresh,))
        for step, now in enumerate(x.unbind(-1)):
            signal = buffer.copy_(now) if self.habit == "one buffer for all inputs" else now
            for place, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                current = self.into(layer, signal, step)
                if self.habit == "in place" and step % 2:
                    current.relu_()
                spikes, *kept = neuron(current, *states[place])
                states[place] = (spikes, *kept) if isinstance(neuron, snntorch.RLeaky) else tuple(kept)
                signal = spikes
            total = total + signal
        return total


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple),
    kind=st.tuples(st.sampled_from(sorted(NEURONS)), st.sampled_from(HABITS)),
    shape=st.tuples(st.integers(1, 3), st.integers(3, 12)),
    zeros=st.sampled_from([0.0, 0.5, 0.95]),
    mode=st.sampled_from(["window", "stream"]),
)
def test_replayed_as_followed(
    widths: tuple[int, ...], kind: tuple[str, str], shape: tuple[int, int], zeros: float, mode: str
) -> None:
    torch.manual_seed(sum(shape) + len(kind[1]))
    model = Spiking(widths, *kind)
    x = 3 * torch.randn(shape[0], widths[0], shape[1])
    x = x * (torch.rand(x.shape) >= zeros)
    with pytest.MonkeyPatch.context() as patch:
        expected = followed(model, x, patch, mode=mode)
    assert seen(model, x, mode=mode) == expected
