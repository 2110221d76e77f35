"""Layers replayed and measured in bulk are counted as layers followed call by call."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_observe_products import seen, signal
from torch import nn

from energy_models.errors import StudentError
from energy_models.workload import Conventions, Workload
from students.counting.dispatch.tracer import Tracer
from students.counting.records import recorded_call


class Loop(nn.Module):
    """A recurrent net in a Python loop; `after` is what happens to a tensor once a layer has read it."""

    def __init__(self, width: int = 5, after: str = "nothing") -> None:
        super().__init__()
        self.first, self.act = nn.Linear(3, width), nn.ReLU()
        self.second, self.norm = nn.Linear(width, 2, bias=False), nn.LayerNorm(2)
        self.after = after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = []
        for now in x.unbind(-1):
            hidden = self.act(self.first(now))
            out = self.norm(self.second(hidden))
            if self.after == "written into":
                hidden.zero_()
            if self.after == "branch" and out[:, 0].max() > 0:
                out = self.norm(out)
            outputs.append(out)
        return torch.stack(outputs).sum(0)


def followed(model: nn.Module, x: torch.Tensor, monkeypatch: pytest.MonkeyPatch, **options: object) -> Workload:
    """Observe without any replay."""
    with monkeypatch.context() as patch:
        patch.setattr(Tracer, "remember", lambda *_: None)
        return seen(model, x, **options)


@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 7), steps=st.integers(1, 150), batch=st.integers(1, 4), seed=st.integers(0, 99))
def test_loops_of_any_length(width: int, steps: int, batch: int, seed: int) -> None:
    model, x = Loop(width), signal(seed, batch, 3, steps)
    with pytest.MonkeyPatch.context() as patch:
        expected = followed(model, x, patch)
    assert seen(model, x) == expected


@pytest.mark.parametrize("after", ["nothing", "written into", "branch"])
@pytest.mark.parametrize("mode", ["window", "stream"])
def test_what_happens_to_a_tensor_later_changes_no_count(
    after: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model, x = Loop(after=after), signal(1, 1, 3, 90)
    assert seen(model, x, mode=mode) == followed(model, x, monkeypatch, mode=mode)


def test_calls_are_measured_in_bulk_and_never_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    longest, calls = [0], [0]
    add_call = recorded_call.RecordedCall.add_call

    def counted(self: recorded_call.RecordedCall, *args: object) -> None:
        calls[0] += 1
        longest[0] = max(longest[0], len(self.unmeasured) + 1)
        add_call(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(recorded_call.RecordedCall, "add_call", counted)
    seen(Loop(), signal(2, 2, 3, 400))
    assert calls[0] == 2 * 399  # both products, in every step but the one that was followed
    assert longest[0] == recorded_call.CALLS_AT_ONCE


def test_one_layer_on_several_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for size in (6, 3, 6, 2, 3):
                x = torch.cat((self.mix(x[:, :size]), x[:, size:]), dim=1)
            return x

    x = signal(3, 2, 6, 4)
    torch.manual_seed(0)
    model = Shared()
    assert seen(model, x) == followed(model, x, monkeypatch)


def test_a_users_hook_that_changes_an_output_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Loop()
    model.first.register_forward_hook(lambda module, args, out: out.clamp(min=0) * 2)
    x = signal(4, 2, 3, 70)
    found = seen(model, x)
    assert found == followed(model, x, monkeypatch)
    assert any(layer.operations.get("multiply") for layer in found.layers if layer.name == "mul")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_model_is_restored_whatever_happens(error: type[BaseException]) -> None:
    model = Loop().train()

    class Stop(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise error("now")

    model.act = Stop()
    with pytest.raises(StudentError if error is ValueError else error):
        seen(model, signal(5, 2, 3, 4))
    for module in model.modules():
        assert "forward" not in module.__dict__
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert module.training


def test_totals_are_the_layers_summed_decode_by_decode() -> None:
    torch.manual_seed(0)
    model, x = Loop(), signal(6, 4, 3, 20)
    together = seen(model, x).products
    assert isinstance(together, Conventions)
    apart = [seen(model, one.unsqueeze(0)) for one in x]
    for rule in ("dense_full", "dense_valid", "effective_input", "effective"):
        sums = [sum(getattr(layer.products, rule).total for layer in one.layers if layer.products) for one in apart]
        part = getattr(together, rule)
        assert part.total == sum(sums)
        each = [
            sum(getattr(layer.products, rule).accumulate.total for layer in one.layers if layer.products)
            for one in apart
        ]
        assert part.accumulate.squares == sum(n * n for n in each)
