"""Every family builds, learns, and where it decodes step by step does not look ahead."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.families import WINDOWS as FAMILY_WINDOWS
from students.families import Family, FamilyOptions, family_names, load_family
from students.models.build import build, complete, mode, parameter_count
from students.spec import Float32, Quantised, Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit, predict

torch.set_num_threads(1)

CLASSIFIERS = ("eegnet", "shallow", "mlp", "gru", "lstm", "conformer", "mic", "eegtcnet", "ind", "clip_conformer")
DECODERS = ("mlp", "gru", "lstm")
WINDOWS = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64)
SEGMENTS = Shape(task="regression", channels=12, steps=40, outputs=2, step_rate_hz=20)


def bumps(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return windows whose class is the channel that holds a half-second bump: any of the families can see it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    windows = 0.5 * torch.randn(count, 4, 64, generator=generator)
    windows[torch.arange(count), labels, 32:] += 1.5
    return windows, labels


def tuned_counts(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return Poisson counts driven by a smooth two-axis trajectory in units far from one, and the trajectory."""
    generator = torch.Generator().manual_seed(seed)
    path = torch.nn.functional.avg_pool1d(torch.randn(count, 2, 49, generator=generator), 10, 1) * 3
    preferred = torch.randn(12, 2, generator=torch.Generator().manual_seed(99))
    rates = torch.exp(0.7 * torch.einsum("ca,bat->bct", preferred, path) + 0.5)
    return torch.poisson(rates, generator=generator), 250 * path.transpose(1, 2) + 40


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_learns_to_classify(family):
    """Chance is 0.5; an easy task is solved on windows never trained on."""
    spec = StudentSpec(family=family, shape=WINDOWS, seed=0, training=Training(epochs=25, learning_rate=5e-3))
    model = build(spec)
    fit(model, Examples(*bumps(96, 1)), Examples(*bumps(32, 2)), spec)
    windows, labels = bumps(64, 3)
    logits = predict(model, windows)
    assert logits.shape == (64, 2)
    assert (logits.argmax(dim=1) == labels).float().mean() > 0.9


@pytest.mark.parametrize("family", DECODERS)
def test_learns_to_decode_a_trajectory_on_one_long_stretch(family):
    """R squared on a stretch five times longer than a training segment, targets in hundreds with an offset."""
    spec = StudentSpec(family=family, shape=SEGMENTS, seed=0, training=Training(epochs=40, learning_rate=1e-2))
    model = build(spec)
    fit(model, Examples(*tuned_counts(64, 1)), Examples(*tuned_counts(16, 2)), spec)
    counts, path = tuned_counts(5, 3)
    stretch = counts.transpose(0, 1).reshape(1, 12, 200)
    estimate = predict(model, stretch)
    assert estimate.shape == (1, 200, 2)
    truth = path.reshape(1, 200, 2)
    residual = ((estimate - truth) ** 2).sum(dim=(0, 1)) / ((truth - truth.mean(dim=1)) ** 2).sum(dim=(0, 1))
    assert (1 - residual > 0.5).all()


@pytest.mark.parametrize("form", ["train", "eval"])
@pytest.mark.parametrize("family", DECODERS)
def test_does_not_look_ahead(family, form):
    """Changing the inputs from step 25 on leaves every estimate before step 25 as it was, and changes step 25."""
    model = build(StudentSpec(family=family, options={"dropout": 0.0}, shape=SEGMENTS, seed=4))
    model.train(form == "train")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
    counts, _ = tuned_counts(3, 5)
    changed = counts.clone()
    changed[..., 25:] += 7
    before, after = model(counts), model(changed)
    torch.testing.assert_close(after[:, :25], before[:, :25], rtol=0, atol=0)
    assert not torch.equal(after[:, 25], before[:, 25])


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_seed_decides_the_weights_and_nothing_else_does(family):
    spec = StudentSpec(family=family, shape=WINDOWS, seed=7)
    torch.manual_seed(123)
    first, state = build(spec), torch.get_rng_state()
    torch.manual_seed(321)
    second, other = build(spec), build(spec.model_copy(update={"seed": 8}))
    torch.manual_seed(123)
    assert torch.equal(torch.get_rng_state(), state), "building drew from the global generator"
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_parameters_of_eegnet_by_hand():
    """F1 = 2, D = 2, 4 channels, 64 steps at 64 Hz: width 4, kernel 0.5 s = 32 taps.

    Spatial 4*4 = 16; temporal 4*32 = 128; norm 8; separable 4*16 + 4*4 = 80; norm 8;
    64 / 4 / 8 = 2 steps remain: linear 2*4*2 + 2 = 18. Sum 258.
    """
    options = {"temporal_filters": 2, "depth": 2}
    assert parameter_count(build(StudentSpec(family="eegnet", options=options, shape=WINDOWS, seed=0))) == 258


def test_mode_follows_the_task():
    assert mode(StudentSpec(family="mlp", shape=WINDOWS, seed=0)) == "window"
    assert mode(StudentSpec(family="mlp", shape=SEGMENTS, seed=0)) == "stream"


def test_every_family_has_a_title_options_and_a_mode():
    for name in family_names():
        family = load_family(name)
        assert family.title
        assert set(family.tasks.values()) <= {"window", "stream"}
        assert Float32 in family.forms
        assert family.Options.model_config.get("extra") == "forbid"


def test_which_families_spike():
    spiking = {
        "plif_conv", "snn_3d", "snn_streaming", "spiking_eegnet", "tinyrsnn",
        "spiking_conv", "spiking_delay", "spiking_mlp", "spiking_recurrent",
    }
    assert {name for name in family_names() if load_family(name).spiking} == spiking


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("family", family_names())
def test_every_task_and_form_a_family_declares_can_be_built_and_no_other(family, task):
    """Declarations are what messages, the study check and the plan read."""
    shape = WINDOWS if task == "classification" else SEGMENTS
    declared = load_family(family)
    for text in ("float32", "w4a4"):
        spec = StudentSpec(family=family, form=parse_form(text), shape=shape, seed=0)
        if task in declared.tasks and type(spec.form) in declared.forms:
            assert parameter_count(build(spec)) > 0
        else:
            with pytest.raises(StudentError, match=r"choose one of: .*mlp"):
                build(spec)


OWN = Family(
    title="Own", tasks=FAMILY_WINDOWS, forms=(Float32,), spiking=False, Options=FamilyOptions,
    build=lambda options, shape, layers: torch.nn.Sequential(
        torch.nn.Flatten(), layers.linear(shape.channels * shape.steps, shape.outputs)
    ),
)  # fmt: skip


NO_MODULE = Family(
    title="Own", tasks=FAMILY_WINDOWS, forms=(Float32,), spiking=False, Options=FamilyOptions,
    build=lambda options, shape, layers: [],  # type: ignore[arg-type, return-value]
)  # fmt: skip


def test_a_family_that_builds_no_module_is_told_so():
    with pytest.raises(StudentError, match="NO_MODULE': the family built a list"):
        build(StudentSpec(family=f"{__name__}:NO_MODULE", shape=WINDOWS, seed=0))


def test_a_family_of_ones_own_is_named_by_module_and_object():
    spec = StudentSpec(family=f"{__name__}:OWN", shape=WINDOWS, seed=0)
    assert build(spec)(torch.zeros(3, 4, 64)).shape == (3, 2)
    with pytest.raises(StudentError, match="the object is a Shape, neither a network's class nor a Family"):
        build(spec.model_copy(update={"family": f"{__name__}:WINDOWS"}))


def test_complete_writes_defaults_out():
    spec = complete(StudentSpec(family="mlp", options={"hidden": 8}, shape=WINDOWS, seed=0))
    assert spec.options == {
        "hidden": 8, "hidden_2": 0, "depth": 2, "lags": 10, "bins": 1, "dropout": 0.2, "skip": "none"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "eegnt"}, "Did you mean 'eegnet'"),
        ({"options": {"temporal_filter": 4, "depth": 0}}, r"depth: .*temporal_filter"),
        ({"options": {"kernel_s": float("inf")}}, "kernel_s: .*finite"),
        ({"options": {"pool_1": 40}}, "64 steps are fewer than pool_1 x pool_2 = 320"),
        ({"shape": SEGMENTS}, "choose one of: .*gru.*mlp"),
        ({"family": "clip_conformer", "form": Quantised(weight=8, activation_bits=8)}, "no integer form"),
        ({"family": "conformer", "options": {"heads": 3}}, "does not divide"),
        ({"family": "shallow", "options": {"pool_s": 2.0}}, "longer windows"),
    ],
)
def test_impossible_specs_are_refused(changes, says):
    spec = StudentSpec(family="eegnet", shape=WINDOWS, seed=0).model_copy(update=changes)
    with pytest.raises(StudentError, match=f"(?i){says}"):
        build(spec)
