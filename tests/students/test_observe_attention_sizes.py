"""Attention counted without a table of its scores gives what the table gives, and is left where it might not."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from energy_models.workload import Workload
from students.counting import observe
from students.counting.rules import attention


class Attend(nn.Module):
    def __init__(self, gain: float, **options: bool) -> None:
        super().__init__()
        self.q, self.o, self.gain, self.options = nn.Linear(12, 36), nn.Linear(12, 2), gain, options

    def forward(self, x):
        q, k, v = self.q(x.transpose(1, 2)).unflatten(-1, (3, 2, 6)).permute(2, 0, 3, 1, 4)
        out = functional.scaled_dot_product_attention(q * self.gain, k, v.relu(), **self.options)
        return self.o(out.transpose(1, 2).flatten(2)).mean(1)


def counted(model: nn.Module, signal: torch.Tensor) -> Workload:
    return observe(model, signal, name="net", mode="window", step_rate_hz=50.0, input_bits=16)


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("gain", [0.1, 1.0, 6.0, 30.0, 3000.0])
@pytest.mark.parametrize("steps", [1, 2, 17])
def test_with_and_without_a_table_of_scores(monkeypatch, gain, causal, steps):
    torch.manual_seed(steps)
    model, signal = Attend(gain, is_causal=causal), torch.randn(3, 12, steps)
    bounded = counted(model, signal)
    monkeypatch.setattr(attention, "SPREAD", -math.inf)
    assert counted(model, signal).layers == bounded.layers


def test_scores_are_looked_at_where_the_longest_query_and_key_say_too_little():
    torch.manual_seed(0)
    query, key = torch.randn(2, 3, 300, 6), torch.randn(2, 3, 300, 6)
    scores = query @ key.mT
    widest = float((scores.amax(-1) - scores.amin(-1)).max())
    assert attention._widest(query, key, math.inf) == pytest.approx(widest)
    assert attention._widest(query, key, widest / 2) == math.inf


def test_weights_that_vanish_or_are_one_are_seen():
    work = counted(Attend(3000.0), torch.randn(3, 12, 17))
    effective, valid = (
        rule.multiply_accumulate.total + rule.accumulate.total
        for values in work.layers
        if values.name == "matmul_2"
        for rule in (values.products.effective, values.products.dense_valid)
    )
    assert effective < valid / 4  # of 17 keys one or two are looked at, and half of the values are zero


def test_large_attention_makes_no_table_of_scores():
    """1,280 tokens: 2 heads x 1,280 x 1,280 scores, of which none is held."""
    model, signal = Attend(0.1).eval(), torch.randn(1, 12, 1280)
    work = counted(model, signal)
    scores = next(one for one in work.layers if one.name == "matmul")
    assert scores.products.dense_full.mean == 2 * 1280 * 1280 * 6
    assert work.products.effective.multiply_accumulate.mean > 0
