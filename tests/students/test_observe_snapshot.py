"""A model is after it was observed what it was before, whether it ran through or raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_observe_products import seen, signal
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.counting.calls.signature import MARK


class Moody(nn.Module):
    """Changes everything a module can hold; raises at its end where it is told to."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.read = nn.Linear(6, 2)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("seen", torch.zeros(6))
        self.calls, self.log, self.state, self.fails = 0, [], None, fails
        self.settings = {"gain": 1.0}

    def forward(self, x: Tensor) -> Tensor:
        self.get_buffer("seen").add_(1)
        self.calls += 1
        self.log.append(x)
        self.state = x if self.state is None else self.state + x
        self.settings["gain"] = 2.0
        self.read.weight.data.mul_(2)
        self.read.half()
        self.norm.train()
        self.extra = nn.ReLU()
        self.read.register_forward_hook(lambda module, args, out: out)
        out = self.read(x.half()).float()
        if self.fails:
            raise RuntimeError("no more")
        return out


def picture(model: Moody) -> dict[str, Any]:
    """Everything but tensors' numbers, by identity."""
    return {
        path: {name: id(value) for name, value in vars(module).items()} | {"hooks": list(module._forward_hooks)}
        for path, module in model.named_modules()
    }


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_everything_a_model_holds_is_restored(fails: bool, training: bool) -> None:
    torch.manual_seed(0)
    model = Moody(fails=fails).train(training)
    model.read.eval()
    before, numbers = picture(model), {name: one.clone() for name, one in model.state_dict().items()}
    if fails:
        with pytest.raises(StudentError, match="no more"):
            seen(model, signal(1, 4, 6), batch_size=2)
    else:
        seen(model, signal(1, 4, 6), batch_size=2)
    assert picture(model) == before
    assert (model.calls, model.log, model.state, model.settings) == (0, [], None, {"gain": 1.0})
    after = model.state_dict()
    assert list(after) == list(numbers)
    for name, one in numbers.items():
        assert after[name].dtype == one.dtype
        assert torch.equal(after[name], one)
    assert not any(hasattr(one, MARK) for one in (*model.parameters(), *model.buffers()))
    assert [module.training for module in (model, model.read, model.norm)] == [training, False, training]


def test_torchs_fast_attention_is_restored_after_an_error() -> None:
    fast = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(StudentError):
        seen(nn.Linear(6, 2), torch.ones(2, 5))
    assert torch.backends.mha.get_fastpath_enabled() == fast


class Remembering(nn.Module):
    """Adds what it saw in the last call."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read, self.before, self.last = nn.Linear(6, 2), None, last

    def forward(self, x: Tensor) -> Tensor:
        out = self.read(x if self.before is None else x + self.before)
        self.before = self.last(x)
        return out


def test_every_call_starts_from_the_state_the_model_was_given_in() -> None:
    torch.manual_seed(0)
    model, x = Remembering(lambda x: x), signal(1, 5, 3, 6)
    found = seen(model, x)
    assert found.complete
    assert [layer.name for layer in found.layers] == ["read"]  # nothing was remembered, so nothing is added
    for batch_size in (1, 2):
        assert seen(model, x, batch_size=batch_size) == found


def test_constants_a_model_changes_are_looked_at_again() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.Linear(6, 2, bias=False)
            nn.init.ones_(self.read.weight)

        def forward(self, x: Tensor) -> Tensor:
            first = self.read(x)
            self.read.weight.data[:, 0] = 0
            return first + self.read(x)

    # All 12 weights in the first call, 10 in the second; the same again in the next batch.
    found = seen(Growing(), torch.full((4, 6), 2.5), batch_size=2)
    products = found.layers[0].products
    assert products is not None
    assert products.effective.total == 4 * (12 + 10)
