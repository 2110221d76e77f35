"""Everything that ships keeps the contracts that third parties are held to, and the contracts can fail."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from cosim.baselines.registry import baseline_names, load_baseline
from cosim.baselines.types import Baseline
from cosim.testing import ContractError, check_baseline, check_family, check_profile, check_site
from energy_models.hardware import profile_names, site_names
from students.families import Family, family_names, load_family
from students.families.family import FamilyOptions


@pytest.mark.parametrize("name", family_names())
def test_families(name: str) -> None:
    check_family(name)


SMALL = {"bandpower_svm": {"segment_steps": 64}, "cca": {"frequencies_hz": "10,12"},
         "cca_logistic": {"frequencies_hz": "10,12"}}  # fmt: skip
"""Options that suit the generated corpora, which flicker at no frequency and have short windows."""


@pytest.mark.parametrize("name", baseline_names())
def test_baselines(name: str) -> None:
    check_baseline(name, SMALL.get(name))


@pytest.mark.parametrize("name", profile_names())
def test_profiles(name: str) -> None:
    check_profile(name)


@pytest.mark.parametrize("name", site_names())
def test_sites(name: str) -> None:
    check_site(name)


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
        load_family("mlp"), tasks={"classification": "window"}, forms=load_family("conformer").forms,
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
    load_family("mlp"), forms=load_family("conformer").forms, Options=FamilyOptions, tasks={"regression": "stream"},
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


@pytest.mark.parametrize(("name", "said"), zip(("CHANCE", "BATCH", "UNCOUNTED", "SHAPE"), FAULTS.values(), strict=True))
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
