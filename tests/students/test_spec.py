"""Descriptions of students: texts of forms, what can be trained, what digests depend on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_models.errors import StudentError
from students.spec import (
    LAYER_KINDS,
    Converted,
    Float32,
    LayerBits,
    Quantised,
    Scalar,
    Shape,
    StudentSpec,
    check_trainable,
    parse_form,
)
from students.spec.migration import former_form

SHAPE = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)


def digest(options: dict[str, Scalar], seed: int = 0) -> str:
    return StudentSpec(family="eegnet", options=options, shape=SHAPE, seed=seed).digest


def test_digest_does_not_depend_on_the_order_of_options() -> None:
    assert digest({"depth": 2, "pool_1": 4}) == digest({"pool_1": 4, "depth": 2})


def test_digest_depends_on_everything_else() -> None:
    assert len({digest({"depth": 2}), digest({"depth": 3}), digest({"pool_1": 2}), digest({"depth": 2}, seed=1)}) == 4


WEIGHTS = st.integers(2, 16) | st.sampled_from(["ternary", "binary"])
STATES = st.none() | st.integers(2, 32)
LAYERS = st.sampled_from([*LAYER_KINDS, "blocks.0.query", "body_1", "3", "0.weights"])
BITS = st.builds(LayerBits, weight=WEIGHTS, activation_bits=st.integers(1, 16), state_bits=STATES)
QUANTISED = st.builds(
    Quantised,
    weight=WEIGHTS,
    activation_bits=st.integers(1, 16),
    state_bits=STATES,
    edge_bits=st.none() | st.integers(2, 16),
    input_bits=st.integers(1, 32),
    overrides=st.dictionaries(LAYERS, BITS, max_size=3).map(lambda layers: tuple(layers.items())),
    scale=st.sampled_from(["float", "power_of_two"]),
    per=st.sampled_from(["channel", "tensor"]),
    training=st.sampled_from(["qat", "ptq", "gptq"]),
)
CONVERTED = st.builds(Converted, source=st.just(Float32()) | QUANTISED, timesteps=st.integers(1, 200))


@given(st.just(Float32()) | QUANTISED | CONVERTED)
def test_every_form_is_read_back_from_its_text(form: Float32 | Quantised | Converted) -> None:
    assert parse_form(str(form)) == form
    spec = StudentSpec(family="eegnet", form=form, shape=SHAPE, seed=0)
    assert StudentSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("float32", Float32()),
        ("w4a4", Quantised(weight=4, activation_bits=4)),
        ("w2a4 edge=6 in=12", Quantised(weight=2, activation_bits=4, edge_bits=6, input_bits=12)),
        (
            "w8a8 conv=w4a4",
            Quantised(weight=8, activation_bits=8, overrides=(("conv", LayerBits(weight=4, activation_bits=4)),)),
        ),
        ("w2a8s6", Quantised(weight=2, activation_bits=8, state_bits=6)),
        ("ternary", Quantised(weight="ternary", activation_bits=8)),
        ("binary-a4s6", Quantised(weight="binary", activation_bits=4, state_bits=6)),
        ("w4a4 scale=power_of_two", Quantised(weight=4, activation_bits=4, scale="power_of_two")),
        ("w4a4 edge=8", Quantised(weight=4, activation_bits=4, edge_bits=8)),
        (
            "w4a4 2=w2a2",
            Quantised(weight=4, activation_bits=4, overrides=(("2", LayerBits(weight=2, activation_bits=2)),)),
        ),
        ("w4a4 per=tensor", Quantised(weight=4, activation_bits=4, per="tensor")),
        ("ptq w4a4", Quantised(weight=4, activation_bits=4, training="ptq")),
        ("gptq w4a4", Quantised(weight=4, activation_bits=4, training="gptq")),
        ("spikes15", Converted(timesteps=15)),
        ("spikes15 w8a8", Converted(source=Quantised(weight=8, activation_bits=8), timesteps=15)),
    ],
)
def test_texts_by_hand(text: str, form: Float32 | Quantised | Converted) -> None:
    assert parse_form(text) == form
    assert str(form) == text


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("  w4a4   in=8 edge=4 ", "w4a4"),
        ("w8a8 edge=8", "w8a8"),
        ("ternary a4 edge=8", "ternary-a4 edge=8"),
        ("w4a4 ptq", "ptq w4a4"),
        ("ternary a4", "ternary-a4"),
        ("w2a4 in=12 edge=6", "w2a4 edge=6 in=12"),
        ("w8a8 linear=w4a4 conv=w2a2", "w8a8 conv=w2a2 linear=w4a4"),
        ("w8a8 conv=w8a8", "w8a8"),
        ("w8a8 conv=w4a4 body=w8a8", "w8a8 body=w8a8 conv=w4a4"),  # a name undoes what its kind says
        ("w8a8 linear=w8a8 body=w8a8", "w8a8"),
        ("w4a4 edge=8 conv=w4a4", "w4a4 edge=8 conv=w4a4"),  # takes the first convolution from 8 bits to 4
        ("w4a4 conv=w4a4", "w4a4"),
        ("ternary-a8", "ternary"),
        ("spikes15 float32", "spikes15"),
    ],
)
def test_what_means_the_same_prints_the_same(text: str, short: str) -> None:
    assert str(parse_form(text)) == short
    assert parse_form(text) == parse_form(short)


@pytest.mark.parametrize(
    "text",
    ["", "w4", "a4", "W4A4", "ptq", "ptq float32", "float32 edge=4", "w4a4 edge", "w4a4 edge=", "w4a4 edge=4 edge=5",
     "ternary-", "spikes", "spikes0", "spikes3 spikes4", "w17a4", "w4a4 conv=4", "w4a4 scale=2", "ptq gptq w4a4",
     "w4a4 a4", "w4a4 per=layer", "w4a4 .2=w2a2", "w\u0664a4", "ternary-a\u0664"],
)  # fmt: skip
def test_what_names_no_form_is_refused_with_examples(text: str) -> None:
    with pytest.raises(StudentError, match=r"form.*write float32, w8a8"):
        parse_form(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("W4A4", "in small letters, 'w4a4'"), ("a4w4", "weights first, 'w4a4'"), ("w4-a4", "without separators, 'w4a4'"),
     ("edge=8 w4a4", "the widths first, then the settings"), ("w4a4,edge=8", "blanks between"),
     ("w\u0664a4", "letters and digits of ASCII"), ("w8a8 input=12", "'input=12' is neither.*; write in=12"),
     ("binary In=6", "; write in=6"), ("w4a4 first=8", "; write edge=8"),
     ("w4a4 conv=4", "widths of a layer .conv=w4a4"),
     ("w8a8 state=8", "the widths say it, such as s8"), ("w8a8 s8", "belong to the widths, 'w8a8s8'"),
     ("w8a8 conv=W4A4", "in small letters, 'w4a4'"), ("w8a8 scale=pow2", "scale should be 'float' or 'power_of_two'"),
     ("w8a8 in=x", "in should be a valid integer"), ("w8a8 in=8 in=4", "'in' is given twice"),
     ("ptq ptq w4a4", "'ptq' is given twice"), ("gptq", "gptq says nothing of widths"),
     ("w4a4 a4", "'a4' is no setting"), ("spikes0", "time steps should be greater")],
)  # fmt: skip
def test_a_form_spelt_otherwise_is_refused_with_what_to_change(text: str, hint: str) -> None:
    with pytest.raises(StudentError, match=hint):
        parse_form(text)


@pytest.mark.parametrize(
    "text",
    ["float32", "w2a2", "w8a8", "w4a4 edge=2 in=2", "ternary", "binary-a4 edge=8", "w8a8 conv=w4a4", "ptq w8a8",
     "gptq w4a4", "w8a8 scale=power_of_two", "w4a4 per=tensor"],
)  # fmt: skip
def test_what_can_be_trained(text: str) -> None:
    check_trainable(parse_form(text))


@pytest.mark.parametrize(
    "text",
    ["w9a8", "w8a1", "w8a8 edge=9", "w8a8 in=12", "ternary-a9", "w8a8s3", "w4a4s6 scale=power_of_two", "w8a8 conv=w4a9",
     "w8a8 conv=w9a4", "w8a8 recurrent=w8a8s6", "gptq ternary", "gptq w4a4 conv=binary", "spikes4"],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(StudentError, match=r"cannot be trained: .*What can be: float32, and w2a2 to w8a8"):
        check_trainable(parse_form(text))


@pytest.mark.parametrize(
    ("then", "now"),
    [("w4a4", "w4a4 edge=8"), ("w8a8", "w8a8"), ("w2a4 edge=6 in=7", "w2a4 edge=6 in=7"), ("float32", "float32"),
     ("w2a4 edge=2", "w2a4"), ("spikes4 w4a4", "spikes4 w4a4 edge=8")],
)  # fmt: skip
def test_a_text_of_before_means_eight_bits_at_the_edges(then: str, now: str) -> None:
    assert str(former_form(then)) == now


def test_an_input_of_more_bits_is_refused_with_the_reason() -> None:
    with pytest.raises(StudentError, match=r"12 input bits \(their sums are not exact in float32"):
        check_trainable(parse_form("w8a8 in=12"))
