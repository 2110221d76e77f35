"""Small deterministic networks on which operation counters disagree, each with its truth by brute force.

The truth loops over every multiplication (``tests/students/counting_oracle.py``); it shares nothing with any counter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "students"))
from counting_oracle import RULES, Sites, convolution, linear

SAMPLES = 4
Totals = tuple[tuple[int, int], ...]
"""(multiply-accumulates, accumulates) under each of the four conventions, summed over the samples."""


@dataclass(frozen=True)
class Case:
    """A network, its input, and what one pass over all samples multiplies."""

    name: str
    model: nn.Module
    inputs: Tensor
    truth: Callable[[], Totals]
    stored_bytes: int | None = None


def total(parts: list[Sites]) -> Totals:
    return tuple((sum(p.mac[rule] for p in parts), sum(p.ac[rule] for p in parts)) for rule in RULES)


def array(values: Tensor) -> np.ndarray:
    return values.detach().numpy()


def graded(*shape: int) -> Tensor:
    """Numbers of which about a third are zero."""
    return torch.randn(shape) * (torch.rand(shape) > 0.3)


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape) < 0.3).float()


def padded_conv(signal: Tensor, layer: nn.Conv1d) -> list[Sites]:
    pads = ((int(layer.padding[0]),) * 2,)
    return [
        convolution(array(one), array(layer.weight), layer.stride, layer.dilation, pads, layer.groups)
        for one in signal
    ]  # fmt: skip


def dense_layer(signal: Tensor, weight: Tensor) -> list[Sites]:
    return [linear(array(signal), array(weight))]


def matmul(left: Tensor, right: Tensor) -> list[Sites]:
    """Left (..., m, k) is the signal, right (..., k, n) plays the weight."""
    flat = zip(array(left).reshape(-1, *left.shape[-2:]), array(right).reshape(-1, *right.shape[-2:]), strict=True)
    return [linear(one, other.T) for one, other in flat]


def eeg_conv() -> Case:
    model = nn.Sequential(
        nn.Conv1d(4, 8, 7, padding=3), nn.ReLU(), nn.Conv1d(8, 8, 5, padding=2, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(128, 3),
    )  # fmt: skip
    x = torch.randn(SAMPLES, 4, 32)

    def truth() -> Totals:
        first = model[:2](x)
        second = model[2:5](first)
        parts = padded_conv(x, model[0]) + padded_conv(first, model[2])  # type: ignore[arg-type]
        return total(parts + dense_layer(second, model[5].weight))  # type: ignore[arg-type]

    return Case("padded Conv1d EEG net", model, x, truth)


def mlp(name: str, inputs: Tensor, kept: float) -> Case:
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.mul_(torch.rand(layer.weight.shape) < kept)  # type: ignore[operator]

    def truth() -> Totals:
        first, last = model[0].weight, model[2].weight
        return total(dense_layer(inputs, first) + dense_layer(model[:2](inputs), last))  # type: ignore[arg-type]

    return Case(name, model, inputs, truth)


class LastStep(nn.Module):
    """A recurrent layer read at its last step."""

    def __init__(self, recurrent: nn.LSTM | nn.GRU, outputs: int) -> None:
        super().__init__()
        self.recurrent, self.read = recurrent, nn.Linear(recurrent.hidden_size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.recurrent(x)[0][:, -1])


def recurrent(name: str, layer: nn.LSTM | nn.GRU) -> Case:
    model, x = LastStep(layer, 2), graded(SAMPLES, 7, 6)

    def truth() -> Totals:
        states, _ = layer(x)
        before = torch.cat((torch.zeros_like(states[:, :1]), states[:, :-1]), dim=1)
        parts = dense_layer(x, layer.weight_ih_l0) + dense_layer(before, layer.weight_hh_l0)
        return total(parts + dense_layer(states[:, -1], model.read.weight))

    return Case(name, model, x, truth)


class Attention(nn.Module):
    """Self-attention over six tokens of eight, its mean read out."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True) if form == "module" else nn.Linear(8, 24)
        self.read = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.form == "module":
            return self.read(self.attend(x, x, x)[0].mean(1))
        query, key, value = self.attend(x).chunk(3, dim=-1)
        return self.read(nn.functional.scaled_dot_product_attention(query, key, value).mean(1))


def attention(form: str) -> Case:
    model, x = Attention(form), torch.randn(SAMPLES, 6, 8)
    heads = 2 if form == "module" else 1

    def truth() -> Totals:
        module = model.attend
        weight, bias = (
            (module.in_proj_weight, module.in_proj_bias) if form == "module" else (module.weight, module.bias)
        )
        parts = dense_layer(x, weight)
        query, key, value = (
            part.reshape(SAMPLES, 6, heads, -1).transpose(1, 2)
            for part in nn.functional.linear(x, weight, bias).chunk(3, -1)
        )
        scores = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1)
        parts += matmul(query, key.mT) + matmul(scores, value)
        mixed = (scores @ value).transpose(1, 2).reshape(SAMPLES, 6, 8)
        if form == "module":
            parts += dense_layer(mixed, module.out_proj.weight)
            mixed = module.out_proj(mixed)
        return total(parts + dense_layer(mixed.mean(1), model.read.weight))

    return Case("MultiheadAttention" if form == "module" else "attention, functional", model, x, truth)


class SpikingConv(nn.Module):
    """Per step: convolution, leaky neurons, read-out, leaky neurons. Input (samples, steps, 2, 16)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.read = nn.Conv1d(2, 4, 3, padding=1), nn.Linear(64, 3)
        self.first, self.last = snntorch.Leaky(beta=0.9, threshold=0.5), snntorch.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        hidden, output = self.first.reset_mem(), self.last.reset_mem()
        rate = torch.zeros(())
        for now in x.unbind(1):
            fired, hidden = self.first(self.conv(now), hidden)
            out, output = self.last(self.read(fired.flatten(1)), output)
            rate = rate + out
        return rate


def spiking(name: str, kept: float) -> Case:
    model, x = SpikingConv(), spikes(SAMPLES, 5, 2, 16)
    with torch.no_grad():
        for layer in (model.conv, model.read):
            layer.weight.mul_(torch.rand(layer.weight.shape) < kept)

    def truth() -> Totals:
        parts, hidden = [], model.first.reset_mem()
        for now in x.unbind(1):
            fired, hidden = model.first(model.conv(now), hidden)
            parts += padded_conv(now, model.conv) + dense_layer(fired.flatten(1), model.read.weight)
        return total(parts)

    return Case(name, model, x, truth)


class Twice(nn.Module):
    """One layer under two names, called under each."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(8, 8)
        self.left, self.right = nn.Sequential(layer), nn.Sequential(layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.right(torch.relu(self.left(x)))


def shared() -> Case:
    model, x = Twice(), graded(SAMPLES, 8)

    def truth() -> Totals:
        weight = model.left[0].weight
        return total(dense_layer(x, weight) + dense_layer(torch.relu(model.left(x)), weight))  # type: ignore[arg-type]

    return Case("layer shared by two parents", model, x, truth)


class ByName(nn.Module):
    """Calls its layer by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(input=x)


def by_name() -> Case:
    model, x = ByName(), graded(SAMPLES, 12)
    return Case("call by keyword", model, x, lambda: total(dense_layer(x, model.read.weight)))


def two_bits() -> Case:
    import brevitas.nn as qnn
    from brevitas.quant import Int8WeightPerTensorFloat

    two = {"weight_quant": Int8WeightPerTensorFloat, "weight_bit_width": 2, "bias": True}
    model = nn.Sequential(qnn.QuantLinear(12, 8, **two), nn.ReLU(), qnn.QuantLinear(8, 4, **two))
    x = graded(SAMPLES, 12)

    def truth() -> Totals:
        first, last = (model[place].quant_weight().value for place in (0, 2))
        parts = dense_layer(x, first) + dense_layer(model[:2](x), last)
        # Weights in {-1, 0, 1} by their format need no multiplier, whatever the activation.
        return tuple((0, mac + ac) for mac, ac in total(parts))

    # 12 * 8 + 8 * 4 = 128 weights of 2 bits in 32 B, 12 biases of 4 B.
    return Case("2-bit weights (Brevitas)", model, x, truth, stored_bytes=80)


def cases() -> Iterator[Case]:
    """Yield every case, each from its own seed, in evaluation mode."""
    makers: list[Callable[[], Case]] = [
        eeg_conv,
        lambda: mlp("MLP, half its weights pruned", graded(SAMPLES, 12), 0.5),
        lambda: mlp("MLP, input in {-1, 0, 1}", torch.randint(-1, 2, (SAMPLES, 12)).float(), 1.0),
        lambda: mlp("MLP, one example of four graded", torch.cat((spikes(3, 12), graded(1, 12))), 1.0),
        lambda: recurrent("LSTM, 7 steps", nn.LSTM(6, 5, batch_first=True)),
        lambda: recurrent("GRU, 7 steps", nn.GRU(6, 5, batch_first=True)),
        lambda: attention("module"),
        lambda: attention("functional"),
        lambda: spiking("spiking conv", 1.0),
        lambda: spiking("spiking conv, half pruned", 0.5),
        shared,
        by_name,
        two_bits,
    ]  # fmt: skip
    for seed, make in enumerate(makers):
        torch.manual_seed(seed)
        case = make()
        case.model.eval()
        yield case
