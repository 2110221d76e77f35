"""An ensemble of float networks: the mean of their outputs teaches.

A larger network is not a better one: whether it teaches is decided by the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from cosim.datasets.types import Dataset
from cosim.teachers.examples import examples
from cosim.teachers.teacher import Answers, Teacher, TeacherOptions, TeacherSetting
from energy_models.errors import CosimError
from students.families import load_family, parse_options
from students.families.registry import FAMILIES
from students.models.build import build
from students.spec import Float32, Scalar, StudentSpec
from students.training import OUTPUTS, Examples, fit, predict

FIRST_SEED = 1000  # so that no teacher is a copy of the student it is to be compared with


class Member(BaseModel):
    """One architecture of the ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    options: dict[str, Scalar] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            parse_options(self.family, load_family(self.family), self.options)
        except CosimError as error:
            raise ValueError(str(error)) from error
        return self


class Options(TeacherOptions):
    """Which networks, and how many of each.

    Parameters
    ----------
    members : tuple of Member
        Architectures.
    seeds : int
        Every member is trained once for each of so many seeds.
    """

    members: tuple[Member, ...] = Field(min_length=1)
    seeds: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if any(member in self.members[:place] for place, member in enumerate(self.members)):
            raise ValueError("two members are the same down to the seed")
        return self


class TeacherSpec(BaseModel):
    """An ensemble: the mean of its members' logits or trajectories.

    Parameters
    ----------
    members : tuple of StudentSpec
        Float networks of one input and output shape; the same architecture may appear with several seeds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: tuple[StudentSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if any(member.shape != self.members[0].shape for member in self.members):
            raise ValueError("members differ in their input or output shape")
        if any(not isinstance(member.form, Float32) for member in self.members):
            raise ValueError("a member is quantised; teachers are float")
        if any(member.method is not None for member in self.members):
            raise ValueError("a member is distilled itself; teachers learn from labels")
        if len({member.digest for member in self.members}) < len(self.members):
            raise ValueError("two members are the same down to the seed")
        return self


def fit_members(
    spec: TeacherSpec,
    train: Examples,
    validation: Examples,
    *,
    checkpoints: Path | None = None,
    device: str = "cpu",
    report: Callable[[int, int, float], None] | None = None,
) -> tuple[nn.Module, ...]:
    """Return every member, fitted.

    Parameters
    ----------
    spec : TeacherSpec
    train, validation : Examples
    checkpoints : Path or None
        Folder for one checkpoint per member, so that an interrupted fit goes on where it was.
    device : str
        Where they are trained.
    report : callable or None
        Called with member, epoch (both from 0) and validation loss.

    Raises
    ------
    StudentError
        As `students.training.fit`.
    """
    models: list[nn.Module] = []
    for index, member in enumerate(spec.members):
        model = build(member)
        path = None if checkpoints is None else checkpoints / f"{member.digest}.safetensors"
        progress = None if report is None else _for_member(report, index)
        fit(model, train, validation, member, checkpoint=path, device=device, report=progress)
        models.append(model)
    return tuple(models)


def mean_outputs(models: Sequence[nn.Module], inputs: Tensor, device: str = "cpu") -> Tensor:
    """Return the mean of the members' outputs.

    Parameters
    ----------
    models : sequence of nn.Module
    inputs : Tensor, shape (examples, channels, steps)
    device : str
        Where they are computed.
    """
    return torch.stack([predict(model, inputs, device=device) for model in models]).mean(dim=0)


def fitted(options: Options, setting: TeacherSetting) -> Answers:
    """Return the mean outputs of an ensemble fitted on the standardised training part.

    Raises
    ------
    StudentError
        As `students.training.fit`.
    """
    members = tuple(
        StudentSpec(family=member.family, options=dict(member.options), shape=setting.shape, training=setting.training,
                    seed=FIRST_SEED + seed)
        for member in options.members
        for seed in range(options.seeds)
    )  # fmt: skip
    train, validation = (examples(setting.standardised, rows) for rows in setting.network_parts)
    models = fit_members(
        TeacherSpec(members=members), train, validation, checkpoints=setting.checkpoints, device=setting.device
    )

    def answers(dataset: Dataset, indices: NDArray[np.int64]) -> dict[str, Tensor]:
        return {OUTPUTS: mean_outputs(models, setting.network_inputs(dataset, indices), setting.device)}

    return answers


def title(options: Options) -> str:
    """Return the architectures, joined."""
    return "+".join(dict.fromkeys(member.family for member in options.members))


def plugins(options: Options) -> Iterable[str]:
    """Return the modules of the members' families."""
    return [FAMILIES.module(member.family) for member in options.members]


def _for_member(report: Callable[[int, int, float], None], member: int) -> Callable[[int, float], None]:
    return lambda epoch, loss: report(member, epoch, loss)


TEACHER = Teacher(Options, title=title, fit=fitted, plugins=plugins, origin=lambda options: "trained")
