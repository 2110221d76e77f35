"""What a stream does over N steps is what one window of N steps does, per layer, convention and element (property)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_observe_products import pruned, seen, signal, sites
from torch import nn

from energy_models.workload import LayerWork, Workload
from students.neurons.lif import LIF

QUICK = settings(max_examples=25, deadline=None)


def figures(layer: LayerWork) -> dict[str, object]:
    """Every total of a layer."""
    found: dict[str, object] = {name: count.total for name, count in layer.operations.items()}
    found["sites"] = None if layer.products is None else sites(layer)
    for name in ("input_events", "output_events", "updates_active", "updates_idle"):
        count = getattr(layer, name)
        found[name] = None if count is None else count.total
    return found


def by_layer(work: Workload) -> dict[str, dict[str, object]]:
    """Totals by layer; ring buffers that compute nothing exist in streams only."""
    assert work.uncounted == ()
    return {one.name: figures(one) for one in work.layers if one.operations or one.products or one.kind == "neuron"}


def assert_stream_is_window(model: nn.Module, x: torch.Tensor) -> Workload:
    stream = seen(model, x, mode="stream")
    assert by_layer(stream) == by_layer(seen(model, x))
    assert stream.decodes == x.shape[0] * x.shape[-1]
    return stream


@st.composite
def stacks(draw: st.DrawFn) -> tuple[nn.Module, int, int]:
    """Convolutions without padding, ReLUs and pools: the network, its channels, and the steps it spans."""
    layers: list[nn.Module] = []
    channels = first = draw(st.integers(1, 3))
    span, every = 0, 1
    for _ in range(draw(st.integers(1, 3))):
        kernel, dilation, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
        groups = draw(st.sampled_from([1, channels]))
        outputs = groups * draw(st.integers(1, 2))
        layers.append(nn.Conv1d(channels, outputs, kernel, stride, 0, dilation, groups, bias=draw(st.booleans())))
        channels, span, every = outputs, span + every * dilation * (kernel - 1), every * stride
        if draw(st.booleans()):
            layers.append(nn.BatchNorm1d(channels))
        layers.append(nn.ReLU())
        if draw(st.booleans()):
            size, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
            layers.append(draw(st.sampled_from([nn.AvgPool1d, nn.MaxPool1d]))(size, stride))
            span, every = span + every * (size - 1), every * stride
    return nn.Sequential(*layers), first, span


@QUICK
@given(made=stacks(), seed=st.integers(0, 10**6), more=st.integers(1, 9))
def test_stacks_without_padding(made: tuple[nn.Module, int, int], seed: int, more: int) -> None:
    model, channels, span = made
    x = signal(seed, 2, channels, span + more)
    stream = assert_stream_is_window(pruned(model, seed), x)
    assert stream.provenance["halo_steps"] == str(span)


@QUICK
@given(made=stacks(), seed=st.integers(0, 10**6), before=st.integers(1, 12), more=st.integers(1, 9))
def test_each_step_after_the_warm_up_costs_what_it_adds_to_the_window(
    made: tuple[nn.Module, int, int], seed: int, before: int, more: int
) -> None:
    model, channels, warm = pruned(made[0], seed), made[1], made[2] + before
    x = signal(seed, 2, channels, warm + more)
    stream = seen(model, x, mode="stream", warm_up_steps=warm)
    short, long = by_layer(seen(model, x[..., :warm])), by_layer(seen(model, x))
    assert by_layer(stream.replace(layers=stream.warm_up)) == short
    assert stream.uncounted == ()
    steady = {one.name: figures(one) for one in stream.layers}
    for name, layer in long.items():
        for what, total in layer.items():
            if what == "sites" and total is not None:
                pairs = zip(total, short[name][what], strict=True)  # type: ignore[call-overload]
                assert steady[name][what] == tuple((a - c, b - d) for (a, b), (c, d) in pairs)
            elif isinstance(total, int):  # an operation that never happened is not named
                assert steady[name].get(what, 0) == total - short[name].get(what, 0)  # type: ignore[operator]


@QUICK
@given(made=stacks(), seed=st.integers(0, 10**6))
def test_a_batch_of_segments_is_the_segments_one_by_one(made: tuple[nn.Module, int, int], seed: int) -> None:
    model, channels, span = made
    x = signal(seed, 3, channels, span + 4)
    assert seen(model, x, mode="stream", batch_size=3).layers == seen(model, x, mode="stream", batch_size=1).layers


class Bank(nn.Module):
    """FIR filters of several lengths on one signal, each put in place by what it lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.ModuleList(nn.Conv1d(2, 2, taps, groups=2, bias=False) for taps in (3, 7, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([one(x)[..., 7 - one.kernel_size[0] :] for one in self.filters], dim=1).square()


def test_a_filter_bank_keeps_one_buffer_of_its_longest_filter() -> None:
    layers = {one.name: one for one in assert_stream_is_window(Bank(), signal(1, 2, 2, 20)).layers}
    # 7 taps: 6 past samples of 2 channels, written once; each filter reads its own past taps.
    kept = {name: (one.state_elements, one.state_reads, one.state_writes) for name, one in layers.items()}
    assert kept == {"filters.0": (12, 4, 2), "filters.1": (0, 12, 0), "filters.2": (0, 8, 0), "square": (0, 0, 0)}


class Published(nn.Module):
    """EEGNet in its published order, ``(batch, 1, channels, steps)``, without its last global layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(1, 2, (1, 8), bias=False), nn.BatchNorm2d(2),
            nn.Conv2d(2, 4, (channels, 1), groups=2, bias=False), nn.BatchNorm2d(4), nn.ELU(), nn.AvgPool2d((1, 4)),
            nn.Conv2d(4, 4, (1, 3), groups=4, bias=False), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ELU(),
            nn.AvgPool2d((1, 2)),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x)


@pytest.mark.parametrize("lead", [(), (1,)])
def test_eegnet_with_steps_on_the_last_of_two_axes(lead: tuple[int, ...]) -> None:
    model: nn.Module = Published(5)
    model = model if lead else nn.Sequential(nn.Unflatten(1, (1, 5)), model)
    work = assert_stream_is_window(pruned(model, 3), signal(4, 2, *lead, 5, 48))
    assert work.channels == 5
    # 7 + 3 for the first filters and pool; 4 steps on from there 2 of the filter and 1 of the pool.
    assert work.provenance["halo_steps"] == str(7 + 3 + 4 * (2 + 1))


@QUICK
@given(data=st.data())
def test_two_axes_with_the_steps_on_either(data: st.DataObject) -> None:
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    across, seed = draw(0, 1), draw(0, 10**6)
    kernel, pads = (draw(1, 3), draw(1, 3)), draw(0, 1)
    stride, dilation = (draw(1, 2), draw(1, 2)), (draw(1, 2), draw(1, 2))
    padding = (pads, 0) if across else (0, pads)
    model = pruned(nn.Conv2d(2, 2, kernel, stride, padding, dilation, data.draw(st.sampled_from([1, 2]))), seed)
    x = signal(seed, 2, 2, 6, 6)
    turned = x if across else x.mT

    class Turn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x if across else x.mT)

    assert_stream_is_window(Turn(), turned)


def test_recurrent_and_spiking_layers_behind_strided_convolutions() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.front, self.spikes = nn.Conv1d(2, 3, 4, stride=2), LIF(3, beta=0.9, threshold=0.5)
            self.gru = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gru(self.spikes(self.front(x))[0].transpose(1, 2))[0]

    assert_stream_is_window(pruned(Net(), 0), signal(7, 3, 2, 21))


class Sums(nn.Module):
    """Window sums, overlapping and not."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.unfold(-1, 4, 3).sum(-1), x.unflatten(-1, (-1, 5)).mean(-1)


def test_a_layer_behind_strides_by_hand() -> None:
    # Stride 2, then 3: the second layer works in one of 6 decodes. Per call it reads 1 past tap of 4 channels and
    # writes the 3 new steps of each; its buffer keeps 1 step of 4 channels.
    model = nn.Sequential(nn.Conv1d(2, 4, 3, stride=2), nn.Conv1d(4, 5, 2, stride=3))
    work = seen(model, signal(0, 1, 2, 60), mode="stream").layers
    assert [one.decodes_per_call for one in work] == [2, 6]
    assert [one.calls for one in work] == [1, 1]
    assert (work[1].inputs, work[1].outputs, work[1].state_elements) == (4 * 3, 5, 4)
    assert (work[1].state_reads, work[1].state_writes) == (4, 12)
    # 60 steps: 29 values of the first, floor((29 - 2) / 3) + 1 = 10 of the second, 5 outputs of 4 x 2 products each.
    assert work[1].products.dense_full.total == 10 * 5 * 8


def test_window_sums() -> None:
    work = assert_stream_is_window(Sums(), signal(8, 2, 3, 20))
    layers = {one.name: one for one in work.layers}
    # Windows of 4 every 3 steps keep 3 past steps of 3 channels, blocks of 5 keep 4: one buffer for both.
    assert layers["unfold"].state_elements == 4 * 3
    assert layers["blocks"].state_elements == 0
    # 6 windows of 3 channels, 3 additions each, in 2 segments.
    assert layers["sum"].operations["add"].total == 6 * 3 * 3 * 2


def test_zeros_joined_in_front_are_the_initial_buffer() -> None:
    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(torch.cat([torch.zeros(x.shape[0], 2, 2), x], dim=-1))

    work = seen(Joined(), signal(0, 2, 2, 9), mode="stream")
    assert work.complete
    assert work.layers[0].products.dense_full.total == 2 * 9 * 12


def test_outputs_behind_the_end_are_cut_off_and_not_counted() -> None:
    class Chomped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 2, 3, padding=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)[..., :-2].relu()

    x = signal(0, 2, 2, 9)
    cut = seen(Chomped(), x, mode="stream")
    assert cut.complete
    assert cut.layers[0].products.dense_full.total == 2 * 9 * 12
    whole = seen(nn.Sequential(nn.Conv1d(2, 2, 3, padding=2), nn.ReLU()), x, mode="stream")
    assert "causal" in whole.uncounted[0].reason


class LinearAttention(nn.Module):
    """Causal attention with running sums (Katharopoulos et al. 2020): a step network with a state of d x d words."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(3, 4, bias=False) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, outputs = torch.zeros(x.shape[0], 4, 4), []
        for now in x.unbind(-1):
            key, value = self.key(now).relu(), self.value(now)
            state = state + key.unsqueeze(2) @ value.unsqueeze(1)
            outputs.append((self.query(now).unsqueeze(1) @ state).squeeze(1))
        return torch.stack(outputs, dim=-1)


class Biquad(nn.Module):
    """A second-order section, direct form II transposed: 5 products and 4 additions a sample."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second, outputs = torch.zeros(x.shape[:2]), torch.zeros(x.shape[:2]), []
        for now in x.unbind(-1):
            out = now * 0.2 + first
            first = now * 0.3 - out * -0.5 + second
            second = now * 0.2 - out * 0.25
            outputs.append(out)
        return torch.stack(outputs, dim=-1)


def test_step_loops_with_running_sums_and_filters() -> None:
    stream = assert_stream_is_window(LinearAttention(), signal(0, 2, 3, 8))
    # Per step: three 3 x 4 maps; key times value and query times state are 4 x 4 each.
    assert sum(one.products.dense_full.mean for one in stream.layers if one.products) == 3 * 12 + 2 * 16
    stream = assert_stream_is_window(Biquad(), signal(1, 2, 3, 8))
    total: dict[str, float] = {}
    for layer in stream.layers:
        for name, count in layer.operations.items():
            total[name] = total.get(name, 0) + count.mean
    assert total == {"multiply": 5 * 3, "add": 4 * 3}


class Around(nn.Module):
    def __init__(self, operation: object) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.operation(x)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (nn.AdaptiveAvgPool1d(1), "no fixed window"),
        (lambda x: x.mean(-1), "no fixed window"),
        (lambda x: x.cumsum(-1), "no fixed window"),
        (lambda x: x.flip(-1) + 1, "other places"),
        (lambda x: x.roll(1, -1) + 1, "other places"),
        (lambda x: nn.functional.avg_pool1d(x, 3, 1, 1), "causal"),
        (lambda x: x[..., 1:] + x[..., :-1], "exist at different steps"),
        (lambda x: nn.functional.scaled_dot_product_attention(x.mT, x.mT, x.mT, is_causal=True), "grows with time"),
    ],
)  # fmt: skip
def test_what_has_no_fixed_work_in_a_stream_is_refused(operation: object, reason: str) -> None:
    found = seen(Around(operation), torch.randn(2, 3, 9), mode="stream")
    assert any(reason in gap.reason for gap in found.uncounted), found.uncounted


def test_temporal_filters_of_eegnet_per_window_and_per_sample() -> None:
    # docs/counting.md: 8 filters of 64 taps on 22 channels; a window of 1000 samples holds 937 outputs.
    model = nn.Conv2d(1, 8, (1, 64), bias=False)
    x = torch.ones(1, 1, 22, 1000)
    window, stream = (seen(model, x, mode=mode).layers[0] for mode in ("window", "stream"))
    assert window.products.dense_full.mean == 8 * 22 * 64 * 937 == 10_554_368
    assert stream.products.dense_full.total == 10_554_368
    # 63 of the 1000 decodes are warm-up; each of the other 937 makes one output of every filter and channel.
    assert stream.products.dense_full.total / 937 == 8 * 22 * 64 == 11_264
    assert (stream.state_elements, stream.state_reads, stream.state_writes) == (22 * 63, 22 * 63, 22)
