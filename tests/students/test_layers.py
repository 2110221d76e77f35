"""Families ask their layers for every part, so that a form can supply its own; input codes are plug-ins."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

import students.families
from energy_models.errors import StudentError
from students.families import load_family
from students.layers import FloatLayers, Layers
from students.models.build import build
from students.neurons import Encoder, LeakyIntegratorModel, LIFModel, NeuronModel, encoder_names, load_encoder
from students.neurons.encoders import AnySpike
from students.spec import Shape, StudentSpec

STREAM = Shape(task="regression", channels=3, steps=10, outputs=2, step_rate_hz=20.0)
WINDOW = Shape(task="classification", channels=3, steps=64, outputs=2, step_rate_hz=64.0)


class OwnNeurons(nn.Module):
    def __init__(self, model: NeuronModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        return current


class OwnLayers(FloatLayers):
    """Float layers of a form with neurons, sums and products of its own."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def neurons(self, channels: int, model: NeuronModel) -> nn.Module:
        self.asked.append(f"{type(model).__name__} {channels}")
        return OwnNeurons(model)

    def add(self, **edge: str) -> nn.Module:  # type: ignore[override]
        self.asked.append("add")
        return super().add()

    def matmul(self) -> nn.Module:
        self.asked.append("matmul")
        return super().matmul()

    def softmax(self) -> nn.Module:
        self.asked.append("softmax")
        return super().softmax()

    def recurrent(self, kind: str, inputs: int, hidden: int, **edge: str) -> nn.Module:  # type: ignore[override]
        self.asked.append(f"{kind} {inputs} {hidden}")
        return super().recurrent(kind, inputs, hidden)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "shape", "asked"),
    [
        ("spiking_mlp", STREAM, ["LIFModel 32", "LIFModel 48", "LeakyIntegratorModel 2"]),
        ("spiking_conv", WINDOW, ["LIFModel 16", "LeakyIntegratorModel 2"]),
        ("gru", WINDOW, ["gru 3 32"]),
        ("lstm", STREAM, ["lstm 3 32"]),
        ("conformer", WINDOW, ["matmul", "softmax", "matmul", "add", "add"]),
    ],
)
def test_families_ask_their_layers(family: str, shape: Shape, asked: list[str]) -> None:
    layers = OwnLayers()
    declared = load_family(family)
    network = declared.build(declared.Options(), shape, layers)
    assert layers.asked == asked
    own = [module for module in network.modules() if isinstance(module, OwnNeurons)]
    assert len(own) == sum("Model" in name for name in asked)


def test_what_a_family_asks_of_its_neurons() -> None:
    declared = load_family("spiking_conv")
    network = declared.build(declared.Options(beta=0.8, threshold=0.7, beta_readout=0.6), WINDOW, OwnLayers())
    models = [module.model for module in network.modules() if isinstance(module, OwnNeurons)]
    assert models == [
        LIFModel(0.8, 0.7, learnable="both", surrogate_alpha=5.0), LeakyIntegratorModel(0.6, learnable="beta"),
    ]  # fmt: skip


def test_no_family_makes_neurons_or_products_itself() -> None:
    for path in Path(students.families.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in {"students.neurons.lif", "students.layers.modules"}, path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nn":
                assert node.attr not in {"Linear", "Conv1d", "GRU", "LSTM", "Softmax", "BatchNorm1d", "ReLU"}, path


def test_float_layers_are_layers() -> None:
    layers: Layers = FloatLayers()
    assert layers.neurons(2, LIFModel(0.9, 1.0))(torch.ones(1, 2, 3)).shape == (1, 2, 3)


def test_codes_of_spiking_networks_by_hand() -> None:
    counts = torch.tensor([[[0.0, 1.0, 3.0]]])
    assert encoder_names() == (
        "binary", "counts", "delta", "envelopes", "level_crossing", "lock_in", "random_rate", "rate",
    )
    assert load_encoder("binary", 1.0).make(nn.Identity)(counts).tolist() == [[[0.0, 1.0, 1.0]]]
    assert load_encoder("counts", 1.0).make(nn.ReLU).__class__ is nn.ReLU


TWICE = Encoder("each spike twice, for a test", lambda _quantise: nn.Sequential(AnySpike(), AnySpike()))


def test_a_code_of_ones_own_is_named_by_module_and_object() -> None:
    spec = StudentSpec(family="spiking_mlp", options={"code": f"{__name__}:TWICE"}, shape=STREAM, seed=0)
    assert build(spec)(torch.rand(2, 3, 10)).shape == (2, 10, 2)
    for code, says in (("count", "Did you mean 'counts'"), (f"{__name__}:STREAM", "is a Shape, not an Encoder")):
        with pytest.raises(StudentError, match=f"code: .*{says}"):
            build(spec.model_copy(update={"options": {"code": code}}))
