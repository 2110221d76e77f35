"""Students of published distillation systems: sizes and work worked by hand, integer forms, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from deployed_networks import CODES, quantised, signals

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import agreement, lower
from students.families.published.ind import Options as IndOptions
from students.families.published.ind import centres_hz
from students.layers.filter_shapes import band_passes, wavelets
from students.layers.linear_attention import CHUNK, LEAST, LinearAttention
from students.models.build import build, mode, parameter_count
from students.spec import Shape, StudentSpec, parse_form

WINDOWS = Shape(task="classification", channels=4, steps=64, outputs=3, step_rate_hz=64)
STEPS = Shape(task="regression", channels=5, steps=40, outputs=2, step_rate_hz=20)


def made(family: str, shape: Shape, **options: Any) -> torch.nn.Module:
    return build(StudentSpec(family=family, options=options, shape=shape, seed=0))


def products(family: str, shape: Shape, **options: Any) -> dict[str, int]:
    """Return textbook products of one decode, by layer."""
    spec = StudentSpec(family=family, options=options, shape=shape, seed=0)
    work = observe(
        build(spec).eval(), signals(shape, 2), name=family, mode=mode(spec), step_rate_hz=shape.step_rate_hz,
        input_bits=8,
    )  # fmt: skip
    assert work.complete
    return {one.name: int(one.products.dense_full.mean) for one in work.layers if one.products is not None}


def test_ssvep_dnn_has_the_published_weights_and_products() -> None:
    """Nine channels, 100 steps, 40 targets (arXiv 2011.08562): 3 + 1,200 + 28,920 + 144,120 + 240,040 weights, and
    2,700 + 108,000 + 1,440,000 + 7,200,000 + 240,000 products; the bank of three filters of 50 taps on top."""
    shape = Shape(task="classification", channels=9, steps=100, outputs=40, step_rate_hz=250)
    assert parameter_count(made("ssvep_dnn", shape)) == 414_283
    found = products("ssvep_dnn", shape, bank_s=0.2)
    bank = found.pop("1")
    assert bank == 3 * 9 * 100 * 50
    assert sum(found.values()) == 8_990_700


def test_one_sub_band_is_the_signal_itself() -> None:
    assert "1" in products("ssvep_dnn", WINDOWS, filters=8)
    assert max(products("ssvep_dnn", WINDOWS, filters=8, subbands=1).values()) == 8 * 8 * 10 * 32


def test_mic_by_hand() -> None:
    """16 taps, 8 patches, 2 averages: 64 + 256 + 32 + 1,024 + 128 + 512 + 32 + 16 + 51 weights."""
    assert parameter_count(made("mic", WINDOWS)) == 2_115
    assert products("mic", WINDOWS) == {
        "spatial": 4 * 16 * 64, "temporal": 16 * 16 * 64, "lift": 16 * 64 * 8, "compress": 64 * 8 * 8,
        "over_time": 8 * 4 * 8, "classifier": 16 * 3,
    }  # fmt: skip


def test_eegtcnet_by_hand_and_beside_the_paper() -> None:
    """EEGNet 768; first block 768 + 24 + 576 + 24 and 204 on its shortcut; second 576 + 24 twice; linear 39.

    The paper's network of 22 channels, 1125 steps has 4,272 weights (recalled, not read); ours, with one temporal
    filter a mixture, 4,288.
    """
    assert parameter_count(made("eegtcnet", WINDOWS)) == 3_603
    paper = Shape(task="classification", channels=22, steps=1125, outputs=4, step_rate_hz=250)
    assert parameter_count(made("eegtcnet", paper)) == 4_288
    dilated = products("eegtcnet", WINDOWS.model_copy(update={"steps": 640}))
    assert dilated["17.branch.0"] == dilated["17.branch.4"] == 12 * 12 * 4 * 10


def test_ind_has_about_thirty_thousand_weights_and_a_state_that_does_not_grow() -> None:
    """64 channels, 5 wavelets, 4 classes: 10,240 + 64, twice 3,072 + 192 + 1,024 + 64 + 2,048 + 128 + 2,048 + 64,
    and 132."""
    shape = Shape(task="classification", channels=64, steps=100, outputs=4, step_rate_hz=100)
    assert parameter_count(made("ind", shape)) == 27_716
    found = products("ind", shape)
    assert found["1"] == 64 * 5 * 50 * 100  # the bank: every wavelet of every channel, 50 taps, 100 steps
    assert found["4"] == 320 * 32 * 20  # 20 tokens
    assert found["6.branch.2"] == (2 * 32 * 32 + 32) * 20


def test_ind_streams_one_step_at_a_time() -> None:
    """One decode is one step: 5 channels x 5 filters x 10 taps, 25 x 32 products, and two states of 32 x 33 words."""
    for steps in (40, 80):
        shape = STEPS.model_copy(update={"steps": steps})
        spec = StudentSpec(family="ind", shape=shape, seed=0)
        work = observe(
            build(spec).eval(), signals(shape, 2), name="ind", mode=mode(spec), step_rate_hz=20.0, input_bits=8
        )
        layers = {one.name: one for one in work.layers}
        dense = {name: one.products.dense_full.mean for name, one in layers.items() if one.products is not None}
        assert (dense["body.1"], dense["body.3"]) == (5 * 5 * 10, 25 * 32)
        attention = [one for name, one in layers.items() if name.endswith("branch.2") and one.kind == "recurrent"]
        assert [one.state_elements for one in attention] == [32 * 33] * 2
        assert [dense[one.name] for one in attention] == [2 * 32 * 32 + 32] * 2


def test_first_filter_of_a_regression_is_a_low_pass() -> None:
    assert centres_hz(IndOptions(wavelets=4), STEPS) == pytest.approx([0.0, 0.4, (0.4 * 8) ** 0.5, 8.0])
    assert centres_hz(IndOptions(wavelets=2, low_hz=3.0, high_hz=12.0), WINDOWS) == pytest.approx([3.0, 12.0])
    assert wavelets([0.0], 3.0, 9, 20.0).sum() > 1.0
    with pytest.raises(StudentError, match="a wavelet of 40 Hz"):
        made("ind", WINDOWS, high_hz=40.0)


def test_linear_attention_is_its_formula_across_chunks() -> None:
    steps, width = CHUNK + 7, 3
    signal = torch.randn(2, 3 * width, steps, generator=torch.Generator().manual_seed(0))
    query, key, value = signal.split(width, dim=1)
    pairs = torch.einsum("bdt,bds->bts", query.relu(), key.relu()).tril()
    expected = torch.einsum("bts,bds->bdt", pairs, value) / (pairs.sum(dim=2)[:, None] + LEAST)
    torch.testing.assert_close(LinearAttention(width)(signal), expected, rtol=1e-4, atol=1e-5)


def test_linear_attention_counts_by_hand() -> None:
    """Width 2, three steps, all values 1; queries (1, -1), (1, 1), (-1, -1), keys (1, 1), (-1, 1), (-1, -1).

    Dense 3 (4 + 4 + 2) = 30. Of 1 + 2 + 0 queries three sites each, of 2 + 1 + 0 keys two each: 9 + 6.
    """
    signal = torch.ones(1, 6, 3)
    signal[0, 1, 0] = signal[0, 0, 2] = signal[0, 1, 2] = signal[0, 2, 1] = signal[0, 2, 2] = signal[0, 3, 2] = -1.0
    work = observe(
        torch.nn.Sequential(LinearAttention(2)), signal, name="a", mode="window", step_rate_hz=1.0, input_bits=8
    )
    (layer,) = (one for one in work.layers if one.products is not None)
    assert layer.products is not None
    assert (layer.products.dense_full.total, layer.products.effective_input.total) == (30, 15)
    assert layer.products.effective.total == 15  # every value is there
    found = {name: count.total for name, count in layer.operations.items()}
    assert found == {"compare": 12, "add": 9, "divide": 3, "multiply": 6}
    assert (layer.state_elements, layer.state_reads, layer.state_writes) == (6, 18, 18)


def test_classes_of_a_clip_student_cost_one_dot_product_each(tmp_path: Path) -> None:
    table = tmp_path / "classes.txt"
    table.write_text("1 0 0 0 0\n0 3 0 0 0\n0 0 1 0 1\n")
    found = products("clip_conformer", WINDOWS, blocks=2, vectors=str(table))
    head = {name: number for name, number in found.items() if name.startswith("10")}
    assert (found["9"], list(head.values())) == (16 * 5, [3 * 5])
    given, learned = (made("clip_conformer", WINDOWS, blocks=2, **one) for one in ({"vectors": str(table)}, {}))
    assert "10.table" in dict(given.named_buffers())
    assert "10.table" in dict(learned.named_parameters())
    with torch.no_grad():
        outputs = given.eval()(signals(WINDOWS, 4))
        table.write_text("2 0 0 0 0\n0 1 0 0 0\n0 0 5 0 5\n")  # lengths do not matter
        again = made("clip_conformer", WINDOWS, blocks=2, vectors=str(table)).eval()(signals(WINDOWS, 4))
    torch.testing.assert_close(outputs, again)
    assert outputs.abs().max() <= 1 / 0.07 + 1e-4


def test_prompts_are_seen_and_not_handed_on() -> None:
    model = made("clip_conformer", WINDOWS, blocks=1).eval()
    prompted: Any = model[6]
    tokens = torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = prompted(tokens)
        prompted.prompts += 1.0
        after = prompted(tokens)
    assert before.shape == tokens.shape
    assert not torch.allclose(before, after)


@pytest.mark.parametrize(
    ("text", "said"), [("1 0\n0 1\n", "2 class vectors"), ("1\n0\n2\n", "3 class vectors"), ("a b\n", "cannot read")]
)
def test_tables_of_classes_that_do_not_fit_are_told(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "classes.txt"
    table.write_text(text)
    with pytest.raises(StudentError, match=said):
        made("clip_conformer", WINDOWS, vectors=str(table))
    with pytest.raises(StudentError, match="cannot read"):
        made("clip_conformer", WINDOWS, vectors=str(tmp_path / "absent.txt"))


def test_what_has_no_integer_form_says_so() -> None:
    spec = StudentSpec(family="clip_conformer", shape=WINDOWS, seed=0, form=parse_form("w4a4"))
    with pytest.raises(StudentError, match="has no integer form"):
        build(spec)


@pytest.mark.parametrize(
    ("family", "shape", "options", "more"),
    [
        ("mlp", STEPS, {"lags": 6}, 6 * 5 * 2), ("mlp", STEPS, {"lags": 3, "bins": 2}, 3 * 5 * 2),
        ("gru", STEPS, {"skip_lags": 4}, 4 * 5 * 2),
        ("mlp", WINDOWS, {}, 4 * 64 * 3), ("lstm", WINDOWS, {}, 4 * 64 * 3),
    ],
)  # fmt: skip
def test_a_linear_skip_is_one_product_more_and_a_sum(
    family: str, shape: Shape, options: dict[str, Any], more: int
) -> None:
    plain, skipped = made(family, shape, **options), made(family, shape, skip="linear", **options)
    assert parameter_count(skipped) - parameter_count(plain) == more
    before, after = products(family, shape, **options), products(family, shape, skip="linear", **options)
    assert sum(after.values()) - sum(before.values()) == more
    with torch.no_grad():
        for name, one in skipped.named_parameters():
            if ".branch." in name:
                one.zero_()
    inputs = signals(shape, 2)
    first, second = (skipped.eval()(factor * inputs) for factor in (1.0, 3.0))
    torch.testing.assert_close(second, 3.0 * first, rtol=1e-5, atol=1e-5)  # what is left is linear
    assert bool(first.abs().max() > 0)


DEPLOYED = [
    ("ssvep_dnn", WINDOWS, {"filters": 6}), ("mic", WINDOWS, {}), ("eegtcnet", WINDOWS, {}),
    ("mlp", STEPS, {"skip": "linear", "hidden": 8}), ("mlp", WINDOWS, {"skip": "linear", "hidden": 8}),
]  # fmt: skip


@pytest.mark.parametrize("form", ["w8a8", "w4a4"])
@pytest.mark.parametrize(("family", "shape", "options"), DEPLOYED)
def test_deployed_graphs_are_the_integer_students(
    family: str, shape: Shape, options: dict[str, Any], form: str
) -> None:
    model, spec = quantised(family, form, shape, options)
    graph = lower(model, spec.shape, codes=CODES)
    found = agreement(model, graph, CODES.codes_of(signals(spec.shape, 40, 9).numpy()))
    assert found.largest <= 1
    assert found.differing <= 1e-5 * found.elements + 2, found


def test_estimates_of_a_skip_keep_twelve_bits() -> None:
    """Operands of the last sum are no activations: four bits of them would be steps of a seventh of the range."""
    model, spec = quantised("mlp", "w4a4", STEPS, {"skip": "linear", "hidden": 8})
    outputs = model(signals(spec.shape, 20))
    assert len(outputs.unique()) > 1_000


def test_filters_are_given_and_stay() -> None:
    model = made("ssvep_dnn", WINDOWS, filters=4)
    bank = dict(model.named_parameters())["1.weight"]
    assert not bank.requires_grad
    assert torch.equal(bank[:3], bank[3:6])  # every channel has the same filters


def test_band_passes_pass_their_band() -> None:
    taps = band_passes([(10.0, 20.0)], 129, 100.0)[0]
    time = torch.arange(129) / 100.0

    def gain(hertz: float) -> float:
        turned = torch.exp(-2j * torch.pi * hertz * time)
        return float((taps * turned).sum().abs())

    assert gain(15.0) == pytest.approx(1.0, abs=0.01)
    assert gain(10.0) == pytest.approx(0.5, abs=0.01)
    assert max(gain(5.0), gain(30.0)) < 0.01
    with pytest.raises(StudentError, match="between 0 and 50 Hz"):
        band_passes([(10.0, 60.0)], 9, 100.0)


def test_wavelets_have_no_mean_and_answer_at_their_centre() -> None:
    taps = wavelets([8.0, 16.0], 3.0, 64, 64.0)
    assert taps.sum(dim=1).abs().max() < 1e-5
    assert torch.allclose(taps.norm(dim=1), torch.ones(2), atol=1e-6)
    spectra = torch.fft.rfft(taps, 640).abs()
    assert [round(float(one) / 10) for one in spectra.argmax(dim=1)] == [8, 16]
    with pytest.raises(StudentError, match="a wavelet of 40 Hz"):
        wavelets([40.0], 3.0, 64, 64.0)


@pytest.mark.parametrize(
    ("family", "steps", "options", "said"),
    [
        ("ssvep_dnn", 1, {}, "no pair of steps"), ("ssvep_dnn", 64, {"subbands": 4}, "band from 32"),
        ("mic", 4, {}, "fewer than one patch of 8"), ("eegtcnet", 63, {}, "pool_1 x pool_2 = 64"),
    ],
)  # fmt: skip
def test_lengths_that_do_not_fit_are_told(family: str, steps: int, options: dict[str, Any], said: str) -> None:
    with pytest.raises(StudentError, match=said):
        made(family, WINDOWS.model_copy(update={"steps": steps}), **options)
