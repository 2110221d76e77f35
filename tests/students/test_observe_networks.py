"""Whole networks: the textbook EEGNet, spiking, batch size, what is refused, clear errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_observe_products import seen, signal, sites
from torch import nn

from energy_models.errors import DataError, StudentError, WorkloadError
from energy_models.workload import Count, LayerWork, Uncounted, Workload
from students.counting import observe
from students.models.build import build
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState
from students.spec import Shape, StudentSpec


def by_name(workload: Workload) -> dict[str, LayerWork]:
    return {layer.name: layer for layer in workload.layers}


def textbook_eegnet() -> nn.Module:
    """EEGNet-8,2 of Lawhern et al. 2018 for 22 channels, 1000 samples, 64-tap filters, 4 classes."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 22)),
        nn.Conv2d(1, 8, (1, 64), padding="same", bias=False), nn.BatchNorm2d(8),
        nn.Conv2d(8, 16, (22, 1), groups=8, bias=False), nn.BatchNorm2d(16), nn.ELU(), nn.AvgPool2d((1, 4)),
        nn.Conv2d(16, 16, (1, 16), padding="same", groups=16, bias=False), nn.Conv2d(16, 16, 1, bias=False),
        nn.BatchNorm2d(16), nn.ELU(), nn.AvgPool2d((1, 8)), nn.Flatten(), nn.Linear(16 * 31, 4),
    )  # fmt: skip


def test_textbook_eegnet_has_the_published_number_of_products() -> None:
    # 8*22*1000*64 + 16*1000*22 + 16*250*16 + 16*250*16 + 496*4
    #   = 11,264,000 + 352,000 + 64,000 + 64,000 + 1,984 = 11,745,984
    found = seen(textbook_eegnet(), torch.randn(2, 22, 1000))
    products = [layer.products for layer in found.layers if layer.products]
    assert [one.dense_full.total // 2 for one in products] == [11_264_000, 352_000, 64_000, 64_000, 1_984]
    assert sum(one.dense_full.total for one in products) == 2 * 11_745_984
    # Padding 31 before, 32 after 64 taps: sum of 1..31 and 1..32 taps fall off each row: 496 + 528 = 1,024.
    assert products[0].dense_valid.total // 2 == 8 * 22 * (1000 * 64 - 1_024)
    assert found.complete
    assert [layer.kind for layer in found.layers if layer.products] == [
        "conv", "depthwise", "depthwise", "pointwise", "linear",
    ]  # fmt: skip


def test_batch_norms_fold_and_leave_one_bias_addition() -> None:
    work = by_name(seen(textbook_eegnet(), torch.randn(1, 22, 1000)))
    assert "2" not in work
    assert work["1"].biases == 8
    assert work["1"].operations["add"].total == 8 * 22 * 1000


def test_spatial_first_eegnet_deploys_as_direct_convolutions() -> None:
    # Spatial 22 -> 16 channels: 16*22*1000 = 352,000; one 64-tap filter a channel: 16*64*1000 = 1,024,000.
    shape = Shape(task="classification", channels=22, steps=1000, outputs=4, step_rate_hz=128.0)
    model = build(StudentSpec(family="eegnet", shape=shape, seed=0))
    found = seen(model, torch.randn(2, 22, 1000))
    first = [layer.products.dense_full.total // 2 for layer in found.layers if layer.products][:2]
    assert first == [352_000, 1_024_000]
    assert sum(first) == 1_376_000
    products = [layer.products for layer in found.layers if layer.products]
    # The sums shown in docs/counting.md.
    assert sum(one.dense_full.total for one in products) == 2 * 1_505_984
    assert sum(one.dense_valid.total for one in products) == 2 * 1_488_576
    assert model.training  # put back as it was


def spiking(reset: str = "subtract") -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 5, 1, bias=False), ZeroInitialState(LIF(5, 0.9, 1.0, reset=reset)),  # type: ignore[arg-type]
        nn.Conv1d(5, 2, 1, bias=False), ZeroInitialState(LeakyIntegrator(2, 0.9)),
    )  # fmt: skip


def test_a_silent_spiking_network_still_updates_its_neurons() -> None:
    work = by_name(seen(spiking(), torch.zeros(2, 3, 10)))
    for name in ("0", "2"):
        assert work[name].products.effective_input.total == 0
        assert work[name].products.dense_full.total > 0
    neurons = work["1.neurons"]
    assert (neurons.updates_active.total, neurons.updates_idle.total) == (0, 2 * 5 * 10)
    assert neurons.output_events.total == 0
    assert {name: count.total for name, count in neurons.operations.items()} == {"leak": 100, "compare": 100}
    assert (neurons.state_elements, neurons.state_reads, neurons.state_writes) == (5, 50, 50)


def test_spikes_are_accumulated_and_counted_one_by_one() -> None:
    torch.manual_seed(1)
    model, x = spiking(), 3 * torch.randn(4, 3, 12)
    work = by_name(seen(model, x))
    with torch.no_grad():
        current = model[0](x)
        spikes = model[1](current)
    emitted = [int(one.sum()) for one in spikes]
    assert sum(emitted) > 0
    assert work["1.neurons"].output_events == Count.of(emitted)
    assert work["1.neurons"].operations["reset"].total == sum(emitted)
    assert work["1.neurons"].operations["add"].total == int((current != 0).sum())
    synaptic = work["2"].products
    assert synaptic.effective_input.accumulate == Count.of([2 * n for n in emitted])  # fan-out 2
    assert synaptic.dense_full.multiply_accumulate.total == 0  # binary inputs need no multiplier
    assert work["2"].activation_bits == 1
    assert "compare" not in work["3.neurons"].operations


def test_without_a_reset_nothing_is_subtracted() -> None:
    work = by_name(seen(spiking("none"), 3 * torch.ones(1, 3, 8)))
    assert "reset" not in work["1.neurons"].operations


def test_neurobench_baseline_snn_dense_operations() -> None:
    # NeuroBench's primate-reaching SNN2: 96-50-2, one bin a step: 96*50 + 50*2 = 4,900 dense synaptic operations.
    model = nn.Sequential(
        nn.Conv1d(96, 50, 1, bias=False), ZeroInitialState(LIF(50, 0.96, 0.4)),
        nn.Conv1d(50, 2, 1, bias=False), ZeroInitialState(LeakyIntegrator(2, 0.96)),
    )  # fmt: skip
    found = seen(model, torch.randint(0, 2, (2, 96, 30)).float(), mode="stream", step_rate_hz=250.0)
    assert found.decodes == 60
    assert sum(layer.products.dense_full.mean for layer in found.layers if layer.products) == 4900.0
    assert sum(layer.products.dense_full.multiply_accumulate.total for layer in found.layers if layer.products) == 0


@pytest.mark.parametrize("model", [textbook_eegnet(), spiking(), nn.Sequential(nn.Flatten(), nn.Linear(300, 5))])
def test_four_at_once_equal_four_one_by_one(model: nn.Module) -> None:
    steps = 100
    if isinstance(model[0], nn.Unflatten):
        model, x = nn.Sequential(*list(model)[:12]), signal(3, 4, 22, steps)
    else:
        x = signal(3, 4, 3, steps)
    together = seen(model, x)
    apart = [seen(model, one.unsqueeze(0)) for one in x]
    assert seen(model, x, batch_size=3).layers == together.layers
    for place, layer in enumerate(together.layers):
        if layer.products is not None:
            assert layer.products.effective.accumulate == sum_of(
                [one.layers[place].products.effective.accumulate for one in apart]
            )
        for name, count in layer.operations.items():
            zero = Count(0, 0, 1)
            assert count == sum_of([one.layers[place].operations.get(name, zero) for one in apart])


def sum_of(counts: list[Count]) -> Count:
    total = counts[0]
    for count in counts[1:]:
        total = total + count
    return total


def test_decodes_that_cannot_be_told_apart_are_run_one_by_one() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = torch.zeros(x.shape[0], 4)
            out[:, :2] = x[:, 0, :2]  # written into: its axes are not followed
            return self.read(out)

    found = seen(Odd(), torch.ones(3, 2, 5))
    assert found.complete
    assert sites(found.layers[0]) == ((0, 24), (0, 24), (0, 12), (0, 12))


def test_what_no_rule_counts_is_listed_and_never_zero() -> None:
    class Strange(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.read(torch.linalg.eigvalsh(x))

    found = seen(Strange(), torch.randn(2, 4, 4))
    assert not found.complete
    reason = "it iterates until it converges: how often depends on the numbers"
    assert found.uncounted[0] == Uncounted("Strange", "_linalg_eigh", reason)
    assert "read" in by_name(found)  # what follows is still counted


def test_the_larger_of_two_signals_is_one_compare_an_element() -> None:
    class Larger(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.max(torch.max(x, 2 * x), dim=-1).values

    work = by_name(seen(Larger(), torch.randn(2, 3, 5)))
    assert work["max"].operations["compare"].mean == 15.0
    assert work["max_2"].operations["compare"].mean == 12.0  # 4 of 5 in each of 3 rows


def test_batch_statistics_are_refused() -> None:
    found = seen(nn.BatchNorm1d(3, track_running_stats=False), torch.randn(2, 3, 5))
    assert [gap.operation for gap in found.uncounted] == ["batch_norm", "storage"]  # 3 scales, 3 offsets


def test_a_norm_that_cannot_fold_is_charged() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product, self.norm = nn.Conv1d(3, 3, 1, bias=False), nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.product(x)
            return x + self.norm(x)  # the raw product is needed as well

    work = by_name(seen(Residual(), torch.randn(2, 3, 5)))
    assert work["norm"].operations["multiply"].mean == 15.0
    assert work["norm"].operations["add"].mean == 15.0
    assert work["product"].biases == 0
    assert work["add"].operations["add"].mean == 15.0


def test_pooling_and_activations_by_hand() -> None:
    work = by_name(
        seen(nn.Sequential(nn.ReLU(), nn.AvgPool1d(4), nn.AvgPool1d(3), nn.Softmax(-1)), torch.randn(2, 3, 24))
    )
    assert {name: count.mean for name, count in work["0"].operations.items()} == {"compare": 72.0}
    # 18 means of 4: 3 additions and an exact reciprocal; 6 means of 3: 2 additions and a division.
    assert {name: count.mean for name, count in work["1"].operations.items()} == {"add": 54.0, "multiply": 18.0}
    assert {name: count.mean for name, count in work["2"].operations.items()} == {"add": 12.0, "divide": 6.0}
    # Rows of 2: 1 compare, 2 subtractions + 1 addition, 2 look-ups, 2 divisions; 3 rows.
    softmax = {name: count.mean for name, count in work["3"].operations.items()}
    assert softmax == {"compare": 3.0, "add": 9.0, "lookup": 6.0, "divide": 6.0}


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        (torch.full((2, 3, 4), torch.nan), DataError, "24 input values are not finite"),
        (torch.zeros(0, 3, 4), DataError, "nothing to observe"),
        (torch.zeros(5), DataError, "nothing to observe"),
        (torch.zeros(2, 7, 4), StudentError, r"in 0.*shape \(2, 7, 4\)|shape \(2, 7, 4\).*in 0"),
    ],
)
def test_bad_inputs_give_clear_errors(inputs: torch.Tensor, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        seen(nn.Sequential(nn.Conv1d(3, 2, 1)), inputs)


def test_a_model_that_raises_is_named() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("no such montage")

    with pytest.raises(StudentError, match=r"ValueError.*no such montage"):
        seen(nn.Sequential(Broken()), torch.zeros(1, 2, 3))


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"input_bits": 0}, {"step_rate_hz": 0.0}])
def test_impossible_options(options: dict[str, object]) -> None:
    with pytest.raises(StudentError, match="impossible options"):
        seen(nn.Conv1d(2, 2, 1), torch.zeros(1, 2, 3), **options)


@pytest.mark.parametrize(
    ("shape", "mode", "says"),
    [((1, 2, 3), "windw", "unknown mode 'windw'.*Did you mean 'window'"), ((4, 2), "stream", r"shape \(4, 2\)")],
)
def test_impossible_modes(shape: tuple[int, ...], mode: str, says: str) -> None:
    with pytest.raises(StudentError, match=says):
        seen(nn.Linear(shape[-1], 1), torch.zeros(shape), mode=mode)


def test_arrays_are_told_to_become_tensors() -> None:
    with pytest.raises(DataError, match=r"ndarray.*torch\.as_tensor"):
        seen(nn.Linear(3, 1), torch.zeros(1, 3).numpy())  # type: ignore[arg-type]


def test_a_conversion_to_integers_is_one_addition_an_element() -> None:
    class Truncate(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.int().float() + (x > 0).float()

    work = by_name(seen(Truncate(), torch.randn(2, 3)))
    assert {name: dict(layer.operations) for name, layer in work.items()} == {
        "to": {"add": Count.constant(3, 2)}, "gt": {"compare": Count.constant(3, 2)},
        "add": {"add": Count.constant(3, 2)},
    }  # fmt: skip


def test_preprocessing_comes_first_and_names_may_not_clash() -> None:
    step = LayerWork(
        "pipeline.reference", "filter", "float", 1, (2, 3), (2, 3), 6, 6, operations={"add": Count(6, 36, 1)}
    )
    model, x = nn.Sequential(nn.Conv1d(2, 2, 1)), torch.zeros(1, 2, 3)
    assert seen(model, x, pipeline_work=(step,)).layers[0] == step
    clash = LayerWork("0", "filter", "float", 1, (2, 3), (2, 3), 6, 6)
    with pytest.raises(StudentError, match="both have a layer named '0'"):
        seen(model, x, pipeline_work=(clash,))


def varying(model: nn.Module, x: torch.Tensor) -> LayerWork:
    return replace(seen(model, x).layers[0], name="pipeline.filter")


def test_preprocessing_that_varies_with_a_model_that_varies_has_no_total_and_says_why() -> None:
    model, x = nn.Linear(4, 2), torch.ones(3, 4)
    x[1, :2] = 0
    step = varying(nn.Linear(4, 3), x)
    found = seen(model, x, pipeline_work=(step,))
    assert found.products is None
    assert "effective_input.ac of 'pipeline.filter' varies from decode to decode" in found.provenance["products"]
    # Beside a model that does the same in every decode: (12, 6, 12) and 2 x 4 in each.
    alike = seen(model, torch.ones(3, 4), pipeline_work=(step,))
    assert alike.products is not None
    assert alike.products.effective_input.accumulate == Count.of([20, 14, 20])
    assert "products" not in alike.provenance


def test_preprocessing_counted_over_other_recordings_is_refused() -> None:
    with pytest.raises(WorkloadError, match="counted over 3 decodes, neither 2 nor one"):
        seen(nn.Linear(4, 2), torch.ones(2, 4), pipeline_work=(varying(nn.Linear(4, 3), torch.ones(3, 4)),))


def test_hooks_are_gone_afterwards() -> None:
    model = nn.Sequential(nn.Conv1d(2, 2, 1))
    observe(model, torch.zeros(1, 2, 3), name="net", mode="window", step_rate_hz=1.0, input_bits=8)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
