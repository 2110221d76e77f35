"""What a family of students declares of itself: tasks, forms, whether it spikes, options, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator
from torch import nn

from students.layers import Layers
from students.spec import Converted, Float32, Quantised, Shape, Task, of_size

Mode = Literal["window", "stream"]
FormClass = type[Float32] | type[Quantised] | type[Converted]

WINDOWS: Mapping[Task, Mode] = {"classification": "window"}
"""Tasks of a family that classifies whole windows only."""

WINDOWS_AND_STEPS: Mapping[Task, Mode] = {"classification": "window", "regression": "stream"}
"""Tasks of a family that classifies windows, or gives one causal estimate per step with state kept between steps."""


class FamilyOptions(BaseModel):
    """Base of every family's options: frozen; unknown names, infinite numbers and sizes no network has are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _sized(self) -> Self:
        return of_size(self)

    @property
    def files(self) -> tuple[str, ...]:
        """Files whose content decides what is built, besides the options; a study hashes them."""
        return ()


OptionsT = TypeVar("OptionsT", bound=FamilyOptions)


@dataclass(frozen=True, slots=True)
class Family(Generic[OptionsT]):
    """One architecture, as an entry point of the group ``students.families`` names it.

    Parameters
    ----------
    title : str
        Its name in texts.
    tasks : mapping of task to mode
        What it decodes, and how each task is deployed: ``window`` takes a whole window for one decode, ``stream`` one
        new step.
    forms : tuple of form classes
        Forms it has layers for, such as ``(Float32, Quantised)``.
    spiking : bool
        Whether it computes with spikes.
    Options : type of FamilyOptions
        Its options with their defaults.
    build : callable
        ``build(options, shape, layers)`` returns an untrained network made of `layers`, for a task of `tasks`.
    """

    title: str
    tasks: Mapping[Task, Mode]
    forms: tuple[FormClass, ...]
    spiking: bool
    Options: type[OptionsT]
    build: Callable[[OptionsT, Shape, Layers], nn.Module]
