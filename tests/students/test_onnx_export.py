"""Students as QONNX and ONNX QCDQ: executed by other tools, read back with the same counts, refused by name."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import test_deploy_networks as own
import torch
from deployed_networks import quantised, signals
from torch import nn

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.interchange import read_network
from students.quantize import DIALECTS, onnx_of
from students.spec import Shape

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxoptimizer", reason="the extra 'export' is not installed")

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
Case = tuple[str, str, Shape, dict[str, Any]]
FAMILIES: list[Case] = [
    ("eegnet", "w8a8", WINDOWS, {"temporal_filters": 3, "kernel_s": 0.25, "separable_taps": 4}),
    ("eegnet", "w2a4 edge=4 in=6", WINDOWS, {"temporal_filters": 3, "kernel_s": 0.25, "separable_taps": 4}),
    ("shallow", "w4a4", WINDOWS, {"filters": 6}), ("mlp", "w3a5", WINDOWS, {"hidden": 8}),
    ("mlp", "w4a4", STEPS, {"hidden": 8, "lags": 4}), ("public_decoders:EEGTCNet", "w8a8", WINDOWS, {}),
]  # fmt: skip
nets = own.nets


def written(model: nn.Module, shape: Shape, dialect: Any, path: Path) -> Path:
    path.write_bytes(onnx_of(model, torch.zeros(1, shape.channels, shape.steps), dialect=dialect, properties={}))
    return path


def products(work: Workload) -> list[tuple[object, ...]]:
    """What is stored and multiplied, with every width."""
    return [
        (one.kind, one.products.dense_full.mean, one.products.dense_valid.mean, one.products.effective.mean,
         one.weights, one.weight_bits, one.activation_bits, one.accumulator_bits, one.biases, one.bias_bits)
        for one in work.layers if one.products is not None
    ]  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", FAMILIES)
def test_a_round_trip_gives_the_same_outputs_and_counts(
    tmp_path: Path, nets: ModuleType, case: Case, dialect: str
) -> None:
    family, form, shape, options = case
    model, _ = quantised(family, form, shape, options)
    inputs = signals(shape, 3, 5)
    network = read_network(written(model, shape, dialect, tmp_path / "net.onnx"))
    with torch.inference_mode():
        torch.testing.assert_close(network(inputs), model(inputs), rtol=0, atol=1e-6)
    counts = [
        observe(one, inputs, name="net", mode="window", step_rate_hz=64.0, input_bits=12) for one in (network, model)
    ]
    assert products(counts[0])
    assert products(counts[0]) == products(counts[1])
    if shape.task == "classification" and ":" not in family:  # scales of estimates, and ELUs, are nodes of their own
        assert counts[0].weight_bits_total == counts[1].weight_bits_total


@pytest.mark.parametrize("case", FAMILIES)
def test_others_run_the_files(tmp_path: Path, nets: ModuleType, case: Case) -> None:
    """The standard's by ONNX Runtime, whose extended optimisations round otherwise; QONNX by its own package."""
    family, form, shape, options = case
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    wrapper = pytest.importorskip("qonnx.core.modelwrapper", reason="the extra 'export' is not installed")
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model, _ = quantised(family, form, shape, options)
    inputs = signals(shape, 2, 6)
    with torch.inference_mode():
        wanted = model(inputs).numpy()
    settings = runtime.SessionOptions()
    settings.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = runtime.InferenceSession(written(model, shape, "qcdq", tmp_path / "qcdq.onnx"), settings)
    theirs = [session.run(None, {"input": one[None].numpy()})[0] for one in inputs]
    np.testing.assert_allclose(np.concatenate(theirs), wanted, atol=1e-6)
    graph = wrapper.ModelWrapper(str(written(model, shape, "qonnx", tmp_path / "qonnx.onnx"))).transform(InferShapes())
    ran = execute_onnx(graph, {"input": inputs[:1].numpy()})
    np.testing.assert_allclose(ran["output"], wanted[:1], atol=1e-6)


def test_a_network_is_not_changed_by_being_written() -> None:
    model, _ = quantised("mlp", "w4a4", WINDOWS, {"hidden": 8})
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = onnx_of(model, torch.zeros(1, 4, 96), dialect="qonnx", properties={})
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert onnx_of(model, torch.zeros(1, 4, 96), dialect="qonnx", properties={}) == first


@pytest.mark.parametrize("family", ["gru", "lstm"])
def test_recurrent_cells_are_refused_with_the_way_out(family: str) -> None:
    model, spec = quantised(family, "w8a8", STEPS, {"hidden": 4})
    with pytest.raises(StudentError, match=rf"{family} w8a8 as qonnx: .*no form in ONNX .*Write C instead"):
        onnx_of(model, torch.zeros(1, 5, 60), dialect="qonnx", properties={"student": spec.label})


@pytest.mark.parametrize("form", ["w8a8", "w8a8s8"])
def test_spiking_neurons_are_refused_by_name(form: str) -> None:
    model, spec = quantised("spiking_mlp", form, STEPS, {"hidden_1": 4, "hidden_2": 4})
    with pytest.raises(StudentError, match=rf"spiking_mlp {form} as qcdq: spiking neurons .*\('.+'.*Write C instead"):
        onnx_of(model, torch.zeros(1, 5, 60), dialect="qcdq", properties={"student": spec.label})
