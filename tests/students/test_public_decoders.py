"""The commonest public decoders, as people write them: trained in integers, or refused by layer with the reason."""

from __future__ import annotations

import public_decoders
import pytest
import torch
from torch import Tensor

from cosim.engine.student_check import check_widths
from energy_models.errors import StudentError
from students.counting import observe
from students.models.build import build, mode
from students.models.from_float import quantised_from_float
from students.spec import Quantised, Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit, predict

WINDOWS = Shape(task="classification", channels=4, steps=64, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=4, steps=64, outputs=2, step_rate_hz=64.0)
SECOND = "it has a mask, examples in its second axis or weights that are read; without them it has integers"
REMEDY = ".*Make products of the layers"
DECODERS = {
    "EEGNet": "", "ShallowConvNet": "", "DeepConvNet": "", "EEGTCNet": "", "VelocityTCN": "",
    "ATCNet": "",
    "EEGConformer": rf"'encoder' \(TransformerEncoder\) would stay in float: {SECOND}{REMEDY}",
    "LSTMDecoder": r"'lstm' would stay in float: it is given a state. Use nn.GRU or nn.LSTM",
    "GRUDecoder": "",
    "NormedMLP": "",
}  # fmt: skip
"""By class: empty where it has integer forms, else what the refusal says."""
LOOKED_UP = {"ShallowConvNet": {"log_softmax"}}  # behind the last product: it changes no decision


def spec_of(name: str, form: str) -> StudentSpec:
    shape = STEPS if name == "VelocityTCN" else WINDOWS
    training = Training(epochs=1, batch_size=8)
    return StudentSpec(family=f"public_decoders:{name}", shape=shape, form=parse_form(form), training=training, seed=3)


def signals(count: int = 16) -> Tensor:
    return torch.randn((count, 4, 64), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", ["w8a8", "w4a4"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_public_decoder_has_all_its_products_in_integers_or_is_refused(name: str, form: str) -> None:
    assert hasattr(public_decoders, name)
    spec, floating = spec_of(name, form), build(spec_of(name, "float32"))
    assert predict(floating, signals()).isfinite().all()
    if DECODERS[name]:
        with pytest.raises(StudentError, match=DECODERS[name]):
            quantised_from_float(spec, floating, signals())
        return
    model = quantised_from_float(spec, floating, signals())
    assert isinstance(spec.form, Quantised)
    work = observe(model, signals()[:2], name=name, mode=mode(spec), step_rate_hz=64.0, input_bits=8)
    assert work.complete
    check_widths(work, spec.form)
    products = [layer for layer in work.layers if layer.products is not None]
    assert all(layer.arithmetic == "integer" for layer in products)
    assert {layer.name for layer in work.layers if layer.arithmetic == "float"} == LOOKED_UP.get(name, set())
    moving = signals()[:, :2].transpose(1, 2).contiguous()
    targets = moving if name == "VelocityTCN" else torch.arange(16) % 3
    fit(model, Examples(signals(), targets), Examples(signals(), targets), spec)
    assert predict(model, signals()).isfinite().all()


def test_square_and_logarithm_are_tables_and_counted() -> None:
    floating = build(spec_of("ShallowConvNet", "float32"))
    model = quantised_from_float(spec_of("ShallowConvNet", "w8a8"), floating, signals())
    work = observe(model, signals()[:2], name="shallow", mode="window", step_rate_hz=64.0, input_bits=8)
    looked_up = {layer.name: layer for layer in work.layers if "lookup" in layer.operations}
    assert list(looked_up) == ["log", "log_softmax"]
    (square,) = (layer for layer in work.layers if layer.name == "mul")  # of accumulators: the steps of its 8 bits
    assert square.operations["compare"].mean == 8 * square.outputs == 8 * 6 * 56
    assert {(layer.arithmetic, layer.output_bits) for layer in work.layers if layer.name in ("mul", "log")} == {
        ("integer", 8)
    }
    expected = predict(floating, signals())
    assert (predict(model, signals()) - expected).abs().mean() < 0.1 * expected.std()
