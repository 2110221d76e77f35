"""A network of braindecode teaches: a published architecture, from local weights or from the start, layers by name.

It sees the recordings in a view of its own: some channels under the names of its montage, at its own rate.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import signal as _signal  # pyright: ignore[reportMissingTypeStubs]
from torch import Tensor, nn

from cosim.datasets.types import Dataset
from cosim.teachers.braindecode_library import model_class
from cosim.teachers.teacher import Answers, Origin, Teacher, TeacherOptions, TeacherSetting
from energy_models.errors import CosimError, StudentError
from students.models.tensor_files import content_of
from students.models.weights import load_weights
from students.spec import Scalar, Shape, StudentSpec
from students.training import Examples, fit
from students.training.predict import predict_tensors

signal: Any = _signal  # scipy has no type stubs
random: Any = torch.random  # torch types it loosely
WHERE, HEAD = "teacher 'braindecode'", "final_layer."
LARGEST_DENOMINATOR = 1000  # of the ratio of two rates


class Options(TeacherOptions):
    """Which network, in which view, from which weights, and which of its layers are targets.

    Parameters
    ----------
    model : str
        A network class of ``braindecode.models``, such as ``InterpolatedLaBraM``, ``BIOT``, ``CBraMod`` or ``EEGNet``.
    options : dict
        The class's own, beside its shape and channels.
    channels : dict
        The dataset's channels that it sees, in this order, each with its name in the network's montage; empty: all.
    montage : str
        A standard montage of mne that gives the positions of these names, such as ``colin27_1005`` (``standard_1005``
        before mne 1.13); empty: the network is told how many channels there are, and no positions.
    rate_hz : float or None
        Rate that the windows are resampled to, each by itself; None: the dataset's.
    weights : str or None
        A local safetensors file. Tensors of the classifier, ``final_layer``, may be missing or of another shape where
        the network is trained on.
    tune : {'all', 'none'}
        Whether it is trained on the fold, or taken with its weights as it is.
    layers : tuple of str
        Modules, as `torch.nn.Module.named_modules` names them, whose outputs are targets of these names.
    seed : int
        Of the weights it begins with, and of its training.
    """

    model: str = Field(min_length=1)
    options: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])
    channels: dict[str, str] = Field(default_factory=dict[str, str])
    montage: str = ""
    rate_hz: float | None = Field(default=None, gt=0)
    weights: str | None = Field(default=None, min_length=1)
    tune: Literal["all", "none"] = "all"
    layers: tuple[str, ...] = ()
    seed: int = Field(default=1000, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.tune == "none" and self.weights is None:
            raise ValueError("tune = 'none' without weights: a network that has learned nothing does not teach")
        try:
            model_class(self.model)
        except CosimError as error:
            raise ValueError(str(error)) from error
        return self


def fitted(options: Options, setting: TeacherSetting) -> Answers:
    """Return a network's outputs and layers, trained on the standardised training part or read from a file.

    Raises
    ------
    StudentError
        A regression; a channel, montage or option that does not exist; weights that do not fit; as
        `students.training.fit`; from what is returned, a layer that the network lacks.
    """
    dataset = setting.dataset
    if dataset.task != "classification":
        raise StudentError("its networks give one answer a window, and this is a regression", where=WHERE,
                           remedy="Take a teacher of the kind 'network'")  # fmt: skip
    view = View(options, dataset)
    model = _built(options, view, len(dataset.output_names))
    if options.weights is not None:
        load_weights(model, Path(options.weights), new=HEAD if options.tune == "all" else "")

    def inputs(other: Dataset, rows: NDArray[np.int64]) -> Tensor:
        return view.apply(setting.network_inputs(other, rows).numpy())

    if options.tune == "all":
        shape = Shape(task="classification", channels=len(view.places), steps=view.steps,
                      outputs=len(dataset.output_names), step_rate_hz=view.rate_hz)  # fmt: skip
        spec = StudentSpec(family=f"braindecode {options.model}", options=dict(options.options), shape=shape,
                           training=setting.training, seed=options.seed)  # fmt: skip
        train, validation = (Examples(inputs(dataset, rows), torch.as_tensor(dataset.targets[rows]))
                             for rows in setting.network_parts)  # fmt: skip
        fit(model, train, validation, spec, checkpoint=setting.checkpoints / f"{spec.digest}.safetensors",
            device=setting.device)  # fmt: skip

    def answers(other: Dataset, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        return predict_tensors(model, inputs(other, rows), options.layers, device=setting.device)

    return answers


class View:
    """Which channels of which dataset a network sees, under which names, at which rate."""

    def __init__(self, options: Options, dataset: Dataset) -> None:
        own = [channel.name for channel in dataset.windows.channels]
        if unknown := sorted(set(options.channels) - set(own)):
            raise StudentError(f"{dataset.name!r} has no channel {', '.join(unknown)}", where=f"{WHERE}: channels",
                               remedy=f"It has: {', '.join(own)}")  # fmt: skip
        names = options.channels or dict(zip(own, own, strict=True))
        self.places, self.names = [own.index(name) for name in names], list(names.values())
        self.rate_hz = options.rate_hz or dataset.step_rate_hz
        ratio = Fraction(self.rate_hz / dataset.step_rate_hz).limit_denominator(LARGEST_DENOMINATOR)
        self.up, self.down = ratio.numerator, ratio.denominator
        if not self.up:
            raise StudentError(f"{self.rate_hz:g} Hz of {dataset.step_rate_hz:g} Hz", where=f"{WHERE}: rate_hz",
                               remedy="Give a rate nearer to the dataset's")  # fmt: skip
        self.steps = -(-dataset.windows.steps * self.up // self.down)

    def apply(self, inputs: NDArray[np.float32]) -> Tensor:
        """Return what the network sees of inputs, shape (examples, channels, steps)."""
        chosen = inputs[:, self.places]
        if (self.up, self.down) != (1, 1) and len(chosen):
            chosen = signal.resample_poly(chosen, self.up, self.down, axis=2, padtype="line")
        elif not len(chosen):
            chosen = np.zeros((0, len(self.places), self.steps))
        return torch.as_tensor(np.ascontiguousarray(chosen, dtype=np.float32))


def _built(options: Options, view: View, outputs: int) -> nn.Module:
    """Return the network with weights that the seed decides."""
    shape: dict[str, Any] = {"n_outputs": outputs, "n_times": view.steps, "sfreq": view.rate_hz}
    shape |= {"chs_info": _positions(view.names, options.montage)} if options.montage else {"n_chans": len(view.names)}
    with random.fork_rng(devices=[]), _quiet():
        random.manual_seed(options.seed)
        try:
            model = model_class(options.model)(**shape, **options.options)
            with torch.inference_mode():
                given: object = model.eval()(torch.zeros(2, len(view.names), view.steps))
        except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError, IndexError) as error:
            told = f"{options.model} cannot be built or run on {len(view.names)} channels, {view.steps} steps ({error})"
            raise StudentError(told, where=WHERE, remedy="Give it options, channels, a montage and a rate that it "
                               "takes; networks named Interpolated... take any montage") from error  # fmt: skip
    if not isinstance(given, Tensor) or tuple(given.shape) != (2, outputs):
        found = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
        raise StudentError(f"{options.model} gives {found} for two examples of {outputs} classes", where=WHERE,
                           remedy="Take a network that classifies windows")  # fmt: skip
    return model


def _positions(names: list[str], montage: str) -> list[dict[str, Any]]:
    """Return the channels as mne describes them, with their positions [m]."""
    channels: Any = importlib.import_module("mne.channels")  # mne takes a second to import
    try:
        places = channels.make_standard_montage(montage).get_positions()["ch_pos"]
    except ValueError as error:
        raise StudentError(f"mne has no montage {montage!r}", where=f"{WHERE}: montage",
                           remedy="Take one of mne.channels.get_builtin_montages()") from error  # fmt: skip
    if absent := [name for name in names if name not in places]:
        raise StudentError(f"montage {montage!r} has no {', '.join(absent)}", where=f"{WHERE}: channels",
                           remedy="Write channels = { own_name = \"name in the montage\" }")  # fmt: skip
    return [{"ch_name": name, "kind": "eeg", "loc": np.concatenate([places[name], np.zeros(9)])} for name in names]


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Keep mne's remarks about montages off the screen."""
    mne: Any = importlib.import_module("mne.utils")
    with mne.use_log_level("error"):
        yield


def title(options: Options) -> str:
    """Return the architecture."""
    return f"{options.model} (braindecode)"


def content(options: Options) -> str:
    """Return the hash of the weights' file; empty where there is none.

    Raises
    ------
    StudentError
        If it cannot be read.
    """
    return "" if options.weights is None else content_of(Path(options.weights))


def origin(options: Options) -> Origin:
    """Return that it is trained, or that its weights are taken as they are."""
    return "trained" if options.tune == "all" else "loaded"


TEACHER = Teacher(Options, title=title, fit=fitted, content=content, origin=origin)
