"""Every form: counted widths are the form's, coarse and power-of-two grids by hand, rounding after training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from energy_models.errors import StudentError
from energy_models.workload import Workload
from students.counting import observe
from students.models import mode
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.quantize import INTEGER_PRODUCTS, calibrate, grid_layout, quantisation_of
from students.quantize.calibration import binary_threshold, least_squares_threshold, power_of_two_threshold
from students.quantize.modules import IntegerLinear, Requantise
from students.quantize.weight_grid import WeightGrid
from students.spec import LayerBits, Quantised, Shape, StudentSpec, parse_form

torch.set_num_threads(1)
WINDOWS = Shape(task="classification", channels=3, steps=32, outputs=2, step_rate_hz=32)
STEPS = Shape(task="regression", channels=3, steps=16, outputs=2, step_rate_hz=16)
OPTIONS: dict[str, dict[str, bool | int | float | str]] = {
    "eegnet": {"temporal_filters": 2, "pool_1": 2, "pool_2": 2}, "mlp": {"hidden": 4}, "gru": {"hidden": 4},
}  # fmt: skip
KINDS = {"eegnet": ("conv", "depthwise", "conv", "conv", "linear"), "mlp": ("linear",) * 3}


def signals(shape: Shape, count: int = 16, seed: int = 0) -> Tensor:
    return torch.randn((count, shape.channels, shape.steps), generator=torch.Generator().manual_seed(seed))


def made(family: str, form: Quantised | str, seed: int = 0) -> tuple[nn.Module, nn.Module, StudentSpec]:
    """Return a float student, its quantised form and the form's description."""
    shape = STEPS if family == "gru" else WINDOWS
    spec = StudentSpec(family=family, options=OPTIONS[family], shape=shape, seed=0)
    floating = build(spec)
    torch.manual_seed(seed)  # of dropout, and of whatever a calibration draws
    with torch.no_grad():
        for step in range(5):  # batch norms learn their statistics
            floating.train()(signals(shape, seed=step))
    wanted = spec.model_copy(update={"form": parse_form(form) if isinstance(form, str) else form})
    return floating.eval(), quantised_from_float(wanted, floating, signals(shape)).eval(), wanted


def counted(family: str, form: Quantised | str) -> Workload:
    _, model, spec = made(family, form)
    given = signals(spec.shape, 2)
    return observe(model, given, name="net", mode=mode(spec), step_rate_hz=32.0, input_bits=8)


def widths(work: Workload) -> list[tuple[int, int, str]]:
    return [(one.weight_bits, one.activation_bits, one.weight_form) for one in work.layers if one.products is not None]


WEIGHTS = st.integers(2, 8) | st.sampled_from(["ternary", "binary"])
BITS = st.builds(LayerBits, weight=WEIGHTS, activation_bits=st.integers(2, 8))
FORMS = st.builds(
    Quantised, weight=WEIGHTS, activation_bits=st.integers(2, 8), edge_bits=st.none() | st.integers(2, 8),
    input_bits=st.integers(2, 8), scale=st.sampled_from(["float", "power_of_two"]),
    per=st.sampled_from(["channel", "tensor"]),
    overrides=st.dictionaries(st.sampled_from(["linear"]), BITS, max_size=1).map(lambda one: tuple(one.items())),
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(family=st.sampled_from(["eegnet", "mlp"]), form=FORMS)
def test_counted_widths_are_the_form_s(family: str, form: Quantised) -> None:
    work, given = counted(family, form), dict(form.overrides)
    kinds, found = KINDS[family], widths(work)
    last = len(kinds) - 1
    for index, (kind, (weight_bits, activation_bits, weight_form)) in enumerate(zip(kinds, found, strict=True)):
        own = given.get(kind)
        edge = form.edge_bits if form.edge_bits is not None and index in (0, last) else form.weight
        weight = edge if own is None else own.weight
        assert weight_bits == {"ternary": 2, "binary": 1}.get(str(weight), weight)
        assert (weight_form == "binary") == (weight == "binary")
        assert (weight_form == "ternary") == (weight in ("ternary", 2))
        wanted = form.activation_bits if own is None else own.activation_bits
        assert activation_bits == (wanted if index else form.input_bits)


@pytest.mark.parametrize(
    ("family", "form", "weights", "activations"),
    [
        ("mlp", "w4a4", (4, 4, 4), (8, 4, 4)),
        ("mlp", "w4a4 edge=8", (8, 4, 8), (8, 4, 4)),
        ("mlp", "w4a4 in=6", (4, 4, 4), (6, 4, 4)),
        ("mlp", "w4a4 6=w2a3", (4, 2, 4), (8, 3, 4)),
        ("mlp", "w4a4 linear=w3a5 10=w8a8", (3, 3, 8), (8, 5, 8)),
        ("mlp", "binary-a2 edge=3", (3, 1, 3), (8, 2, 2)),
        ("gru", "w4a4 recurrent=w2a3", (2, 2, 4), (8, 3, 4)),
        ("gru", "w4a4 edge=8 conv=ternary", (8, 4, 2), (8, 4, 8)),
    ],
)
def test_widths_by_hand(
    family: str, form: str, weights: tuple[int, ...], activations: tuple[int, ...]
) -> None:
    found = widths(counted(family, form))
    assert (tuple(one[0] for one in found), tuple(one[1] for one in found)) == (weights, activations)


@pytest.mark.parametrize(
    ("form", "says"), [("w4a4 body=w2a2", "the layer 'body'"), ("w4a4 recurrent=w2a2", "the kind of layer")]
)
def test_widths_for_a_layer_that_is_not_there_are_refused_with_those_that_are(form: str, says: str) -> None:
    with pytest.raises(StudentError, match=rf"has widths for {says}.*which the network lacks.*linear"):
        made("mlp", form)


def test_coarse_weights_by_hand() -> None:
    """The mean magnitude of 1, -2, 3, -6 is 3: binary is sign times 3. A ternary scale of 4 is dead up to 2."""
    rows = torch.tensor([[1.0, -2.0, 3.0, -6.0]])
    assert binary_threshold(rows).tolist() == [3.0]
    binary, ternary = (IntegerLinear(4, 1, bias="none", weights=WeightGrid(one)) for one in ("binary", "ternary"))
    for layer, expected in ((binary, [[3.0, -3.0, 3.0, -3.0]]), (ternary, None)):
        with torch.no_grad():
            layer.weight.copy_(rows)
        calibrate(layer.weight_quant, rows)
        if expected is not None:
            assert layer.quant_weight().value.tolist() == expected
    with torch.no_grad():
        next(one for name, one in ternary.named_parameters() if name.endswith("scaling_impl.value")).fill_(2.0)
    assert ternary.quant_weight().value.tolist() == [[0.0, 0.0, 4.0, -4.0]]


@pytest.mark.parametrize("weight", ["binary", "ternary"])
def test_every_coarse_weight_and_its_scale_learn(weight: str) -> None:
    """d/dw of sum(w s) is one for each weight, in the dead zone too; of the scale, the sum of levels."""
    layer = IntegerLinear(4, 1, bias="none", weights=WeightGrid(weight))  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0, 3.0, -6.0]]))
    calibrate(layer.weight_quant, layer.weight.detach())
    layer.quant_weight().value.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[1.0] * 4]
    assert all(one.grad is not None for one in layer.parameters())


@settings(max_examples=25, deadline=None)
@given(bits=st.integers(2, 8), seed=st.integers(0, 999))
def test_a_power_of_two_is_one_in_every_step_and_the_best_of_them(bits: int, seed: int) -> None:
    values = torch.randn(1, 200, generator=torch.Generator().manual_seed(seed)) * 2 ** (seed % 7 - 3)
    grid = Requantise(bits, "signed", "power_of_two")
    calibrate(grid.act_quant, values)
    for step in (grid.train(), grid.eval()):
        scale = step(values).scale
        assert torch.equal(scale.log2(), scale.log2().round())
    levels = 2 ** (bits - 1) - 1

    def error(threshold: float) -> float:
        step = threshold / (levels + 1)
        return float((values - (values / step).round().clamp(-levels, levels) * step).square().sum())

    best = float(power_of_two_threshold(values, levels))
    assert error(best) <= min(error(best * 2), error(best / 2))
    assert float(least_squares_threshold(values, levels)) <= float(values.abs().max())


@pytest.mark.parametrize("family", OPTIONS)
@pytest.mark.parametrize("rounding", ["ptq", "gptq"])
def test_rounding_after_training_leaves_half_a_step_of_bias(family: str, rounding: str) -> None:
    """The last bias is corrected last, and rounded to a whole number of the accumulator's steps."""
    floating, rounded, spec = made(family, f"{rounding} w3a4")
    given, axes = signals(spec.shape), (0, 1) if family == "gru" else (0,)
    with torch.no_grad():
        off = (rounded(given) - floating(given)).mean(dim=axes).abs().max()
    last = quantisation_of([module for module in rounded.modules() if isinstance(module, INTEGER_PRODUCTS)][-1])
    assert last is not None
    assert float(off) <= 0.501 * float(last.weight_scale) * last.input_grid.scale
    assert "forward" not in vars(rounded)


def test_rounding_after_training_adds_no_parameters_and_gptq_is_nearer_to_the_float_student() -> None:
    given, names = signals(WINDOWS), set()
    found = dict.fromkeys(("w3a4", "ptq w3a4", "gptq w3a4"), 0.0)
    for seed in range(6):  # of one network the order may be another
        for form in found:
            floating, model, _ = made("mlp", form, seed)
            with torch.no_grad():
                found[form] += float((model(given) - floating(given)).square().mean())
            names.add(tuple(model.state_dict()))
    assert found["w3a4"] > found["ptq w3a4"] > found["gptq w3a4"]
    assert len(names) == 1


def test_one_scale_for_all_weights_of_a_product() -> None:
    layouts = set()
    for per, numbers in (("channel", 4), ("tensor", 1)):
        _, model, _ = made("mlp", f"w4a4 per={per}")
        products = [module for module in model.modules() if isinstance(module, INTEGER_PRODUCTS)]
        assert [one.quant_weight().scale.numel() for one in products] == [numbers, numbers, 1]
        layouts.add(grid_layout(model))
    assert len(layouts) == 1
