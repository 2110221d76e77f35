"""Widths of layers learned under a price on their bits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.models.build import build, products_of, signal_readers
from students.models.from_float import quantised_from_float
from students.quantize import INTEGER_PRODUCTS, free_signal_widths, free_widths, width_of
from students.spec import Scalar, Shape, StudentSpec, Training, parse_form
from students.training import Examples, Learned, learn_bits
from students.training.learned_bits import LearnedBits

torch.set_num_threads(1)
WINDOWS = Shape(task="classification", channels=3, steps=16, outputs=2, step_rate_hz=16)
STEPS = Shape(task="regression", channels=3, steps=8, outputs=2, step_rate_hz=8)
OPTIONS: dict[str, dict[str, Scalar]] = {"mlp": {"hidden": 4, "depth": 1}, "gru": {"hidden": 3}}
LAYERS = {"mlp": ("2", "6"), "gru": ("body.1", "body.4")}


def spec_of(family: str, form: str = "w8a8", epochs: int = 30) -> StudentSpec:
    training = Training(epochs=epochs, batch_size=16, learning_rate=1e-3)
    shape = STEPS if family == "gru" else WINDOWS
    return StudentSpec(
        family=family, options=OPTIONS[family], shape=shape, form=parse_form(form), training=training, seed=0
    )


def floating(family: str) -> nn.Module:
    return build(spec_of(family, "float32"))


def examples(family: str) -> Examples:
    shape = spec_of(family).shape
    inputs = torch.randn((48, shape.channels, shape.steps), generator=torch.Generator().manual_seed(0))
    if family == "gru":
        return Examples(inputs, inputs[:, :2].transpose(1, 2).contiguous())
    return Examples(inputs, (inputs[:, 0].mean(dim=1) > 0).long())


def learned(
    family: str, form: str = "w8a8", *, epochs: int = 30, penalty: float, learned: Learned = "weights",
    costs: dict[str, float] | None = None, activation_costs: dict[str, float] | None = None,
) -> LearnedBits:
    spec, given = spec_of(family, form, epochs), examples(family)
    return learn_bits(spec, floating(family), given, calibration=given.inputs, penalty=penalty, learned=learned,
                      costs=costs, activation_costs=activation_costs)  # fmt: skip


@pytest.mark.parametrize("family", OPTIONS)
def test_a_higher_price_leaves_fewer_bits_and_the_form_says_them(family: str) -> None:
    found = [learned(family, penalty=price) for price in (1e-3, 30.0)]
    assert found[0].share > found[1].share
    assert found[1].bits == dict.fromkeys(LAYERS[family], 2)
    assert str(found[1].form) == "w2a8"
    assert found[1].share == pytest.approx(0.25)
    for one in found:
        model = build(spec_of(family, str(one.form)))
        products = [module for module in model.modules() if isinstance(module, INTEGER_PRODUCTS)]
        assert {one.bits[name] for name in LAYERS[family]} == {module.direct.bits for module in products}


def test_a_layer_whose_bits_cost_nothing_to_speak_of_keeps_more() -> None:
    dear = {"2": 1.0, "6": 1e-6}
    found = learned("mlp", epochs=60, penalty=3.0, costs=dear)
    assert found.bits["2"] == 2
    assert found.bits["6"] > 2


def test_the_price_s_gradient_is_the_cost_and_a_bit_less_doubles_the_step() -> None:
    spec = spec_of("mlp")
    model = quantised_from_float(spec, floating("mlp"), examples("mlp").inputs)
    before = [scale_of(module) for module in integer_products(model)]
    layers = free_widths(model)
    assert tuple(layers) == LAYERS["mlp"]
    for module, then in zip(integer_products(model), before, strict=True):
        torch.testing.assert_close(scale_of(module), then)
        width = width_of(module)
        (offset,) = (one for name, one in module.named_parameters() if "offset" in name)
        (gradient,) = torch.autograd.grad(width * 5.0, offset)
        assert gradient.item() == 5.0
        with torch.no_grad():
            offset.sub_(1.0)
        torch.testing.assert_close(scale_of(module), then * (127 / 63))


def integer_products(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, INTEGER_PRODUCTS)]


def scale_of(module: nn.Module) -> Tensor:
    return module.quant_weight().scale.detach()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("form", "given", "says"),
    [
        ("ternary", {"penalty": 1.0}, "no width to learn"),
        ("float32", {"penalty": 1.0}, "Begin with a form such as w8a8"),
        ("w8a8", {"penalty": 0.0}, "a penalty above zero"),
        ("w8a8", {"penalty": 1.0, "costs": {"2": 1.0}}, "do not fit the network's layers: 6"),
        ("w8a8", {"penalty": 1.0, "costs": {"2": 1.0, "6": 0.0}}, "not above zero"),
        ("w8a8", {"penalty": 1.0, "costs": {"2": 1.0, "6": float("inf")}}, "infinite"),
        ("w8a8", {"penalty": 1.0, "learned": "biases"}, "'biases' are no widths"),
        ("w8a8", {"penalty": 1.0, "learned": "both", "activation_costs": {"2": 1.0}}, "activation_costs do not fit"),
    ],
)
def test_what_cannot_be_learned_is_refused(form: str, given: dict[str, object], says: str) -> None:
    with pytest.raises(StudentError, match=says):
        learned("mlp", form, epochs=1, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("family", "form", "expected"), [
    ("mlp", "w8a8 linear=w8a4", {"2": 4, "6": 4}), ("mlp", "w8a8 linear=w8a4 6=w8a6", {"2": 4, "6": 6}),
    ("gru", "w8a8 recurrent=w8a5 edge=4", {"body.1": 5, "body.4": 8}), ("mlp", "w8a3 2=w4a5", {"2": 5, "6": 3}),
])  # fmt: skip
def test_signals_keep_the_widths_that_the_form_gives_them(family: str, form: str, expected: dict[str, int]) -> None:
    """By a layer's name, its kind, or as all others; its weights' width is what was learned."""
    found = learned(family, form, epochs=4, penalty=3.0)
    given = dict(found.form.overrides)
    assert {name: given[name].activation_bits if name in given else found.form.activation_bits
            for name in expected} == expected  # fmt: skip
    assert {name: given[name].weight if name in given else found.form.weight for name in expected} == found.bits
    assert not {"linear", "recurrent"} & given.keys()
    build(spec_of(family, str(found.form)))


def test_signals_lose_bits_too_where_they_cost() -> None:
    """The perceptron's first layer reads the raw input, whose width is not learned; what is not learned stays."""
    both = learned("mlp", penalty=30.0, learned="both")
    assert (both.bits, both.activation_bits) == ({"2": 2, "6": 2}, {"6": 2})
    assert str(both.form) == "w2a8 6=w2a2"
    alone = learned("mlp", "ternary edge=4", penalty=30.0, learned="activations")
    assert (alone.bits, alone.activation_bits) == ({}, {"6": 2})
    assert str(alone.form) == "ternary edge=4 2=w4a8 6=w4a2"
    for one in (both, alone):
        model = build(spec_of("mlp", str(one.form)))
        assert model.get_submodule("4").direct.bits == 2  # type: ignore[union-attr]
    cheap = learned("mlp", epochs=60, penalty=3.0, learned="both", activation_costs={"6": 1e-6})
    assert cheap.bits["2"] == 2
    assert cheap.activation_bits["6"] > 2


def test_a_freed_signal_starts_where_it_was_and_its_price_has_a_gradient() -> None:
    """2 = linear, 4 = its ReLU, 6 = linear: a step of the ReLU is its threshold over 2^b - 1 levels."""
    spec = spec_of("mlp")
    model = quantised_from_float(spec, floating("mlp"), examples("mlp").inputs)
    relu = model.get_submodule("4")
    wide = torch.full((1, 4), 1e9)
    highest = relu(wide).value.max().item()
    groups = free_signal_widths(model, signal_readers(spec))
    assert tuple(groups) == (("6",),)
    width = width_of(groups["6",])
    assert width.item() == 8
    assert relu(wide).value.max().item() == pytest.approx(highest)
    step = relu(wide).scale.item()
    (offset,) = groups["6",].parameters()
    assert torch.autograd.grad(width * 5.0, offset)[0].item() == 5.0
    with torch.no_grad():
        offset.sub_(1.0)
    assert relu(wide).scale.item() == pytest.approx(step * 255 / 127)


class TwoReaders(nn.Module):
    """Two products read one signal, and a residual sum has a grid of its own."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.left = nn.Conv1d(channels, 4, 3, padding=1), nn.Conv1d(4, 4, 1)
        self.right, self.last = nn.Conv1d(4, 4, 1, groups=4), nn.Linear(4 * steps, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = torch.relu(self.first(signal))
        return self.last(torch.relu(self.left(signal) + self.right(signal)).flatten(1))


def test_layers_that_read_one_signal_share_its_width() -> None:
    spec = StudentSpec(family=f"{__name__}:TwoReaders", options={}, shape=WINDOWS, form=parse_form("w8a8"),
                       training=Training(epochs=12, batch_size=16), seed=0)  # fmt: skip
    found = sorted((one.name, one.kind, one.edge) for one in products_of(spec))
    assert found == [("first", "conv", "first"), ("last", "linear", "last"), ("left", "conv", "inner"),
                     ("right", "depthwise", "inner")]  # fmt: skip
    network, given = build(spec.model_copy(update={"form": parse_form("float32")})), examples("mlp")
    learned = learn_bits(spec, network, given, calibration=given.inputs, penalty=30.0, learned="activations")
    assert learned.activation_bits == {"left": 2, "right": 2, "last": 2}
    build(spec.model_copy(update={"form": learned.form}))


def test_kinds_of_products_are_known_in_families() -> None:
    shape = Shape(task="classification", channels=3, steps=64, outputs=2, step_rate_hz=64)
    spec = StudentSpec(family="eegnet", options={"temporal_filters": 2, "depth": 2}, shape=shape,
                       form=parse_form("w8a8 depthwise=w8a4"), seed=0)  # fmt: skip
    assert sorted(one.kind for one in products_of(spec)) == ["conv", "conv", "depthwise", "depthwise", "linear"]
    pooled = {one for one in signal_readers(spec).values() if len(one) == 1}
    assert len(pooled) == 4  # all but the first product, which reads the raw input
