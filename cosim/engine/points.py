"""Decoders of a study, and their points: one seed, one fold, and the stage that holds the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cosim.engine.files import Json, content_digest
from cosim.engine.stage import Stage

Role = Literal["student", "baseline", "teacher"]
ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class FoldStage:
    """A fold's name and the stage that holds its indices."""

    name: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Decoder:
    """What is scored and priced, over all its folds and seeds.

    Parameters
    ----------
    role : {'student', 'baseline', 'teacher'}
    entry : str
        Name of the study's entry: a student's label, a baseline's label or name.
    student : str
        For people: the entry with the options that are searched over; what all forms of one student share.
    label : str
        For people: the whole name. Empty where the result brings its own.
    family : str
        Architecture, name of the baseline, or the teacher's architectures.
    options : mapping
        Its own options as the study gives them.
    form : str
        The text of the form; empty for a baseline.
    spiking : bool
    method : str
        Name of the distillation method; empty where it learns from labels alone.
    settings : mapping
        What else tells it from other decoders of one study, such as its training.
    """

    role: Role
    entry: str
    student: str
    label: str
    family: str
    options: Mapping[str, Json]
    form: str
    spiking: bool
    method: str
    settings: Mapping[str, Json]

    @property
    def id(self) -> str:
        """Hash of everything but the label; two entries of a study are two decoders."""
        return content_digest([
            self.role, self.entry, self.family, self.options, self.form, self.spiking, self.method, self.settings,
        ])[:ID_DIGITS]  # fmt: skip

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.label or self.student


@dataclass(frozen=True, slots=True)
class Point:
    """One decoder with one seed on one fold; `result` is the last stage: score, predictions and workload."""

    decoder: Decoder
    seed: int
    fold: str
    result: Stage
