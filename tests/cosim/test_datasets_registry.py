"""Datasets by name: lazy, near names, one error for all wrong options, where recordings are looked for."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import energy_models.registry
from cosim.datasets.registry import GROUP, dataset_names, describe, download, load, load_corpus
from energy_models.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
ON_DISK = {"eegmmidb": "S001R03.edf", "ssvep_exoskeleton": "subject01", "m1_contdata95": "contdata95.mat",
           "m1_brown42": "midterm_train.mat", "bonn_eeg": "bonn_500x4097_int16.npz", "bci2_sp1s": "sp1s_aa.mat",
           "bci_hennig": "20131218.mat"}


def test_names_are_those_of_the_project_file() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["cosim.datasets"]
    assert dataset_names() == tuple(sorted(points))


@pytest.mark.parametrize("name", dataset_names())
def test_every_dataset_declares_what_it_is(name: str) -> None:
    one = describe(name)
    assert one.name == name
    assert one.task in {"classification", "regression", "either"}
    assert one.card.title
    assert one.card.licence
    assert one.card.citation
    assert one.card.caveats
    model = load_corpus(name).Options
    assert model.model_config.get("frozen")
    assert model.model_config.get("extra") == "forbid"
    assert set(one.options) == set(model.model_fields)


def test_near_names() -> None:
    with pytest.raises(DataError, match=r"unknown dataset 'egmmidb'.*Did you mean 'eegmmidb'"):
        load("egmmidb", data_dir=None, options={})


def test_all_wrong_options_in_one_error_with_near_names() -> None:
    with pytest.raises(DataError) as caught:
        load("synthetic_eeg", data_dir=None, options={"channel": 8, "trials": 3, "difficulty": "nightmare"})
    said = str(caught.value)
    assert "channel: unknown option. Did you mean 'channels'" in said
    assert "trials:" in said
    assert "difficulty:" in said


def test_two_packages_with_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("mine", module, GROUP) for module in ("one.module:A", "another.module:B")]
    monkeypatch.setattr(energy_models.registry, "entry_points", lambda group: points)
    with pytest.raises(DataError, match=r"another.module:B and one.module:A both claim the dataset 'mine'"):
        dataset_names()


def test_a_corpus_of_ones_own_is_named_by_its_module() -> None:
    own = describe("cosim.datasets.synthetic_eeg:DATASET")
    assert own.options == describe("synthetic_eeg").options
    with pytest.raises(DataError, match="the object is a Card, not a Corpus"):
        describe("cosim.datasets.synthetic_eeg:CARD")


def test_names_are_listed_without_reading_libraries() -> None:
    code = ("import sys; from cosim.datasets.registry import dataset_names; dataset_names()\n"
            "print([m for m in ('mne', 'torch', 'sklearn', 'scipy') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(ON_DISK))
def test_wrong_paths_name_what_was_expected(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSIM_DATA", raising=False)
    with pytest.raises(DataError, match=r"no data folder was named.*--data-dir or the environment variable COSIM_DATA"):
        load(name, data_dir=None, options={})
    with pytest.raises(DataError, match=r"nowhere does not exist"):
        load(name, data_dir=tmp_path / "nowhere", options={})
    with pytest.raises(DataError, match=f"{ON_DISK[name]}.* was not found"):
        load(name, data_dir=tmp_path, options={})
    monkeypatch.setenv("COSIM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"{tmp_path}.*was not found"):
        load(name, data_dir=None, options={})


def test_a_corpus_without_a_public_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no public source"):
        download("m1_brown42", tmp_path)
    assert describe("m1_brown42").download == "elsewhere"
    assert describe("eegmmidb").download == "here"
