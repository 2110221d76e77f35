"""Points of a study: one decoder, one seed, one fold, and the stage that holds its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cosim.engine.stage import Stage

Role = Literal["student", "baseline", "teacher"]


@dataclass(frozen=True, slots=True)
class FoldStage:
    """A fold's name and the stage that holds its indices."""

    name: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Point:
    """One decoder on one fold with one seed; `result` is the last stage, holding score and workload."""

    role: Role
    decoder: str
    family: str
    variant: str
    seed: int
    fold: str
    result: Stage
