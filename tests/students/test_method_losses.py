"""Losses of the distillation methods by hand, and what their settings refuse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.spec import MethodSpec, Shape
from students.training import LossInputs, LossSetting, parse_method
from students.training.distillation.feature_rows import feature_rows
from students.training.distillation.losses import hinton_kl
from students.training.distillation.token_rows import token_shape, tokens

torch.set_num_threads(1)

NO_LABELS = torch.zeros(0, dtype=torch.int64)


def drawn(seed: int, *size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def setting(
    outputs: int, teacher: Mapping[str, Sequence[Tensor]], student: Mapping[str, tuple[int, ...]],
    labels: Tensor = NO_LABELS, scale: Tensor | None = None, *, steps: int = 4, warmup_steps: int = 0, epochs: int = 3,
) -> LossSetting:  # fmt: skip
    task = "classification" if scale is None else "regression"
    parts = next(iter(teacher.values()), [labels])
    return LossSetting(
        shape=Shape(task=task, channels=1, steps=steps, outputs=outputs, step_rate_hz=1), epochs=epochs, scale=scale,
        warmup_steps=warmup_steps, student=student, labels=labels, targets=teacher, examples=sum(map(len, parts)),
        teacher={name: tuple(rows[0].shape[1:]) for name, rows in teacher.items()},
    )  # fmt: skip


def made(name: str, given: LossSetting, **options: Any) -> nn.Module:
    method, parsed = parse_method(MethodSpec(name=name, options=options))
    return method.make(parsed, given)


def batch(
    outputs: Tensor, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor],
    targets: Tensor = NO_LABELS, *, epoch: int = 0, task: float = 2.0,
) -> LossInputs:  # fmt: skip
    rows = torch.arange(len(outputs))
    return LossInputs(epoch, torch.tensor(task), outputs, student, teacher, targets, rows)


def identity_map(loss: nn.Module) -> nn.Module:
    """Set a learned map to the identity, without an offset."""
    with torch.no_grad():
        loss.weight.copy_(torch.eye(*loss.weight.shape))
        loss.bias.zero_()
    return loss


FEATURES = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])  # mean (1, 2), covariance diag(1, 4)
LOGITS = torch.stack([FEATURES[:, 0], -FEATURES[:, 0]], dim=1)
GIVEN = {"z": [FEATURES], "outputs": [LOGITS]}


def test_tskd_by_hand():
    """Coordinates of the rows: (-1, 1, -1, 1) of the task and (-1, -1, 1, 1) of the residual, up to signs.

    A student that answers 0 is off by 1 in each: (1 + 1/4) / 2 with a residual weight of 1/4; the task alone 1.
    With weight 0.5 and task 2: 1 + 0.625 / 2. Distance of outputs (weight 3, T = 1) on top.
    """
    zeros, student = torch.zeros(4, 2), {"s": (2,)}
    loss = made("tskd", setting(2, GIVEN, student), student="s", teacher="z", size=2, residual=0.25, map="identity")
    rows = batch(zeros, {"s": zeros}, {"z": FEATURES, "outputs": LOGITS})
    assert loss(rows).item() == pytest.approx(1 + 0.625 / 2, rel=1e-6)
    assert loss.figures["tsr"] == pytest.approx(1)
    given = setting(2, GIVEN, {"s": (1,)})
    loss = made("tskd", given, student="s", teacher="z", map="identity", outputs=3.0, temperature=1.0)
    found = loss(batch(zeros, {"s": zeros[:, :1]}, {"z": FEATURES, "outputs": LOGITS}))
    assert found.item() == pytest.approx(1 + (1 + 3 * hinton_kl(zeros, LOGITS, 1.0).item()) / 2, rel=1e-6)


def test_cosine_alignment_by_hand():
    """The student's (1, 0) lies 45 degrees from (+-1, +-1): one less the cosine is 1 -+ 1/sqrt 2, with mean 1."""
    loss = made("tskd", setting(2, GIVEN, {"s": (2,)}), student="s", teacher="z", size=2, residual=1.0,
                map="identity", distance="cosine", weight=1.0)  # fmt: skip
    ahead = torch.tensor([[1.0, 0.0]]).expand(4, 2)
    teacher = {"z": FEATURES, "outputs": LOGITS}
    assert loss(batch(ahead, {"s": ahead}, teacher)).item() == pytest.approx(1, rel=1e-6)
    exact = (FEATURES - loss.alignment.mean) @ loss.alignment.matrix
    assert loss(batch(ahead, {"s": 5 * exact}, teacher)).item() == pytest.approx(0, abs=1e-6)


def test_principal_components_by_hand():
    """One component: the second feature over its deviation, -1 or 1; its TSR is 0, for the logits follow the first."""
    loss = made("pca", setting(2, GIVEN, {"s": (1,)}), student="s", teacher="z", size=1, map="identity", weight=1.0)
    zeros = torch.zeros(4, 1)
    assert loss(batch(zeros, {"s": zeros}, {"z": FEATURES})).item() == pytest.approx(1, rel=1e-6)
    assert loss.figures["tsr"] == pytest.approx(0, abs=1e-9)


def test_a_random_projection_is_that_of_the_seed():
    given = setting(2, GIVEN, {"s": (3,)})
    matrices = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        matrices.append(made("random_projection", given, student="s", teacher="z", size=3).alignment.matrix)
    assert torch.equal(matrices[0], matrices[1])
    assert not torch.equal(matrices[0], matrices[2])


def test_tskd_of_trajectories_projects_each_step_whichever_axis_is_time():
    """Features (channels, steps) as a convolution has them, or (steps, units) as a recurrent layer: the same loss."""
    features, readout, scale = drawn(0, 6, 3, 8), drawn(1, 3, 2), torch.tensor([1.0, 4.0])
    outputs = torch.einsum("ncs,co->nso", features, readout)
    found = []
    for given in (features, features.transpose(1, 2)):
        parts = {"z": [given[:4], given[4:]], "outputs": [outputs[:4], outputs[4:]]}
        known = setting(2, parts, {"s": (2, 8)}, drawn(2, 4, 8, 2), scale, steps=8, warmup_steps=3)
        loss = made("tskd", known, student="s", teacher="z", map="identity", weight=1.0)
        assert loss.figures["tsr"] == pytest.approx(1)
        assert loss.alignment.matrix.shape == (3, 2)
        student = torch.zeros(6, 2, 8)
        student[:, :, :3] = 99.0  # the warm-up, which counts nowhere
        found.append(loss(batch(outputs, {"s": student}, {"z": given, "outputs": outputs})).item())
    assert found == pytest.approx([1.0, 1.0], rel=1e-5)
    assert torch.equal(feature_rows(features, 8, 3), features[:, :, 3:].transpose(1, 2).flatten(0, 1))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_gradient_form_follows_labels_where_they_differ_from_the_teacher(task: str):
    """Labels that read the second feature, which the teacher leaves out: with a large weight P turns towards it."""
    features = drawn(0, 200, 2)
    if task == "classification":
        outputs, scale = torch.stack([features[:, 0], -features[:, 0]], dim=1), None
        labels = (features[:, 1] < 0).long()
    else:
        features, outputs, scale = features[:, :, None], features[:, None, :1], torch.ones(1)
        labels = torch.where(torch.arange(200) < 150, features[:, 1, 0], torch.nan)[:, None, None]
    given = setting(outputs.shape[-1], {"z": [features], "outputs": [outputs]}, {"s": (1, 1)}, labels, scale, steps=1)
    kept = []
    for weight in (0.0, 100.0):
        loss = made("tskd", given, student="s", teacher="z", projection="gradient", labels=weight)
        kept.append(loss.figures["tsr"])
        assert loss.alignment.matrix.shape == (2, 1)
    assert kept[0] > 0.99
    assert kept[1] < 0.2


def test_projections_refuse_what_they_cannot_do():
    given = setting(2, GIVEN, {"s": (3,)})
    with pytest.raises(StudentError, match="3 features of 's' for 1 coordinates"):
        made("tskd", given, student="s", teacher="z", map="identity")
    with pytest.raises(StudentError, match="2 coordinates by gradient where the task has 1"):
        made("tskd", given, student="s", teacher="z", projection="gradient", size=2)
    windows = {"z": [drawn(0, 4, 5)], "outputs": [drawn(1, 4, 8, 2)]}
    timed = setting(2, windows, {"s": (3, 8)}, drawn(2, 4, 8, 2), torch.ones(2), steps=8)
    with pytest.raises(StudentError, match=r"'z' of shape \(5,\) has no feature of each of 8 steps"):
        made("pca", timed, student="s", teacher="z")


def test_dlink_by_hand():
    """One layer, one mixture: LN of (3, 1), (0, 4) is (1, -1), (-1, 1), at two positions; the student has (0, 0) twice.

    Mean square 1. Spectra along positions: sums 0, differences 2 and -2, against none: magnitude (0 + ln 3) / 2; phase
    1 where there is power. Probe ln 2, no shortfall (one layer). Task 2, KL 0, weight 0.5:
    1 + (1 + 0.1 (ln 3 / 2 + 0.1)) / 2 + ln 2; in the first epochs, the features' part whole.
    """
    layer = torch.tensor([[[3.0, 1.0], [0.0, 4.0]]])
    logits = torch.zeros(1, 2)
    given = setting(2, {"a": [layer], "outputs": [logits]}, {"s": (2, 2)}, torch.tensor([1]))
    options = {"student": "s", "layers": ["a"], "teacher_channels": "last", "first_epochs": 1}
    loss = made("dlink", given, **options)
    identity_map(loss.mimic)
    with torch.no_grad():
        loss.probe.weight.zero_()
        loss.probe.bias.zero_()
    alike = 1 + 0.1 * (math.log(3) / 2 + 0.1)
    student, teacher = {"s": torch.zeros(1, 2, 2)}, {"a": layer, "outputs": logits}
    found = [loss(batch(logits, student, teacher, torch.tensor([1]), epoch=epoch)).item() for epoch in (0, 1)]
    assert found == pytest.approx([alike + math.log(2), 1 + alike / 2 + math.log(2)], rel=1e-4)


def test_dlink_averages_the_teachers_positions_to_the_students():
    """Four positions to two: a student that has the pair means of the normalised layer has no distance."""
    layer = drawn(0, 3, 5, 4)  # channels first: 4 positions
    given = setting(2, {"a": [layer], "outputs": [drawn(1, 3, 2)]}, {"s": (5, 2)})
    loss = made("dlink", given, student="s", layers=["a"], weight=1.0, outputs=0.0)
    identity_map(loss.mimic)
    normal = nn.functional.layer_norm(layer.transpose(1, 2), (5,)).transpose(1, 2)
    pairs = normal.reshape(3, 5, 2, 2).mean(dim=3)
    rows = batch(drawn(2, 3, 2), {"s": pairs}, {"a": layer, "outputs": drawn(1, 3, 2)})
    assert loss(rows).item() == pytest.approx(0, abs=1e-5)


def test_dlink_trains_its_router_and_the_probe_does_not_reach_the_student():
    layers = {name: drawn(i, 6, 5, 4) for i, name in enumerate("ab")}
    teacher = {**layers, "outputs": drawn(2, 6, 2)}
    given = setting(2, {name: [rows] for name, rows in teacher.items()}, {"s": (3, 4)}, torch.arange(6) % 2)
    loss = made("dlink", given, student="s", layers=["a", "b"], weight=0.0)
    student = drawn(4, 6, 3, 4).requires_grad_()
    loss(batch(drawn(5, 6, 2), {"s": student}, teacher, torch.arange(6) % 2)).backward()
    assert student.grad is not None
    assert student.grad.abs().max() == 0
    assert all(parameter.grad.abs().max() > 0 for parameter in loss.router.parameters())


def test_dlink_refuses_layers_of_two_shapes_and_a_spectrum_of_one_position():
    two = {"a": [drawn(0, 4, 5, 4)], "b": [drawn(0, 4, 5, 3)], "outputs": [drawn(1, 4, 2)]}
    with pytest.raises(StudentError, match=r"layers of several shapes: a \(5, 4\), b \(5, 3\)"):
        made("dlink", setting(2, two, {"s": (5, 4)}), student="s", layers=["a", "b"])
    with pytest.raises(StudentError, match="has one position, and no spectrum"):
        made("dlink", setting(2, two, {"s": (5,)}), student="s", layers=["a"])
    assert made("dlink", setting(2, two, {"s": (5,)}), student="s", layers=["a"], spectral=0.0)


def test_tokens_of_vectors_maps_and_grids():
    assert tokens(drawn(0, 2, 5), "first").shape == tokens(drawn(0, 2, 5), "last").shape == (2, 1, 5)
    grid = drawn(0, 2, 3, 4, 5)
    assert torch.equal(tokens(grid, "first")[:, 7], grid[:, :, 1, 2])
    assert torch.equal(tokens(grid, "last")[:, 7], grid[:, 1, 3])
    assert token_shape((3, 4, 5), "first") == (20, 3)
    assert token_shape((3, 4, 5), "last") == (12, 5)
    assert token_shape((5,), "last") == (1, 5)


def test_self_distillation_remembers_the_epoch_before_row_by_row():
    """Weight 1 of three epochs: nothing in epoch 0, a half in 1, all in 2. Of T = 1; rows come in any order."""
    loss = made("self_kd", setting(2, {}, {}, torch.arange(3)), weight=1.0)
    outputs = drawn(0, 3, 3, 2)
    found = []
    for epoch, order in enumerate(([0, 1, 2], [2, 0, 1], [1, 2, 0])):
        seen = LossInputs(epoch, torch.tensor(2.0), outputs[epoch][order], {}, {}, NO_LABELS, torch.tensor(order))
        found.append(loss(seen).item())
        assert loss(seen).item() == found[-1]
    expected = [hinton_kl(outputs[epoch], outputs[epoch - 1], 1.0).item() for epoch in (1, 2)]
    assert found == pytest.approx([2.0, 1 + expected[0] / 2, expected[1]], rel=1e-5)


def test_smoothed_labels_by_hand():
    """Logits (ln 3, 0), p = (3/4, 1/4): the even part is -(ln 3/4 + ln 1/4) / 2; unlabelled rows count nowhere.

    That is cross-entropy against the mixed label: 0.9 CE(class 0) + 0.1 even = CE((0.95, 0.05)).
    """
    loss = made("label_smoothing", setting(2, {}, {}, torch.arange(2)), smoothing=0.1)
    outputs = torch.tensor([[math.log(3), 0.0], [9.0, -9.0]])
    rows = batch(outputs, {}, {}, torch.tensor([0]), task=math.log(4 / 3))
    mixed = -(0.95 * math.log(0.75) + 0.05 * math.log(0.25))
    assert loss(rows).item() == pytest.approx(mixed, rel=1e-6)


def test_smoothed_trajectories_by_hand():
    """Known targets 1, 3 of one axis, deviation 2: mean 2. Outputs 4 and 6 behind one step: ((2/2)^2 + (4/2)^2) / 2."""
    labels = torch.tensor([[[torch.nan], [1.0], [3.0]]])
    given = setting(1, {}, {}, labels, torch.tensor([2.0]), steps=3, warmup_steps=1)
    loss = made("label_smoothing", given, smoothing=0.5)
    outputs = torch.tensor([[[77.0], [4.0], [6.0]]])
    assert loss(batch(outputs, {}, {}, labels)).item() == pytest.approx(0.5 * 2 + 0.5 * 2.5, rel=1e-6)


def test_pairs_are_for_classes():
    trajectories = {"outputs": [drawn(0, 3, 4, 2)]}
    with pytest.raises(StudentError, match="pairs of examples and classes, in a regression"):
        made("kl", setting(2, trajectories, {}, scale=torch.ones(2)), labels="pairs")


def test_every_step_learns_by_hand():
    """Two steps of logits (ln 3, 0) and (0, 0), teacher (0, 0): KL of the first (1/2) ln(1/2 / 3/4) + (1/2) ln 2, of
    the second nothing; their mean, times T^2 = 1. A teacher that says the same in each step is at no distance.
    """
    steps = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]])  # (example, classes, steps)
    even = torch.zeros(1, 2)
    given = setting(2, {"outputs": [even], "each": [steps]}, {"s": (2, 2)})
    loss = made("step_kl", given, student="s", weight=1.0, temperature=1.0)
    first = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert loss(batch(even, {"s": steps}, {"outputs": even})).item() == pytest.approx(first / 2, rel=1e-6)
    same = made("step_kl", given, student="s", teacher="each", weight=1.0)
    assert same(batch(even, {"s": steps}, {"each": steps})).item() == pytest.approx(0.0, abs=1e-6)
    turned = made("step_kl", setting(2, {"outputs": [even]}, {"s": (3, 2)}), student="s", weight=1.0, temperature=1.0)
    rows = torch.stack([steps[0, :, 0], steps[0, :, 1], steps[0, :, 1]])[None]  # (example, steps, classes)
    assert turned(batch(even, {"s": rows}, {"outputs": even})).item() == pytest.approx(first / 3, rel=1e-6)


def test_a_mean_that_agrees_is_not_enough_for_every_step():
    """Steps (a, -a) and (-a, a) have an even mean: kl is at no distance from an even teacher, every step is."""
    steps = torch.tensor([[[4.0, -4.0], [-4.0, 4.0]]])
    even = torch.zeros(1, 2)
    given = setting(2, {"outputs": [even]}, {"s": (2, 2)})
    rows = batch(steps.mean(-1), {"s": steps}, {"outputs": even})
    assert made("kl", given, weight=1.0)(rows).item() == pytest.approx(0.0, abs=1e-6)
    assert made("step_kl", given, student="s", weight=1.0)(rows).item() > 1


def test_every_step_refuses_what_holds_no_logits_of_steps():
    teacher = {"outputs": [drawn(0, 1, 2)], "five": [drawn(0, 1, 2, 5)]}
    with pytest.raises(StudentError, match=r"'s' of shape \(3, 4\) holds no logits of 2 classes"):
        made("step_kl", setting(2, teacher, {"s": (3, 4)}), student="s")
    with pytest.raises(StudentError, match="4 steps of 's' and 5 of the teacher's 'five'"):
        made("step_kl", setting(2, teacher, {"s": (2, 4)}), student="s", teacher="five")
    trajectory = setting(2, {"outputs": [drawn(0, 1, 4, 2)]}, {"s": (2, 4)}, scale=torch.ones(2))
    with pytest.raises(StudentError, match="classes of each step, in a regression"):
        made("step_kl", trajectory, student="s")
    with pytest.raises(StudentError, match="smoothed classes, in a regression"):
        made("noise_smoothed_kl", trajectory)


def test_noise_smoothed_classes_by_hand():
    """Logits (2, 0): mean 1, variance 1, so n = 1 + noise = (1 + ln 3, 1) for noise (ln 3, 0); T = 1, own = 0.6.

    q = 0.6 (e^2, 1) / (e^2 + 1) + 0.4 (3/4, 1/4); the teacher is (1/2, 1/2). In the next epoch the other row's noise.
    """
    teacher = torch.zeros(2, 2)
    loss = made("noise_smoothed_kl", setting(2, {"outputs": [teacher]}, {}), weight=1.0, temperature=1.0, own=0.6)
    loss.noise.copy_(torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]))
    outputs = torch.tensor([[2.0, 0.0]], requires_grad=True)
    own = math.exp(2) / (math.exp(2) + 1)

    def distance(first: float) -> float:
        q = 0.6 * own + 0.4 * first
        return 0.5 * math.log(0.5 / q) + 0.5 * math.log(0.5 / (1 - q))

    for epoch, first in enumerate((0.75, 0.5)):
        found = loss(batch(outputs, {}, {"outputs": teacher[:1]}, epoch=epoch))
        assert found.item() == pytest.approx(distance(first), rel=1e-5)
    plain = made("noise_smoothed_kl", setting(2, {"outputs": [teacher]}, {}), own=1.0)
    rows = batch(outputs, {}, {"outputs": teacher[:1]})
    assert torch.equal(plain(rows), made("kl", setting(2, {"outputs": [teacher]}, {}))(rows))


def test_masked_features_by_hand():
    """G the identity, mask (1, 0): of (3, 5) the student shows (3, 0); the teacher's (1, 2) is (4 + 4) / 2 away."""
    z = torch.tensor([[1.0, 2.0]])
    loss = made("masked_features", setting(2, {"t": [z]}, {"s": (2,)}), student="s", teacher="t", weight=1.0)
    assert torch.equal(loss.masks.sum(1), torch.ones(64)), "half of two numbers are shown"
    loss.masks[:] = torch.tensor([1.0, 0.0])
    for linear in (loss.generator[0], loss.generator[2]):
        identity_map(linear)
    assert loss(batch(z, {"s": torch.tensor([[3.0, 5.0]])}, {"t": z})).item() == pytest.approx(4.0)


def test_masks_are_of_examples_and_hide_the_same_of_all_their_steps():
    teacher = drawn(0, 2, 3, 4)
    given = setting(2, {"t": [teacher]}, {"s": (5, 4)}, scale=torch.ones(2), warmup_steps=1)
    loss = made("masked_features", given, student="s", teacher="t", weight=1.0, masked=0.75)
    hidden = loss.masks[1] == 0
    student = drawn(1, 2, 5, 4)
    other = student.clone()
    other[1, hidden] += 1.0  # of example 1 in epoch 0, what mask 1 hides
    other[:, :, 0] += 1.0  # the warm-up
    found = [loss(batch(teacher, {"s": one}, {"t": teacher})).item() for one in (student, other)]
    assert found[0] == found[1]
    assert loss(batch(teacher, {"s": other}, {"t": teacher}, epoch=1)).item() != found[0]
