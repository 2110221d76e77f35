"""Streams: one step is one decode, only new work is counted, the past waits in ring buffers."""

from __future__ import annotations

import pytest
import torch
from test_observe_networks import by_name
from test_observe_products import seen, signal, sites
from torch import nn

from energy_models.workload import Count
from students.models.build import build
from students.spec import Shape, StudentSpec


def causal(kernel: int, dilation: int = 1, groups: int = 1) -> nn.Module:
    span = dilation * (kernel - 1)
    return nn.Sequential(
        nn.ConstantPad1d((span, 0), 0.0), nn.Conv1d(2, 4, kernel, dilation=dilation, groups=groups), nn.ReLU(),
        nn.Conv1d(4, 1, 1),
    )  # fmt: skip


@pytest.mark.parametrize(("kernel", "dilation", "groups"), [(1, 1, 1), (3, 1, 1), (4, 2, 2)])
def test_stream_steps_add_up_to_the_window(kernel: int, dilation: int, groups: int) -> None:
    model, x = causal(kernel, dilation, groups), signal(0, 3, 2, 9)
    stream, window = seen(model, x, mode="stream"), seen(model, x)
    assert (stream.decodes, window.decodes) == (27, 3)
    assert (stream.steps_per_decode, window.steps_per_decode) == (1, 9)
    for one, other in zip(stream.layers, window.layers, strict=True):
        assert one.name == other.name
        if one.products is not None:
            # Textbook and non-zero products agree; valid ones differ by design: a ring buffer is no padding.
            assert [sites(one)[rule] for rule in (0, 2, 3)] == [sites(other)[rule] for rule in (0, 2, 3)]
        assert {name: count.total for name, count in one.operations.items()} == {
            name: count.total for name, count in other.operations.items()
        }
        assert one.outputs * stream.decodes == other.outputs * window.decodes


def test_each_step_of_a_stream_is_a_decode_of_its_own() -> None:
    # Two taps on 1, 2, 0, 0: non-zero inputs seen per step are 1, 2, 1, 0; one weight each.
    model = nn.Sequential(nn.ConstantPad1d((1, 0), 0.0), nn.Conv1d(1, 1, 2, bias=False))
    work = seen(model, torch.tensor([[[1.0, 2.0, 0.0, 0.0]]]), mode="stream").layers[0]
    both = work.products.effective_input
    assert both.multiply_accumulate == Count.of([0, 1, 1, 0])
    assert both.accumulate == Count.of([1, 1, 0, 0])
    assert work.input_events == Count.of([1, 1, 0, 0])


def test_ring_buffer_by_hand() -> None:
    # 4 taps, dilation 2, 2 channels: 6 past steps of 2 words are kept, 3 of them read and one written a step.
    work = by_name(seen(causal(4, 2), torch.randn(1, 2, 20), mode="stream", input_bits=8))["1"]
    assert (work.state_elements, work.state_reads, work.state_writes, work.state_bits) == (12, 6, 2, 8)
    assert (work.calls, work.input_shape, work.output_shape) == (1, (2,), (4,))
    assert work.products.dense_full.mean == work.products.dense_valid.mean == 4 * 2 * 4


def test_a_convolution_that_looks_ahead_is_refused_in_a_stream() -> None:
    found = seen(nn.Conv1d(2, 2, 3, padding=1), torch.randn(1, 2, 8), mode="stream")
    assert "causal" in found.uncounted[0].reason
    assert found.layers == ()


def test_attention_over_time_is_refused_in_a_stream() -> None:
    class Attend(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.transpose(1, 2)
            return (x @ x.transpose(1, 2)).softmax(-1) @ x

    assert not seen(Attend(), torch.randn(2, 3, 5), mode="stream").complete


@pytest.mark.parametrize("channels", [3, 6])
def test_channels_as_many_as_steps_or_examples_confuse_nothing(channels: int) -> None:
    model = nn.Sequential(nn.Conv1d(channels, 6, 1), nn.ReLU(), nn.Conv1d(6, channels, 1))
    x = signal(5, 3, channels, 6)
    work = seen(model, x, mode="stream").layers[0]
    per_step = (x != 0).sum(1).flatten()
    assert work.input_events == Count.of([int(n) for n in per_step])


def test_a_loop_over_steps_is_a_stream_too() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.read = nn.GRUCell(2, 3), nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state, outputs = torch.zeros(x.shape[0], 3), []
            for now in x.unbind(-1):
                state = self.cell(now, state)
                outputs.append(self.read(state))
            return torch.stack(outputs, dim=1).relu()

    found = seen(Loop(), signal(2, 4, 2, 7), mode="stream")
    work = by_name(found)
    assert found.complete
    assert (found.decodes, work["cell.input"].calls) == (28, 1)
    assert work["cell.input"].products.dense_full.mean == 9 * 2
    assert work["read"].products.dense_full.mean == 3
    assert work["relu"].operations["compare"].mean == 1


@pytest.mark.parametrize(("family", "hidden"), [("gru", 96), ("lstm", 128)])
def test_recurrent_students_stream(family: str, hidden: int) -> None:
    # H = 32 units, 5 channels, 2 outputs: gates * (5 + 32) products, 32 * 2 for the read-out, per new bin.
    shape = Shape(task="regression", channels=5, steps=20, outputs=2, step_rate_hz=50.0)
    found = seen(build(StudentSpec(family=family, shape=shape, seed=0)), torch.randn(2, 5, 20), mode="stream")
    assert found.complete
    assert sum(layer.products.dense_full.mean for layer in found.layers if layer.products) == hidden * 37 + 64
    assert found.state_bits_total == 32 * 32 * (2 if family == "lstm" else 1)
