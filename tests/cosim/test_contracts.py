"""Everything that ships keeps the contracts that third parties are held to, and the contracts can fail."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cosim.baselines.registry import baseline_names, load_baseline
from cosim.baselines.types import Baseline
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.registry import load, load_corpus
from cosim.teachers.registry import TEACHERS
from cosim.teachers.teacher import Teacher
from cosim.testing import (
    ContractError,
    check_baseline,
    check_dataset,
    check_encoder,
    check_family,
    check_method,
    check_teacher,
)
from students.families import Family, family_names, load_family
from students.families.family import FamilyOptions
from students.neurons.encoders import Encoder, encoder_names
from students.spec import Float32
from students.training.distillation.registry import METHODS as REGISTERED


@pytest.mark.parametrize("name", family_names())
def test_families(name: str) -> None:
    check_family(name)


SMALL = {"bandpower_svm": {"segment_steps": 64}, "cca": {"frequencies_hz": "10,12"},
         "cca_logistic": {"frequencies_hz": "10,12"}, "lock_in": {"frequencies_hz": "10,12"}}  # fmt: skip
"""Options that suit the generated corpora, which flicker at no frequency and have short windows."""


@pytest.mark.parametrize("name", baseline_names())
def test_baselines(name: str) -> None:
    check_baseline(name, SMALL.get(name))


class Broken(nn.Module):
    """A classifier with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.readout = nn.Linear(4, 3)
        if fault == "chance":
            self.readout.weight.data = torch.from_numpy(np.random.default_rng().normal(size=(3, 4))).float()

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        features = signal.mean(dim=-1)
        if self.fault == "batch statistics":
            features = features - features.mean(dim=0)
        if self.fault == "uncounted":
            features = features + 0.0 * torch.linalg.eigvalsh(features[:, :, None] * features[:, None, :])
        outputs = self.readout(features)
        return outputs[:, :2] if self.fault == "shape" else outputs


def family(fault: str) -> Family[FamilyOptions]:
    return dataclasses.replace(
        load_family("mlp"), tasks={"classification": "window"}, forms=(Float32,),
        Options=FamilyOptions, build=lambda options, shape, layers: Broken(fault),
    )  # fmt: skip


FAULTS = {
    "chance": "one seed gives two networks",
    "batch statistics": "depends on the other examples",
    "uncounted": "not counted whole: _linalg_eigh",
    "shape": "outputs of shape",
}
CHANCE, BATCH, UNCOUNTED, SHAPE = (family(fault) for fault in FAULTS)
WHOLE = family("none")
LOOKS_AHEAD = dataclasses.replace(
    load_family("mlp"), forms=(Float32,), Options=FamilyOptions, tasks={"regression": "stream"},
    build=lambda options, shape, layers: LookAhead(),
)  # fmt: skip
ALSO_INTEGER = dataclasses.replace(WHOLE, forms=load_family("mlp").forms)


class LookAhead(nn.Module):
    """A decoder of a stream that sees the next step."""

    warmup_steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.readout = nn.Conv1d(4, 3, 3, padding=1)

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        return self.readout(signal).transpose(1, 2)


def test_a_family_without_a_fault_passes() -> None:
    check_family(f"{__name__}:WHOLE")


FAULTY = list(zip(("CHANCE", "BATCH", "UNCOUNTED", "SHAPE"), FAULTS.values(), strict=True))


@pytest.mark.parametrize(("name", "said"), FAULTY)
def test_faults_of_a_family_are_found(name: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        check_family(f"{__name__}:{name}")


def test_a_family_that_looks_ahead_is_found() -> None:
    with pytest.raises(ContractError, match="depends on later inputs"):
        check_family(f"{__name__}:LOOKS_AHEAD")


def test_a_family_whose_integer_form_is_float_is_found() -> None:
    with pytest.raises(ContractError, match="multiplies floats in"):
        check_family(f"{__name__}:ALSO_INTEGER")


def peeking(dataset, fold, options):
    found = load_baseline("majority").run(dataset, fold, options)
    outputs = np.eye(len(dataset.output_names))[dataset.targets[fold.test]]
    return dataclasses.replace(found, outputs_test=outputs)


PEEKING = Baseline("Peeks at the test labels", ("classification",), load_baseline("majority").Options, peeking)


def choosing(dataset, fold, options):
    found = load_baseline("majority").run(dataset, fold, options)
    return dataclasses.replace(found, chosen={"first": int(dataset.targets[fold.test][0])})


CHOOSING = Baseline("Chooses by the test labels", ("classification",), load_baseline("majority").Options, choosing)


def unvalidated(dataset, fold, options):
    found = load_baseline("majority").run(dataset, fold, options)
    return dataclasses.replace(found, outputs_validation=found.outputs_validation[1:])


UNVALIDATED = Baseline("Leaves out validation", ("classification",), load_baseline("majority").Options, unvalidated)


def test_a_baseline_that_chooses_by_test_labels_or_leaves_out_validation_is_found() -> None:
    with pytest.raises(ContractError, match="labels of the test part"):
        check_baseline(f"{__name__}:CHOOSING")
    with pytest.raises(ContractError, match="validation outputs of shape"):
        check_baseline(f"{__name__}:UNVALIDATED")


def test_a_baseline_that_reads_test_labels_is_found() -> None:
    with pytest.raises(ContractError, match="labels of the test part"):
        check_baseline(f"{__name__}:PEEKING")


@pytest.mark.parametrize("name", encoder_names())
def test_encoders(name: str) -> None:
    check_encoder(name)


LAYERS = {"classification": {"student": "2", "teacher": "hidden"},
          "regression": {"student": "body.2", "teacher": "hidden"}}  # fmt: skip
ROUTED = {"student": "body.2", "layers": ["early", "late"]}
BOTH = [
    ("kl", {}), ("relational", {}), ("self_kd", {}), ("label_smoothing", {}), ("mixup", {}), ("noise", {}),
]  # fmt: skip
OF_LAYERS = [
    ("fitnet", {"first_epochs": 1}),
    ("masked_features", {}),
    ("tskd", {"outputs": 0.5}),
    ("tskd", {"size": 3, "distance": "cosine"}),
    ("tskd", {"size": 4, "residual": 0.0}),
    ("tskd", {"projection": "gradient"}),
    ("pca", {"size": 3}),
    ("random_projection", {"map": "identity"}),
    ("relational", {"relation": "angle"}),
    ("relational", {"relation": "similarity"}),
]
METHODS = [
    *((name, options, task) for name, options in BOTH for task in LAYERS),
    *((name, LAYERS[task] | options, task) for name, options in OF_LAYERS for task in LAYERS),
    ("kl", {"labels": "pairs", "weight": 0.3}, "classification"),
    ("step_kl", {"student": "6"}, "classification"),
    ("noise_smoothed_kl", {}, "classification"),
    ("dlink", {"student": "2", "layers": ["early", "late"], "spectral": 0.0}, "classification"),
    ("dlink", {**ROUTED, "first_epochs": 1}, "regression"),
    ("dlink", {**ROUTED, "router": "static", "teacher_channels": "last"}, "regression"),
    ("dlink", {**ROUTED, "router": "last", "entropy_floor": 0.0}, "regression"),
    ("dlink", {**ROUTED, "router": "uniform"}, "regression"),
]


def test_every_method_is_tried_here() -> None:
    assert set(REGISTERED.names()) == {name for name, _, _ in METHODS}


@pytest.mark.parametrize(("name", "options", "task"), METHODS)
def test_methods(name: str, options: dict, task: str) -> None:
    check_method(name, options, (task,))


@pytest.mark.parametrize(
    ("name", "options"),
    [("synthetic_eeg", {"channels": 4, "trials": 12}), ("synthetic_spikes", {"units": 6, "steps": 1000})],
)
def test_datasets(name: str, options: dict) -> None:
    check_dataset(name, options=options)


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["eegmmidb", "m1_brown42", "m1_contdata95", "bonn_eeg", "bci2_sp1s", "bci_hennig"])
def test_datasets_of_recordings(name: str, recordings: Path) -> None:
    check_dataset(name, recordings)


ENSEMBLE = {"members": [{"family": "mlp", "options": {"hidden": 4}}]}


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_teachers(task: str) -> None:
    check_teacher("ensemble", ENSEMBLE, task)


DEAF = dataclasses.replace(
    REGISTERED.load("kl"), make=lambda options, setting: Deaf(),
)  # fmt: skip


class Deaf(nn.Module):
    """A loss that leaves out the teacher."""

    def forward(self, batch):
        return batch.task


def test_a_method_that_ignores_the_teacher_is_found() -> None:
    with pytest.raises(ContractError, match="other targets of the teacher give the same student"):
        check_method(f"{__name__}:DEAF")


class Peek(nn.Module):
    """A code that shows each step the one after it."""

    def forward(self, counts):
        return counts.roll(-1, dims=-1)


LOOKING = Encoder("shows the next step", lambda quantise_input: Peek())


def test_an_encoder_that_looks_ahead_is_found() -> None:
    with pytest.raises(ContractError, match="depends on later steps"):
        check_encoder(f"{__name__}:LOOKING")


def drifting(options, data_dir):
    dataset = load("synthetic_eeg", data_dir=None, options={"channels": 4, "trials": 12})
    return dataclasses.replace(dataset, target_values=np.random.default_rng().permutation(dataset.target_values))


DRIFTING = Corpus(Card("t", "none", "none", "", ()), "classification", load_corpus("synthetic_eeg").Options, drifting)


def test_a_dataset_that_differs_from_load_to_load_is_found() -> None:
    with pytest.raises(ContractError, match="two loads differ"):
        check_dataset(f"{__name__}:DRIFTING")


def copying(options, setting):
    found = ENSEMBLE_TEACHER.fit(options, setting)

    def answers(dataset, examples):
        labels = torch.eye(2)[torch.as_tensor(dataset.targets[examples])]
        known = torch.as_tensor(np.isin(examples, setting.fold.train))[:, None]
        return {"outputs": torch.where(known, found(dataset, examples)["outputs"], labels)}

    return answers


ENSEMBLE_TEACHER = TEACHERS.load("ensemble")
COPYING = Teacher(ENSEMBLE_TEACHER.Options, title=lambda options: "copies", fit=copying)


def test_a_teacher_that_reads_test_labels_is_found() -> None:
    with pytest.raises(ContractError, match="labels of the test part"):
        check_teacher(f"{__name__}:COPYING", ENSEMBLE)


def with_prior(options, setting):
    found = ENSEMBLE_TEACHER.fit(options, setting)
    prior = float(np.mean(setting.dataset.target_values[setting.fold.test]))
    return lambda dataset, examples: {"outputs": found(dataset, examples)["outputs"] + prior}


def self_training(options, setting):
    """Return an ensemble fitted on labels that are withheld too."""
    fold = dataclasses.replace(setting.fold, train=setting.fold.all_training, unlabelled=setting.fold.train[:0])
    return ENSEMBLE_TEACHER.fit(options, dataclasses.replace(setting, fold=fold))


def too_wide(options, setting):
    found = ENSEMBLE_TEACHER.fit(options, setting)
    return lambda dataset, examples: {"outputs": found(dataset, examples)["outputs"].repeat(1, 2)}


WITH_PRIOR = dataclasses.replace(COPYING, fit=with_prior)
WITHHELD = dataclasses.replace(COPYING, fit=self_training)
TOO_WIDE = dataclasses.replace(COPYING, fit=too_wide)


def test_a_teacher_that_reads_withheld_labels_is_found() -> None:
    with pytest.raises(ContractError, match="withheld ones, change its targets"):
        check_teacher(f"{__name__}:WITHHELD", ENSEMBLE)


def test_a_teacher_that_reads_how_often_test_classes_occur_is_found() -> None:
    with pytest.raises(ContractError, match="labels of the test part"):
        check_teacher(f"{__name__}:WITH_PRIOR", ENSEMBLE)


def test_a_teacher_whose_training_targets_do_not_fit_the_student_is_found() -> None:
    with pytest.raises(ContractError, match="in the train part, expected"):
        check_teacher(f"{__name__}:TOO_WIDE", ENSEMBLE)


def test_a_method_with_many_first_epochs_can_be_checked() -> None:
    check_method("fitnet", {**LAYERS["classification"], "first_epochs": 3}, ("classification",))


class Overwrite(nn.Module):
    """A code that changes what it is given."""

    def forward(self, counts):
        return counts.clamp_(max=1)


OVERWRITING = Encoder("clips in place", lambda quantise_input: Overwrite())


def test_an_encoder_that_changes_its_input_is_found() -> None:
    with pytest.raises(ContractError, match="changes the counts"):
        check_encoder(f"{__name__}:OVERWRITING")


def nowhere(options, data_dir):
    dataset = load("synthetic_spikes", data_dir=None, options={"units": 6, "steps": 1000})
    values = dataset.target_values.copy()
    values[0, 0] = np.nan
    return dataclasses.replace(dataset, target_values=values)


def undecided(options, data_dir):
    dataset = load("synthetic_eeg", data_dir=None, options={"channels": 4, "trials": 12})
    return dataclasses.replace(dataset, target_values=dataset.target_values + 0.5)


def twice_named(options, data_dir):
    dataset = load("synthetic_eeg", data_dir=None, options={"channels": 4, "trials": 12})
    return dataclasses.replace(dataset, output_names=("hand", "hand"))


NOWHERE = dataclasses.replace(load_corpus("synthetic_spikes"), load=nowhere)
UNDECIDED = dataclasses.replace(DRIFTING, load=undecided)
TWICE_NAMED = dataclasses.replace(DRIFTING, load=twice_named)
OTHER_TASK = dataclasses.replace(load_corpus("synthetic_eeg"), task="regression")
FAULTY_DATASETS = {
    "NOWHERE": "targets that exist are not all finite",
    "UNDECIDED": "targets are not int64 numbers",
    "TWICE_NAMED": "two of output_names are the same",
    "OTHER_TASK": "listed for regression",
}


@pytest.mark.parametrize(("name", "said"), FAULTY_DATASETS.items())
def test_faults_of_a_dataset_are_found(name: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        check_dataset(f"{__name__}:{name}")
