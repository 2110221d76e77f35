"""One float network teaches, with the outputs of its layers by name: what methods that compare features ask for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from cosim.datasets.types import Dataset
from cosim.teachers.ensemble import FIRST_SEED
from cosim.teachers.examples import examples
from cosim.teachers.teacher import Answers, Origin, Teacher, TeacherOptions, TeacherSetting
from energy_models.errors import CosimError
from students.families import load_family, parse_options
from students.families.registry import FAMILIES
from students.models.build import build
from students.models.tensor_files import content_of
from students.models.weights import load_weights
from students.spec import Scalar, StudentSpec
from students.training import fit
from students.training.predict import predict_tensors


class Options(TeacherOptions):
    """Which network, and which of its layers are targets.

    Parameters
    ----------
    family : str
        A name of the families, or ``module:object``.
    options : dict
        The family's own.
    layers : tuple of str
        Modules, as `torch.nn.Module.named_modules` names them, whose outputs are targets of these names.
    weights : str or None
        A safetensors file of trained weights; then nothing is trained.
    seed : int
    """

    family: str
    options: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])
    layers: tuple[str, ...] = ()
    weights: str | None = Field(default=None, min_length=1)
    seed: int = Field(default=FIRST_SEED, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            parse_options(self.family, load_family(self.family), self.options)
        except CosimError as error:
            raise ValueError(str(error)) from error
        return self


def fitted(options: Options, setting: TeacherSetting) -> Answers:
    """Return a network's outputs and layers, trained on the standardised training part or read from a file.

    Raises
    ------
    StudentError
        As `students.training.fit`; weights that do not fit; from what is returned, a layer that the network lacks.
    """
    spec = StudentSpec(
        family=options.family, options=dict(options.options), shape=setting.shape, training=setting.training,
        seed=options.seed,
    )  # fmt: skip
    model = build(spec)
    if options.weights is not None:
        load_weights(model, Path(options.weights))
    else:
        train, validation = (examples(setting.standardised, rows) for rows in setting.network_parts)
        checkpoint = setting.checkpoints / f"{spec.digest}.safetensors"
        fit(model, train, validation, spec, checkpoint=checkpoint, device=setting.device)

    def answers(dataset: Dataset, indices: NDArray[np.int64]) -> dict[str, Tensor]:
        return predict_tensors(model, setting.network_inputs(dataset, indices), options.layers, device=setting.device)

    return answers


def title(options: Options) -> str:
    """Return the architecture."""
    return options.family


def plugins(options: Options) -> Iterable[str]:
    """Return the family's module."""
    return (FAMILIES.module(options.family),)


def content(options: Options) -> str:
    """Return the hash of the weights' file; empty where there is none.

    Raises
    ------
    StudentError
        If it cannot be read.
    """
    return "" if options.weights is None else content_of(Path(options.weights))


def origin(options: Options) -> Origin:
    """Return that it is trained, or that its weights come from a file."""
    return "trained" if options.weights is None else "loaded"


TEACHER = Teacher(Options, title=title, fit=fitted, plugins=plugins, content=content, origin=origin)
