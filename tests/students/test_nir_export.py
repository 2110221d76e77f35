"""Spiking students as NIR files: read back spike for spike, and what NIR cannot say refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from energy_models.errors import StudentError
from students.counting import observe
from students.families.readout import MeanOverSteps
from students.interchange import nir_of, read_network
from students.models.build import build
from students.neurons import (
    LIF,
    AdaptiveLIF,
    LeakyIntegrator,
    MultiSpikeLIF,
    ParametricLIF,
    RecurrentLIF,
    SynapticLIF,
    ZeroInitialState,
)
from students.spec import Scalar, Shape, StudentSpec

nir = pytest.importorskip("nir", reason="the extra 'export' is not installed")

RATE_HZ = 1 / 0.07
SHAPE = Shape(task="regression", channels=3, steps=60, outputs=4, step_rate_hz=RATE_HZ)
WINDOW = Shape(task="classification", channels=5, steps=40, outputs=3, step_rate_hz=RATE_HZ)


def network(neurons: nn.Module) -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv1d(3, 4, 1), ZeroInitialState(neurons)).eval()


def read(model: nn.Module, shape: Shape, folder: Path) -> nn.Module:
    path = folder / "network.nir"
    path.write_bytes(nir_of(model, shape))
    return read_network(path)


EACH = {"parameters": "of each neuron"}
KINDS = {
    "LIF, subtract": LIF(4, 0.8, 0.4, **EACH),
    "LIF, zero": LIF(4, 0.8, 0.4, reset="zero"),
    "LIF, none": LIF(4, 0.8, 0.4, reset="none"),
    "LIF that forgets": LIF(4, 0.0, 0.4, reset="zero"),
    "IF, zero": LIF(4, 1.0, 2.0, reset="zero"),
    "IF, subtract": LIF(4, 1.0, 2.0),
    "counts, subtract": MultiSpikeLIF(4, 0.7, 0.3, 5),
    "counts, residue": MultiSpikeLIF(4, 0.7, 0.3, 7, reset="residue", **EACH),
    "counts, none": MultiSpikeLIF(4, 0.7, 0.3, 3, reset="none"),
    "single, zero": MultiSpikeLIF(4, 0.7, 0.3, 1, reset="zero"),
    "synaptic current": SynapticLIF(4, 0.6, 0.8, 0.9),
    "synaptic current, none": SynapticLIF(4, 0.6, 0.8, 0.9, reset="none"),
    "learned time constant": ParametricLIF(4, 2.5, 0.3),
    "recurrent": RecurrentLIF(4, 0.8, 0.4, bias="learned"),
    "recurrent, one to one": RecurrentLIF(4, 0.8, 0.4, wiring="one to one", reset="none"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_spike_is_read_back(kind: str, tmp_path: Path) -> None:
    model = network(KINDS[kind])
    signal = 2.0 * torch.randn(20, 3, 60, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, expected = read(model, SHAPE, tmp_path)(signal), model(signal)
    assert torch.equal(found, expected)
    assert expected.sum() > 50, "hardly a neuron fires"


REFUSED = {
    "AdaptiveLIF": (AdaptiveLIF(4, 0.8, 0.9, 0.4, 0.2), "no such neurons"),
    "SynapticLIF": (SynapticLIF(4, 0.6, 0.8, 0.9, reset="zero"), "of this kind that are reset to zero"),
    "RecurrentLIF": (RecurrentLIF(4, 0.8, 0.4, reset="zero"), "of this kind that are reset to zero"),
    "MultiSpikeLIF": (MultiSpikeLIF(4, 0.7, 0.3, 5, reset="zero"), "of this kind that are reset to zero"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_neurons_that_nir_cannot_say_are_refused_by_name(name: str) -> None:
    neurons, why = REFUSED[name]
    with pytest.raises(StudentError, match=rf"NIR, module '1': .*{why} \({name}\)"):
        nir_of(network(neurons), SHAPE)


def test_other_membranes_and_modules_are_refused_by_name() -> None:
    with pytest.raises(StudentError, match="membranes that start above zero"):
        nir_of(network(MultiSpikeLIF(4, 0.7, 0.3, 5, start=0.5)), SHAPE)
    mixed = LIF(4, 0.8, 0.4, **EACH)
    with torch.no_grad():
        mixed.beta[2] = 1.0
    with pytest.raises(StudentError, match="some leak and some do not"):
        nir_of(network(mixed), SHAPE)
    fires = [nn.Conv1d(3, 4, 1), ZeroInitialState(LIF(4, 0.8, 0.4))]
    for last, why in [
        (nn.ReLU(), r"module '2': NIR has no such node \(ReLU\)"),
        (nn.Conv1d(4, 4, 3, padding=1), r"module '2': a convolution that sees later steps"),
        (nn.BatchNorm1d(4), r"module '2': a norm with no product in front"),
    ]:
        with pytest.raises(StudentError, match=why):
            nir_of(nn.Sequential(*fires, last), SHAPE)
    with pytest.raises(StudentError, match=r"module '3': it stands behind a mean over the steps"):
        nir_of(nn.Sequential(*fires, MeanOverSteps(), nn.Linear(4, 2)), SHAPE)
    with pytest.raises(StudentError, match="no neurons that fire"):
        nir_of(nn.Sequential(nn.Conv1d(3, 4, 1), ZeroInitialState(LeakyIntegrator(4, 0.5))), SHAPE)


FAMILIES: list[tuple[str, dict[str, Scalar]]] = [
    ("spiking_mlp", {}), ("spiking_mlp", {"code": "binary"}), ("snn_streaming", {}), ("spiking_recurrent", {}),
    ("spiking_delay", {"lags": 4, "lags_hidden": 3}), ("spiking_delay", {"lags": 6, "delays": "learned"}),
]  # fmt: skip


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize(("family", "options"), FAMILIES)
def test_families_are_read_back(family: str, options: dict[str, Scalar], task: str, tmp_path: Path) -> None:
    """Batch norms are folded, which rounds otherwise; one event less would change an output by far more."""
    shape = WINDOW.model_copy(update={"task": task})
    model = build(StudentSpec(family=family, options=options, shape=shape, seed=1)).eval()
    settle(model)
    signal = torch.poisson(2.0 * torch.rand(6, 5, 40, generator=torch.Generator().manual_seed(3)))
    with torch.inference_mode():
        found, expected = read(model, shape, tmp_path)(signal), model(signal)
    found = found.mean(-1) if task == "classification" else found.transpose(1, 2)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert expected.abs().max() > 0.1


def settle(model: nn.Module) -> None:
    """Give batch norms statistics that are not those of a start."""
    generator = torch.Generator().manual_seed(4)
    for norm in (one for one in model.modules() if isinstance(one, nn.BatchNorm1d)):
        with torch.no_grad():
            norm.running_mean.normal_(generator=generator)
            norm.running_var.uniform_(0.5, 2.0, generator=generator)
            norm.weight.uniform_(0.5, 2.0, generator=generator)
            norm.bias.normal_(generator=generator)


def test_delays_are_read_as_others_write_them(tmp_path: Path) -> None:
    """Two channels delayed by 2 and 0 steps of 0.1 s, added up by weights of 1: y[t] = x0[t - 2] + x1[t]."""
    nodes = {"in": nir.Input(np.array([2])), "wait": nir.Delay(np.array([0.2, 0.0])),
             "sum": nir.Linear(np.ones((1, 2), np.float32)), "out": nir.Output(np.array([1]))}  # fmt: skip
    edges = [("in", "wait"), ("wait", "sum"), ("sum", "out")]
    path = tmp_path / "delays.nir"
    nir.write(path, nir.NIRGraph(nodes, edges, metadata={"dt": 0.1}, type_check=False))
    signal = torch.arange(1.0, 9.0).reshape(1, 2, 4)  # 1 2 3 4 and 5 6 7 8
    model = read_network(path)
    for _ in range(2):  # nothing is left over from the call before
        assert torch.equal(model(signal), torch.tensor([[[5.0, 6.0, 1 + 7.0, 2 + 8.0]]]))
    work = observe(model, signal, name="n", mode="window", step_rate_hz=10.0, input_bits=8)
    assert [one.state_elements for one in work.layers if one.products is not None] == [2]


def test_delays_of_part_of_a_step_are_refused(tmp_path: Path) -> None:
    nodes = {"in": nir.Input(np.array([1])), "wait": nir.Delay(np.array([0.25])), "out": nir.Output(np.array([1]))}
    path = tmp_path / "delays.nir"
    nir.write(path, nir.NIRGraph(nodes, [("in", "wait"), ("wait", "out")], metadata={"dt": 0.1}, type_check=False))
    with pytest.raises(StudentError, match=r"delays of other than whole steps of 0\.1 s"):
        read_network(path)


def test_synaptic_operations_of_the_file_are_those_of_the_student(tmp_path: Path) -> None:
    model = build(StudentSpec(family="snn_streaming", shape=WINDOW, seed=1)).eval()
    signal = torch.poisson(torch.rand(4, 5, 40, generator=torch.Generator().manual_seed(3)))
    both = [
        observe(one, signal, name="n", mode="window", step_rate_hz=RATE_HZ, input_bits=8)
        for one in (model, read(model, WINDOW, tmp_path))
    ]
    dense = [{one.weights for one in work.layers if one.products is not None and one.weights > 48 * 3} for work in both]
    assert dense[0] == {5 * 32, 32 * 48}
    for size in dense[0]:
        counts = [next(one for one in work.layers if one.weights == size).products for work in both]
        assert counts[0].effective.accumulate.total == counts[1].effective.accumulate.total > 0

