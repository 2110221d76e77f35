"""Training and prediction on a device that refuses operands of two devices: everything needed is moved there."""

from __future__ import annotations

import sys
from pathlib import Path

import fake_device
import pytest
import torch

from students.families.registry import FAMILIES as FAMILY_REGISTRY
from students.kernels import using_kernels
from students.models.build import build
from students.spec import MethodSpec, Shape, StudentSpec, Training
from students.training import Examples, FitResult, Unlabelled, fit, optimiser, predict

torch.set_num_threads(1)

WINDOWS = Shape(task="classification", channels=4, steps=32, outputs=2, step_rate_hz=32)
SEGMENTS = Shape(task="regression", channels=3, steps=16, outputs=2, step_rate_hz=16)
FEATURES = MethodSpec(name="fitnet", options={"student": "4", "teacher": "hidden"})


def of_segments(name: str, **options: float | str | list[str]) -> StudentSpec:
    return StudentSpec(
        family="mlp", options={"dropout": 0.0}, shape=SEGMENTS, seed=5, method=MethodSpec(name=name, options=options)
    )


# Dropout draws other numbers on other devices, so it is off where results are compared.
CASES = {
    "labels": StudentSpec(family="eegnet", options={"dropout": 0.0}, shape=WINDOWS, seed=5),
    "features": StudentSpec(family="eegnet", options={"dropout": 0.0}, shape=WINDOWS, seed=5, method=FEATURES),
    "routed": of_segments("dlink", student="body.2", layers=["hidden", "late"]),
    "projected": of_segments("tskd", student="body.2", teacher="hidden", outputs=0.5),
    "relations": of_segments("relational", relation="angle", teacher="hidden"),
    "own past": of_segments("self_kd"),
    "smoothed": of_segments("label_smoothing"),
    "mixed": of_segments("mixup"),
    "noisy": of_segments("noise"),
    "trajectory": of_segments("kl"),
}


FAMILIES = {
    "lstm": SEGMENTS, "mlp": SEGMENTS, "spiking_mlp": SEGMENTS, "spiking_delay": SEGMENTS,
    "snn_streaming": SEGMENTS, "spiking_recurrent": SEGMENTS, "plif_conv": WINDOWS, "snn_3d": SEGMENTS,
    "tinyrsnn": SEGMENTS, "spiking_eegnet": WINDOWS,
    "eegnet": WINDOWS, "shallow": WINDOWS, "conformer": WINDOWS, "spiking_conv": WINDOWS,
    "ssvep_dnn": WINDOWS.model_copy(update={"step_rate_hz": 64}), "mic": WINDOWS,
    "ind": SEGMENTS, "clip_conformer": WINDOWS,
    "eegtcnet": WINDOWS.model_copy(update={"steps": 64}),
}  # fmt: skip


def noise(shape: Shape, count: int, seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, shape.channels, shape.steps, generator=generator)
    trajectory = torch.randn(count, shape.steps, 2, generator=generator)
    teacher = {"hidden": torch.randn(count, 5, generator=generator)}
    if shape.task == "regression":
        layers = torch.randn(2, count, 5, shape.steps, generator=generator)
        teacher = {"hidden": layers[0], "late": layers[1]}
    if shape.task == "classification":
        return Examples(inputs, torch.arange(count) % 2, {**teacher, "outputs": trajectory[:, 0]})
    return Examples(inputs, trajectory, {**teacher, "outputs": trajectory.flip(0)})


def trained(spec: StudentSpec, device: str, checkpoint: Path | None = None) -> tuple[torch.nn.Module, FitResult]:
    model, train, validation = build(spec), noise(spec.shape, 19, 1), noise(spec.shape, 9, 2)
    free = None if spec.method is None else Unlabelled(train.inputs.flip(0), train.teacher)
    return model, fit(model, train, validation, spec, unlabelled=free, checkpoint=checkpoint, device=device)


@pytest.fixture
def fused_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake device run torch's fused AdamW, as the devices do that it stands for."""
    monkeypatch.setattr(optimiser, "FUSED_DEVICES", ("cpu", "meta"))
    in_torch = sys.modules["torch.optim.optimizer"]
    monkeypatch.setattr(in_torch, "_get_fused_kernels_supported_devices", lambda: ["cpu", "meta"])


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.usefixtures("fused_everywhere")
@pytest.mark.parametrize("case", CASES)
def test_a_fit_on_a_device_is_the_fit_on_the_cpu_and_ends_on_the_cpu(case: str, tmp_path: Path):
    """Resumed from a checkpoint too: the whole run is repeated from its second epoch."""
    training = Training(epochs=2, batch_size=8)
    spec = CASES[case].model_copy(update={"training": training})
    with using_kernels("torch"):  # the form in which kernels run on devices; compiled ones differ by rounding
        expected, losses = trained(spec, "cpu")
    device = fake_device.FakeDevice()
    with device:
        found, same = trained(spec, "meta", tmp_path / "checkpoint")
        again, resumed = trained(spec, "meta", tmp_path / "checkpoint")
    assert device.operations > 100, "nothing was computed on the device"
    assert losses == same == resumed
    for model in (found, again):
        for name, tensor in model.state_dict().items():
            assert tensor.device.type == "cpu"
            assert torch.equal(tensor, expected.state_dict()[name])


def test_every_shipped_family_is_tried_on_a_device():
    shipped = {name for name in FAMILY_REGISTRY.names() if FAMILY_REGISTRY.module(name).startswith("students.")}
    assert {*FAMILIES, "gru"} == shipped


def test_a_gru_runs_on_a_device_without_numbers():
    """Torch's GRU turns its result in place, which a tensor around a tensor cannot follow: shapes and devices only."""
    model = build(StudentSpec(family="gru", shape=SEGMENTS, seed=5)).to("meta").train()
    outputs = model(torch.empty(8, SEGMENTS.channels, SEGMENTS.steps, device="meta"))
    outputs.sum().backward()
    assert outputs.shape == (8, SEGMENTS.steps, SEGMENTS.outputs)
    assert {one.grad.device.type for one in model.parameters() if one.grad is not None} == {"meta"}


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.usefixtures("fused_everywhere")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_trained_on_a_device_as_on_the_cpu(family: str):
    """No tensor is made on the CPU inside, dropout included where the family has it (it draws on the device)."""
    known = FAMILY_REGISTRY.load(family).Options.model_fields
    options = {name: 0.0 for name in known if name.endswith("dropout")}
    training = Training(epochs=1, batch_size=8)
    spec = StudentSpec(family=family, options=options, shape=FAMILIES[family], seed=5, training=training)
    with using_kernels("torch"):
        expected, losses = trained(spec, "cpu")
    with fake_device.FakeDevice() as device:
        found, same = trained(spec, "meta")
    assert device.operations > 50, "nothing was computed on the device"
    assert losses.train_losses == pytest.approx(same.train_losses, rel=1e-5)
    for name, tensor in found.state_dict().items():
        torch.testing.assert_close(tensor, expected.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_predictions_come_back_to_the_cpu():
    spec = CASES["labels"]
    inputs = noise(spec.shape, 9, 1).inputs
    with fake_device.FakeDevice():
        found = predict(build(spec), inputs, 4, device="meta")
    assert found.device.type == "cpu"
    assert torch.equal(found, predict(build(spec), inputs, 4))


def test_the_fake_device_refuses_operands_of_two_devices():
    with fake_device.FakeDevice(), pytest.raises(RuntimeError, match="are on the CPU, others on the device"):
        torch.ones(3).to("meta") + torch.ones(3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_fit_on_cuda_ends_on_the_cpu(tmp_path: Path):
    spec = CASES["features"].model_copy(update={"training": Training(epochs=2, batch_size=8)})
    model, losses = trained(spec, "cuda", tmp_path / "checkpoint")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}
    assert losses.validation_loss == pytest.approx(trained(spec, "cpu")[1].validation_loss, rel=1e-3)
