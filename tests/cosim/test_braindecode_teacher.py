"""The adapter to braindecode, on a package of the same interface, and on braindecode itself where it is installed."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mne
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cosim.splits.few_labels import FewLabels, withhold
from cosim.teachers import braindecode_library
from cosim.teachers.braindecode_network import Options, View
from cosim.teachers.registry import parse_teacher
from cosim.teachers.teacher import TeacherSetting, targets_of
from cosim.testing import check_teacher
from cosim.testing.teachers import generated_fold
from energy_models.errors import StudentError, StudyError
from students.models.weights import load_weights
from students.spec import Shape, Training
from students.training import OUTPUTS

MONTAGE = next(name for name in mne.channels.get_builtin_montages() if name.endswith("_1005"))
BUILT: list[dict[str, Any]] = []


class Small(nn.Module):
    """A network with the interface of braindecode's: shape and channels by name, the classifier called final_layer."""

    def __init__(self, *, n_outputs: int, n_times: int, sfreq: float, n_chans: int | None = None,
                 chs_info: list[dict[str, Any]] | None = None, width: int = 3) -> None:  # fmt: skip
        super().__init__()
        BUILT.append({"n_times": n_times, "sfreq": sfreq, "n_chans": n_chans, "chs_info": chs_info})
        channels = n_chans or len(chs_info or [])
        if channels < 2:
            raise ValueError("two channels at least")
        self.encoder = nn.Conv1d(channels, width, 9, stride=4)
        self.final_layer = nn.Linear(width, n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.final_layer(self.encoder(inputs).square().mean(dim=2))


class Tokens(Small):
    def forward(self, inputs: Tensor) -> Tensor:
        return self.encoder(inputs)


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the small package in the place of braindecode, for tests that do not ask for the real one."""
    braindecode_library.models.cache_clear()
    if "real" not in request.fixturenames:
        whole: Any = types.ModuleType("braindecode")
        inside: Any = types.ModuleType("braindecode.models")
        whole.__spec__ = importlib.machinery.ModuleSpec("braindecode", None)
        whole.models, inside.Small, inside.Tokens, inside.NAMES = inside, Small, Tokens, ("Small",)
        monkeypatch.setitem(sys.modules, "braindecode", whole)
        monkeypatch.setitem(sys.modules, "braindecode.models", inside)
    BUILT.clear()
    yield
    braindecode_library.models.cache_clear()


@pytest.fixture
def real() -> None:
    """Ask for braindecode itself."""


def setting(folder: Path, epochs: int = 1, task: str = "classification") -> TeacherSetting:
    dataset, fold = generated_fold(task)
    if task == "classification":
        fold = withhold(dataset, fold, FewLabels(per_class=6), seed=0)
    shape = Shape(task=dataset.task, channels=len(dataset.windows.channels), steps=dataset.windows.steps, outputs=2,
                  step_rate_hz=dataset.step_rate_hz)  # fmt: skip
    return TeacherSetting(dataset, dataset, fold, shape, Training(epochs=epochs), folder / "kept")


def answers(given: TeacherSetting, **options: Any) -> Any:
    teacher, parsed = parse_teacher("braindecode", {"model": "Small", **options})
    return teacher.fit(parsed, given)


def test_it_keeps_the_promises_of_teachers():
    check_teacher("braindecode", {"model": "Small", "layers": ["encoder"], "rate_hz": 64.0})


def test_it_sees_its_own_channels_at_its_own_rate_under_its_montages_names(tmp_path: Path):
    given = setting(tmp_path)
    own = [channel.name for channel in given.dataset.windows.channels]
    channels = {own[2]: "Cz", own[0]: "C3"}
    found = targets_of(answers(given, channels=channels, montage=MONTAGE, rate_hz=100.0, layers=["encoder"]),
                       given.dataset, given.fold)  # fmt: skip
    (built,) = BUILT
    steps = round(given.dataset.windows.steps * 100 / given.dataset.step_rate_hz)
    assert (built["n_times"], built["sfreq"], built["n_chans"]) == (steps, 100.0, None)
    assert [one["ch_name"] for one in built["chs_info"]] == ["Cz", "C3"]
    assert all(abs(one["loc"][:3]).max() > 0.01 for one in built["chs_info"])
    rows = len(given.fold.unlabelled)
    assert tuple(found.unlabelled[OUTPUTS].shape) == (rows, 2)
    assert tuple(found.unlabelled["encoder"].shape) == (rows, 3, (steps - 9) // 4 + 1)


def test_a_slow_sine_survives_another_rate(tmp_path: Path):
    given = setting(tmp_path)
    other = {"model": "Small", "rate_hz": 64.0}
    parsed = Options.model_validate(other)
    view = View(parsed, given.dataset)
    rate, steps = given.dataset.step_rate_hz, given.dataset.windows.steps
    sine = torch.sin(2 * torch.pi * 3 * torch.arange(steps) / rate)[None, None].expand(1, 4, -1)
    seen = view.apply(sine.numpy())
    wanted = torch.sin(2 * torch.pi * 3 * torch.arange(seen.shape[2]) / 64)
    torch.testing.assert_close(seen[0, 0, 8:-8], wanted[8:-8], atol=0.02, rtol=0)


def test_weights_are_local_and_a_classifier_of_other_classes_is_new(tmp_path: Path):
    given = setting(tmp_path)
    source = Small(n_outputs=2, n_times=128, sfreq=128, n_chans=4)
    path = tmp_path / "own.safetensors"
    save_file(source.state_dict(), path)
    fixed = answers(given, weights=str(path), tune="none", layers=["encoder"])
    inputs = torch.as_tensor(given.dataset.windows.inputs(given.fold.test))
    torch.testing.assert_close(fixed(given.dataset, given.fold.test)[OUTPUTS], source(inputs))
    teacher, parsed = parse_teacher("braindecode", {"model": "Small", "weights": str(path), "tune": "none"})
    assert (teacher.origin(parsed), bool(teacher.content(parsed))) == ("loaded", True)
    wide = Small(n_outputs=5, n_times=128, sfreq=128, n_chans=4)
    save_file(wide.state_dict(), path)
    with pytest.raises(StudentError, match="do not fit"):
        answers(given, weights=str(path), tune="none")
    tuned = answers(given, weights=str(path))
    assert tuple(tuned(given.dataset, given.fold.test)[OUTPUTS].shape) == (len(given.fold.test), 2)
    narrow = Small(n_outputs=2, n_times=128, sfreq=128, n_chans=4)
    load_weights(narrow, path, new="final_layer.")
    assert torch.equal(narrow.encoder.weight, wide.encoder.weight)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "Smal"}, r"no network 'Smal'.*Small"),
        ({"model": "NAMES"}, "no network 'NAMES'"),
        ({"model": "Small", "tune": "none"}, "has learned nothing"),
        ({"model": "Small", "rate_hz": 0.0}, "rate_hz"),
    ],
)
def test_options_that_make_no_sense_are_told(options, says):
    with pytest.raises(StudyError, match=says):
        parse_teacher("braindecode", options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"channels": {"nowhere": "Cz"}}, "has no channel nowhere"),
        ({"montage": MONTAGE, "channels": {"FIRST": "Q7", "SECOND": "Cz"}}, "has no Q7"),
        ({"montage": "no_such"}, "no montage 'no_such'"),
        ({"options": {"depth": 3}}, "cannot be built or run"),
        ({"channels": {"FIRST": "Cz"}}, "two channels at least"),
        ({"model": "Tokens"}, "for two examples of 2 classes"),
        ({"weights": "own.pt"}, "safetensors files only"),
        ({"rate_hz": 1e-9}, "rate_hz"),
    ],
)
def test_what_does_not_fit_the_recordings_is_told(options, says, tmp_path: Path):
    given = setting(tmp_path)
    own = [channel.name for channel in given.dataset.windows.channels]
    names = {"FIRST": own[0], "SECOND": own[1]}
    if "channels" in options:
        options = {**options, "channels": {names.get(key, key): value for key, value in options["channels"].items()}}
    with pytest.raises(StudentError, match=says):
        answers(given, **options)


def test_a_regression_is_refused(tmp_path: Path):
    with pytest.raises(StudentError, match="this is a regression"):
        answers(setting(tmp_path, task="regression"))


def test_where_it_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "braindecode")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"not installed.*cosim\[braindecode\]"):
        parse_teacher("braindecode", {"model": "Small"})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", ["EEGNet", "BIOT", "InterpolatedBIOT"])
def test_a_network_of_braindecode_is_fitted_and_its_layers_are_read(model, tmp_path: Path, real):
    try:
        braindecode_library.models()
    except StudyError as error:
        pytest.skip(str(error))
    given = setting(tmp_path)
    own = [channel.name for channel in given.dataset.windows.channels]
    named = dict(zip(own, ("C3", "Cz", "C4", "Pz"), strict=True))
    found = targets_of(answers(given, model=model, channels=named, montage=MONTAGE, rate_hz=200.0,
                               layers=["final_layer"]), given.dataset, given.fold)  # fmt: skip
    assert tuple(found.test[OUTPUTS].shape) == (len(given.fold.test), 2)
    assert len(found.unlabelled["final_layer"]) == len(given.fold.unlabelled)
