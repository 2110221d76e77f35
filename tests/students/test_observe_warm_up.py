"""The first steps of a stream, while states and buffers fill, are counted apart from the steady state."""

from __future__ import annotations

import pytest
import snntorch
import torch
from test_observe_products import seen
from test_observe_snntorch import Theirs, counts, ours, single, weights
from torch import nn

from energy_models.errors import StudentError
from energy_models.workload import Count, LayerWork


def test_two_neurons_with_two_warm_up_steps_by_hand() -> None:
    # As over four steps in test_observe_snntorch: spikes a + b are 1, 1, 0, 1; driven neurons 2, 1, 0, 2.
    rows = [[2.0, 0.0, 0.0, 0.5], [1.0, 1.0, 0.0, 3.0]]
    found = single(snntorch.Leaky(0.5), rows, mode="stream", warm_up_steps=2)
    steady, warm = found.layers[0], found.warm_up[0]
    assert (found.decodes, found.warm_up_steps) == (2, 2)
    assert (warm.output_events, steady.output_events) == (Count.of([1, 1]), Count.of([0, 1]))
    assert (warm.updates_active, steady.updates_active) == (Count.of([2, 1]), Count.of([0, 2]))
    assert warm.operations["leak"] == steady.operations["leak"] == Count.constant(2, 2)


def sums(layer: LayerWork) -> dict[str, Count]:
    counts = dict(layer.operations) | {"in": layer.input_events, "out": layer.output_events}
    if layer.products is not None:
        for rule in ("dense_full", "dense_valid", "effective_input", "effective"):
            one = getattr(layer.products, rule)
            counts |= {f"{rule} mac": one.multiply_accumulate, f"{rule} ac": one.accumulate}
    return {name: count for name, count in counts.items() if count is not None}


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("form", ["ours", "theirs", "convolution", "gru"])
def test_warm_up_and_steady_state_add_up_to_the_whole(form: str, steps: int) -> None:
    torch.manual_seed(0)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(5, 3, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gru(x.transpose(1, 2))[0]

    matrices = weights(5, 7, 2)
    models = {
        "ours": lambda: ours(matrices), "theirs": lambda: Theirs(matrices), "gru": Recurrent,
        "convolution": lambda: nn.Sequential(nn.ConstantPad1d((3, 0), 0.0), nn.Conv1d(5, 2, 4), nn.ReLU()),
    }  # fmt: skip
    model, x = models[form](), counts(5, 5, 8)
    whole = seen(model, x, mode="stream", batch_size=2)
    found = seen(model, x, mode="stream", batch_size=2, warm_up_steps=steps)
    assert (found.decodes, found.complete) == (5 * (8 - steps), True)
    for before, warm, steady in zip(whole.layers, found.warm_up, found.layers, strict=True):
        assert (before.name, before.calls, before.state_reads) == (steady.name, warm.calls, steady.state_reads)
        joined = {name: sums(warm).get(name, Count(0, 0, 5 * steps)) for name in sums(before)}
        rest = {name: sums(steady).get(name, Count(0, 0, 5 * (8 - steps))) for name in sums(before)}
        assert {name: joined[name] + rest[name] for name in joined} == sums(before)


def test_a_steady_state_is_what_a_longer_stream_does_later() -> None:
    # The last five of eight steps, seen with three steps of warm-up, or taken from the counts of each step.
    model, x = Theirs(weights(5, 7, 2)), counts(1, 5, 8)
    found = seen(model, x, mode="stream", warm_up_steps=3)
    per_step = [
        seen(model, x[..., : n + 1], mode="stream").layers[1].output_events.total
        - (seen(model, x[..., :n], mode="stream").layers[1].output_events.total if n else 0)
        for n in range(8)
    ]
    assert sum(per_step) > 0
    assert found.layers[1].output_events == Count.of(per_step[3:])
    assert found.warm_up[1].output_events == Count.of(per_step[:3])


@pytest.mark.parametrize(("mode", "steps"), [("window", 1), ("stream", 8), ("stream", -1)])
def test_a_warm_up_leaves_at_least_one_step_and_only_streams_have_one(mode: str, steps: int) -> None:
    with pytest.raises(StudentError, match="warm_up_steps"):
        seen(nn.Conv1d(5, 2, 1), counts(2, 5, 8), mode=mode, warm_up_steps=steps)
