"""A price of events in the loss: hand-worked costs, those a workload counts, and what training makes of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.neurons import LIF, MultiSpikeLIF, ZeroInitialState
from students.spec import Float32, Form, Scalar, Shape, SpikePrice, StudentSpec, Training, parse_form
from students.training import Examples, FitResult, fit
from students.training.spike_price import EventMeter

WINDOW = Shape(task="classification", channels=4, steps=96, outputs=2, step_rate_hz=64.0)
STREAM = Shape(task="regression", channels=6, steps=20, outputs=2, step_rate_hz=20.0)
FREE = {"synaptic_operation": 0.0, "neuron_update": 0.0, "event": 0.0}


def share(model: nn.Module, signal: Tensor, **costs: float) -> float:
    meter = EventMeter(model.eval(), signal, SpikePrice(weight=1.0, **{**FREE, **costs}))
    with meter.reading() as found:
        model(signal)
    return float(found.share.detach())


def weighted(inputs: int, outputs: int) -> nn.Conv1d:
    layer = nn.Conv1d(inputs, outputs, 1, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def test_costs_hand_worked() -> None:
    """Currents 2.5, 0, 6, 0 at threshold 1, at most 3, make events 2, 0, 3, 0, read by two outputs.

    Synaptic operations: 5 events x 2 of 4 steps x 2. Updates: both outputs in two of four steps. Events: 5 in 4 steps.
    With one of the two weights at zero each event is heard once.
    """
    net = nn.Sequential(weighted(1, 1), ZeroInitialState(MultiSpikeLIF(1, 0.0, 1.0, 3)), weighted(1, 2))
    signal = torch.tensor([[[2.5, 0.0, 6.0, 0.0]]])
    assert share(net, signal, synaptic_operation=3.0) == 10 / 8
    assert share(net, signal, neuron_update=3.0) == 4 / 8
    assert share(net, signal, event=3.0) == 5 / 4
    assert share(net, signal, synaptic_operation=1.0, neuron_update=1.0, event=2.0) == (10 + 4 + 10) / (8 + 8 + 8)
    with torch.no_grad():
        net[2].weight[0] = 0.0
    assert share(net, signal, event=1.0, synaptic_operation=1.0) == (5 + 5) / (4 + 4)


def counted(model: nn.Module, signal: Tensor, mode: str) -> int:
    """Return the synaptic operations that a workload has: products behind the first neurons, of non-zero weights."""
    work: Workload = observe(model.eval(), signal, name="n", mode=mode, step_rate_hz=64.0, input_bits=8)  # type: ignore[arg-type]
    first = next(place for place, one in enumerate(work.layers) if one.kind == "neuron")
    own = [one for one in work.layers[: first + 1] if "recurrent" in one.name]
    heard = [one for one in [*own, *work.layers[first + 1 :]] if one.products is not None]
    return sum(
        one.products.effective.accumulate.total + one.products.effective.multiply_accumulate.total for one in heard
    )


def metered(model: nn.Module, signal: Tensor) -> float:
    meter = EventMeter(model.eval(), signal[:1], SpikePrice(weight=1.0))
    with torch.no_grad(), meter.reading() as found:
        model(signal)
    return float(torch.stack(found.costs).sum())


NETS = {
    "padded, in strides": (nn.Conv1d(8, 6, 5, stride=2, padding=2),),
    "dilated, in groups": (nn.Conv1d(8, 4, 3, dilation=2, groups=2),),
    "flat": (nn.Flatten(), nn.Linear(8 * 96, 3)),
    "two readers in a row": (nn.Conv1d(8, 6, 1), ZeroInitialState(LIF(6, 0.9, 0.1)), nn.Conv1d(6, 5, 3, padding=1)),
}


@pytest.mark.parametrize("net", NETS)
def test_synaptic_operations_are_those_of_the_workload(net: str) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv1d(4, 8, 1), ZeroInitialState(LIF(8, 0.8, 0.3)), *NETS[net])
    with torch.no_grad():
        model[-1].weight[0] = 0.0
    signal = torch.randn(3, 4, 96)
    assert metered(model, signal) == counted(model, signal, "window") > 0


DELAYS: dict[str, Scalar] = {"most": 1, "lags_hidden": 3}


@pytest.mark.parametrize(("family", "options", "form"), [
    ("spiking_mlp", {}, "float32"), ("spiking_mlp", {}, "w8a8s8"), ("spiking_recurrent", {}, "float32"),
    ("spiking_delay", DELAYS, "float32"), ("spiking_delay", DELAYS, "w4a4"), ("spiking_conv", {}, "float32"),
    ("spiking_conv", {}, "w4a4"),
])  # fmt: skip
def test_families_are_metered_as_they_are_counted(family: str, options: dict[str, Scalar], form: str) -> None:
    model, signal = made(family, options, parse_form(form))
    if form == "float32":
        assert metered(model, signal) == counted(model, signal, "window") > 0
    else:  # a weight that is rounded to zero is not counted, and is metered
        assert metered(model, signal) >= counted(model, signal, "window") > 0.5 * metered(model, signal)


def made(family: str, options: dict[str, Scalar], form: Form) -> tuple[nn.Module, Tensor]:
    spec = StudentSpec(family=family, options=options, shape=WINDOW, seed=2)
    signal = 2.0 * torch.randn(4, 4, 96, generator=torch.Generator().manual_seed(1))
    model = build(spec)
    if isinstance(form, Float32):
        return model, signal
    return quantised_from_float(spec.model_copy(update={"form": form}), model, signal), signal


class Loop(nn.Module):
    """Neurons of snnTorch, called step by step."""

    def __init__(self) -> None:
        super().__init__()
        import snntorch

        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)
        self.neurons = snntorch.Leaky(0.8, threshold=0.3)

    def forward(self, signal: Tensor) -> Tensor:
        membrane, outputs = self.neurons.init_leaky(), []
        for step in signal.unbind(-1):
            spikes, membrane = self.neurons(self.first(step), membrane)
            outputs.append(self.second(spikes))
        return torch.stack(outputs).mean(0)


def test_neurons_of_a_library_called_step_by_step() -> None:
    torch.manual_seed(0)
    model, signal = Loop(), torch.randn(2, 4, 30)
    assert metered(model, signal) == counted(model, signal, "window") > 0


def counts(count: int, seed: int) -> Examples:
    """Counts of six neurons tuned to two smooth axes."""
    generator = torch.Generator().manual_seed(seed)
    tuning = torch.randn(6, 2, generator=torch.Generator().manual_seed(99))
    axes = torch.randn(count, 2, 20, generator=generator).cumsum(-1) / 3
    rates = torch.exp(0.3 + 0.5 * torch.einsum("no,bot->bnt", tuning, axes)).clamp(max=8)
    return Examples(torch.poisson(rates, generator=generator), axes.transpose(1, 2).contiguous())


def trained(price: SpikePrice | None, epochs: int = 5) -> tuple[nn.Module, FitResult]:
    training = Training(epochs=epochs, batch_size=8, learning_rate=2e-2, spikes=price)
    options: dict[str, Scalar] = {"hidden_1": 8, "hidden_2": 8}
    spec = StudentSpec(family="spiking_mlp", options=options, shape=STREAM, training=training, seed=1)
    model = build(spec)
    return model, fit(model, counts(24, 0), counts(8, 1), spec)


def test_a_greater_weight_leaves_fewer_synaptic_operations() -> None:
    test = counts(8, 2).inputs
    found = [counted(trained(SpikePrice(weight=weight))[0], test, "stream") for weight in (0.0, 2.0, 10.0)]
    assert found[0] > 1.05 * found[1] > 1.05 * 1.2 * found[2], found


def test_events_below_the_target_are_free() -> None:
    """Rates above one event a step are none of single spikes, so that a target of 1 is no price."""
    plain, same = trained(None, epochs=2), trained(SpikePrice(weight=5.0, target=1.0), epochs=2)
    assert plain[1].validation_losses == pytest.approx(same[1].validation_losses, rel=1e-4)
    rate = [share(trained(SpikePrice(weight=20.0, target=target, synaptic_operation=0.0, event=1.0))[0],
                  counts(12, 2).inputs, event=1.0) for target in (0.05, 0.2)]  # fmt: skip
    assert rate[0] < rate[1] < 0.3


def test_without_weight_no_bit_changes() -> None:
    (plain, losses), (free, same) = trained(None, epochs=2), trained(SpikePrice(weight=0.0), epochs=2)
    assert losses == same
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), free.state_dict().values(), strict=True))


def test_a_spec_without_a_price_is_written_as_before() -> None:
    assert "spikes" not in Training().model_dump(mode="json")
    priced = Training(spikes=SpikePrice(weight=0.5, event=2.0))
    assert Training.model_validate(priced.model_dump(mode="json")) == priced


def test_a_network_without_spikes_is_refused() -> None:
    spec = StudentSpec(
        family="eegnet", shape=WINDOW, seed=0, training=Training(epochs=1, spikes=SpikePrice(weight=1.0))
    )
    signal = torch.randn(4, 4, 96)
    examples = Examples(signal, torch.tensor([0, 1, 0, 1]))
    with pytest.raises(StudentError, match="no neurons that fire"):
        fit(build(spec), examples, examples, spec)


@pytest.mark.parametrize(
    "wrong", [{"weight": -1.0}, {"weight": float("inf")}, {"weight": 1.0, "synaptic_operation": 0.0}]
)
def test_costs_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"greater than or equal|finite|no cost"):
        SpikePrice(**wrong)
