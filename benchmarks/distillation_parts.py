"""Parts of ``benchmarks/distillation.py``: recordings, students, teachers and methods, and the studies they make."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

CONTROLS: list[dict[str, Any]] = [
    {"name": "label_smoothing"}, {"name": "mixup"}, {"name": "noise"}, {"name": "self_kd"},
]  # fmt: skip
ON_BUDGETS: list[dict[str, Any]] = [
    {"name": "kl", "options": {"weight": 0.8}},
    {"name": "kl", "options": {"weight": 0.8, "unlabelled": "left_out"}},
    *CONTROLS,
]
EEGNET = {
    "label": "EEGNet-8", "family": "eegnet", "features": "15", "pooled": True,
    "options": {"temporal_filters": 8, "kernel_s": 1.0, "pool_2": 128, "separable_taps": 4, "dropout": 0.5},
}  # fmt: skip
EEGNET_4 = {
    "label": "EEGNet-4", "family": "eegnet", "features": "15", "pooled": True,
    "options": {"temporal_filters": 4, "kernel_s": 0.25, "pool_2": 20, "dropout": 0.5},
}  # fmt: skip
MIC = {"label": "MiC", "family": "mic", "features": "mimic", "options": {"patch_s": 0.25}}
IND = {"label": "IND", "family": "ind", "features": "10", "pooled": True}
MLP = {"label": "MLP", "family": "mlp", "features": "body.7"}
GRU = {"label": "GRU-32", "family": "gru", "features": "body.3", "options": {"hidden": 32}}
SKIP = {
    "label": "MLP with a skip", "family": "mlp", "features": "body.1.branch.6", "options": {"skip": "linear"},
}  # fmt: skip
SMALL = {"forms": ["float32", "w4a4", "w2a4"]}
SPIKES = {
    "label": "LIF conv", "family": "spiking_conv",
    "training": {"epochs": 40, "batch_size": 32, "learning_rate": 1e-2, "patience": 12},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One set of recordings.

    Parameters
    ----------
    study : str
        A shipped study, whose recordings, split and training settings are taken.
    students : tuple of dict
        As in a study; `features` names the module that methods compare with the teacher's, `pooled` says that it has
        one position, so that there is no spectrum to compare.
    teacher : dict
    budgets : tuple of dict
        Tables ``[labels]``; all labels are kept as well (the ceiling). Empty: full labels, in and out of sample. With
        ``validation = "all"`` early stopping, gate and best control see labels beyond the budget: the title says so.
    changes : dict
        Sections that are not the study's.
    layer : str
        Target of the teacher that methods compare features with; empty: outputs alone are compared.
    """

    study: str
    students: tuple[dict[str, Any], ...]
    teacher: dict[str, Any]
    budgets: tuple[dict[str, Any], ...] = ()
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    layer: str = ""


def _classical(baseline: str, **options: Any) -> dict[str, Any]:
    return {"name": "classical", "options": {"baseline": baseline, "options": options}}


def _network(family: str, layer: str, **options: Any) -> dict[str, Any]:
    return {"name": "network", "options": {"family": family, "options": options, "layers": [layer]}}


VELOCITY_SPLIT = {"split": {"method": "given_parts", "validation_fraction": 0.3, "gap_steps": 10}}
LEAVE_OUT = {"method": "leave_one_group_out", "group": "subject"}
SUBJECTS = {
    "dataset": {"name": "ssvep_exoskeleton", "options": {
        "classes": "frequencies", "decimate": 2, "start_s": 1.0, "stop_s": 5.0,
        "folders": "ssvep_exoskeleton,ssvep_exoskeleton_more",
    }},
    "split": {**LEAVE_OUT, "validation": "fraction", "validation_fraction": 0.2},
    "unlabelled": {"stride_s": 4.0},
}  # fmt: skip
"""Eight subjects, two sessions each, in two folders; unlabelled windows of 4 s side by side."""
OTHER_SUBJECT = {**SUBJECTS, "split": {**LEAVE_OUT, "validation": "group"}}
"""Early stopping, gate and best control see a subject that is not trained on, as the test part is one."""
STEERED = {
    "study": {"title": "Direction of the target, 87 units", "question": "What does a teacher add to few labels?"},
    "dataset": {"name": "bci_hennig"},
    "split": {"method": "blocked_in_time", "test_fraction": 0.2, "validation_fraction": 0.3, "gap_steps": 10},
    "baselines": [{"name": "ridge_lags"}],
    "hardware": {"profiles": ["asic65_near_memory", "cortex_m4f"], "sites": ["implant_utah96"],
                 "decode_rate_hz": 1 / 0.045},
}  # fmt: skip
PARTS = {
    "labels_42_units": Part(
        "intracortical_brown42", (MLP, SKIP, GRU), _classical("ridge_lags"),
        ({"seconds": 30.0}, {"seconds": 60.0}), VELOCITY_SPLIT,
    ),
    "labels_motor_imagery": Part(
        "motor_imagery", (EEGNET_4, MIC), _classical("csp_lda"),
        ({"per_class": 2}, {"per_class": 4, "validation": "all"}),
    ),
    "labels_ssvep": Part(
        "ssvep_few_labels", (EEGNET, MIC), _classical("cca_logistic", inverse_penalty=1.0), ({"per_class": 2},),
    ),
    "labels_95_channels": Part(
        "intracortical", (MLP, GRU), _classical("ridge_lags"),
        ({"seconds": 30.0}, {"seconds": 60.0}, {"seconds": 180.0}),
    ),
    "labels_87_units": Part(
        "intracortical", (MLP, GRU), _classical("ridge_lags"), ({"seconds": 30.0}, {"seconds": 60.0}), STEERED,
    ),
    "full_42_units": Part(
        "intracortical_brown42", (MLP, SKIP, GRU), _network("gru", "body.3", hidden=64), layer="body.3",
    ),
    "motor_imagery": Part(
        "motor_imagery", (EEGNET_4, MIC, IND),
        _network("eegnet", "15", temporal_filters=16, kernel_s=0.25, pool_2=20), layer="15",
    ),
    "subjects_ssvep": Part(
        "ssvep_headset", (EEGNET | SMALL, MIC | SMALL, IND, SPIKES),
        _classical("cca_logistic", inverse_penalty=1.0), changes=SUBJECTS,
    ),
    "subjects_ssvep_chosen_on_another": Part(
        "ssvep_headset", (EEGNET | SMALL, MIC | SMALL, IND, SPIKES),
        _classical("cca_logistic", inverse_penalty=1.0), changes=OTHER_SUBJECT,
    ),
    "seizure": Part(
        "seizure", ({**EEGNET_4, "options": {"temporal_filters": 4}}, MIC),
        _network("eegnet", "15", temporal_filters=16), layer="15",
    ),
    "full_95_channels": Part(
        "intracortical", (MLP, GRU), _network("gru", "body.3", hidden=64), layer="body.3",
    ),
}  # fmt: skip
"""Cheapest first."""


def cells_of(name: str, seeds: list[int]) -> dict[str, dict[str, Any]]:
    """Return the studies of a part by the names of its cells."""
    part = PARTS[name]
    if part.budgets:
        few = {_budget(one): _study(name, part, seeds, ON_BUDGETS) | {"labels": one} for one in part.budgets}
        return few | {"all": without_teacher(_study(name, part, seeds, CONTROLS))}
    inside = _study(name, part, seeds, _methods(part))
    outside = copy.deepcopy(inside)
    outside["teacher"]["out_of_fold"] = {"folds": 5, "fewest_per_class": 2, "fewest_steps": 500}
    if inside["split"].get("group") == "subject":
        outside["gate"] = {"on": "out_of_fold"}  # by subject, as the split: whether a teacher is better on new subjects
    return {"in_sample": inside, "out_of_fold": outside}


def _budget(labels: dict[str, Any]) -> str:
    seconds = labels.get("seconds")
    return f"{labels['per_class']}_a_class" if seconds is None else f"{seconds:g}_s"


def _methods(part: Part) -> list[dict[str, Any]]:
    """Return every method; `student` is put in for each student apart."""
    compared: list[dict[str, Any]] = []
    if part.layer:
        named = {"student": "", "teacher": part.layer}
        compared = [
            {"name": "tskd", "options": {**named, "outputs": 0.5}},
            {"name": "pca", "options": {**named, "size": 4}},
            {"name": "random_projection", "options": {**named, "size": 4}},
            {"name": "fitnet", "options": named},
            {"name": "dlink", "options": {"student": "", "layers": [part.layer], "router": "last"}},
        ]  # fmt: skip
    return [{"name": "kl"}, {"name": "relational"}, *compared, *CONTROLS]


def _study(name: str, part: Part, seeds: list[int], methods: list[dict[str, Any]]) -> dict[str, Any]:
    shipped = files("cosim.study") / "shipped" / f"{part.study}.toml"
    tables = tomllib.loads(shipped.read_text(encoding="utf-8"))
    kept = ("dataset", "split", "unlabelled", "training", "hardware", "baselines")
    return {
        **{key: tables[key] for key in kept if key in tables},
        "teacher": copy.deepcopy(part.teacher),
        "students": [_student(one, methods) for one in part.students],
        **part.changes,
        "study": {**tables["study"], **part.changes.get("study", {}), "name": f"distillation_{name}", "seeds": seeds},
    }  # fmt: skip


def _student(given: dict[str, Any], methods: list[dict[str, Any]]) -> dict[str, Any]:
    features = given.get("features")
    chosen = copy.deepcopy([one for one in methods if features or "student" not in one.get("options", {})])
    for one in chosen:
        if "student" in one.get("options", {}):
            one["options"]["student"] = features
        if one["name"] == "dlink" and given.get("pooled"):
            one["options"]["spectral"] = 0.0
    own = {key: value for key, value in given.items() if key not in ("features", "pooled")}
    return {**own, "method_choices": chosen}


def without_teacher(study: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in study.items() if key not in ("teacher", "unlabelled")}
