"""What a teacher is: options, and how it is fitted or loaded on a fold; then it is a function of inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.teachers.targets import PARTS, Named, TeacherTargets
from students.spec import Shape, Training, of_size


class TeacherOptions(BaseModel):
    """Base of every teacher's options: frozen; unknown names and infinite numbers are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _sized(self) -> Self:
        return of_size(self)


@dataclass(frozen=True, slots=True)
class TeacherSetting:
    """What a teacher is given on one fold.

    Parameters
    ----------
    dataset : Dataset
        As its pipeline leaves it. A teacher with a preprocessing view of its own reads ``dataset.windows.recordings``.
    standardised : Dataset
        The same, each channel scaled by the mean and deviation of the training part, as students see it.
    fold : Fold
        A teacher may learn from the training part, choose on the validation part, and only decode the test part.
    shape : Shape
        What the students take and give.
    training : Training
        The study's settings for networks that teach.
    checkpoints : Path
        Folder for the state of an unfinished fit.
    device : str
        Where networks are trained and decoded.
    """

    dataset: Dataset
    standardised: Dataset
    fold: Fold
    shape: Shape
    training: Training
    checkpoints: Path
    device: str = "cpu"

    @property
    def network_parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The examples that a network is trained on, few labels repeated (`Fold.repeated_train`), and validated on."""
        return self.fold.repeated_train, self.fold.validation

    def network_inputs(self, dataset: Dataset, indices: NDArray[np.int64]) -> Tensor:
        """Return inputs scaled as `standardised` is, shape (examples, channels, steps).

        Parameters
        ----------
        dataset : Dataset
            As its pipeline leaves it.
        indices : ndarray of int64
        """
        scaled = dataclasses.replace(dataset.windows, scaler=self.standardised.windows.scaler)
        return torch.as_tensor(scaled.inputs(indices))


Answers = Callable[[Dataset, NDArray[np.int64]], Named]
"""A fitted teacher: from a dataset, as its pipeline leaves it, and the numbers of some examples to their named tensors.

One row per example, in their order. The dataset may be one that the teacher was not fitted on: it is asked about its
inputs alone. ``outputs`` are logits or trajectories, other names are its own.
"""

Origin = Literal["trained", "fitted", "loaded", "stored"]
"""Where a teacher's answers come from.

``trained``: a network trained on the fold, by the study's [training] settings for teachers; ``fitted``: fitted on the
fold by a procedure of its own; ``loaded``: a function that was fitted elsewhere; ``stored``: answers that were computed
elsewhere, of the dataset's own examples alone, so that it cannot be asked about other inputs.
"""

OptionsT = TypeVar("OptionsT", bound=TeacherOptions)


def _no_plugins(options: Any) -> Iterable[str]:
    return ()


def _no_content(options: Any) -> str:
    return ""


def _fitted(options: Any) -> Origin:
    return "fitted"


@dataclass(frozen=True, slots=True)
class Teacher(Generic[OptionsT]):
    """A teacher as a plug-in: the object an entry point of the group ``cosim.teachers`` names.

    Parameters
    ----------
    Options : type of TeacherOptions
    title : callable
        From options to what people read, such as the architectures of an ensemble.
    fit : callable
        From options and `TeacherSetting` to its `Answers`: fits it, or loads what was fitted elsewhere.
    plugins : callable
        From options to the modules of the plug-ins it uses, whose sources are part of what is kept; none by default.
    content : callable
        From options to a hash of what it reads from elsewhere, such as a file, so that other content is another
        teacher; empty by default.
    origin : callable
        From options to where its answers come from (`Origin`); ``fitted`` by default.
    """

    Options: type[OptionsT]
    title: Callable[[OptionsT], str]
    fit: Callable[[OptionsT, TeacherSetting], Answers]
    plugins: Callable[[OptionsT], Iterable[str]] = _no_plugins
    content: Callable[[OptionsT], str] = _no_content
    origin: Callable[[OptionsT], Origin] = _fitted


def targets_of(answers: Answers, dataset: Dataset, fold: Fold) -> TeacherTargets:
    """Return what a fitted teacher answers for the examples of each part; a part without examples has no targets."""
    indices = {part: np.asarray(getattr(fold, part), dtype=np.int64) for part in PARTS}
    given: dict[str, Named] = {part: answers(dataset, rows) for part, rows in indices.items() if len(rows)}
    return TeacherTargets(**given)
