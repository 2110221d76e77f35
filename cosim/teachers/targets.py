"""What a teacher gives: named tensors with one row per example, kept in one file and mapped from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from energy_models.errors import StudentError
from students.models.tensor_files import read_tensors, write_tensors
from students.training import OUTPUTS

SCHEMA = "cosim.teacher/2"
Part = Literal["train", "validation", "test", "unlabelled"]
PARTS: tuple[Part, ...] = ("train", "validation", "test", "unlabelled")
Named = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class TeacherTargets:
    """A teacher's targets by name, in the order of each part's examples.

    Students learn from `train` and `unlabelled`; `validation` is for the gate and `test` for the teacher's own score.
    In each part ``outputs`` are logits, shape (examples, classes), or trajectories, shape (examples, steps, outputs);
    other names are a teacher's own, such as features, shape (examples, ...).

    Parameters
    ----------
    train, validation, test : mapping of str to Tensor
    unlabelled : mapping of str to Tensor
        Of the fold's unlabelled training examples; empty where it has none.

    Raises
    ------
    StudentError
        If a part has no ``outputs``, or a name that the training part has not.
    """

    train: Named
    validation: Named
    test: Named
    unlabelled: Named = field(default_factory=dict[str, Tensor])

    def __post_init__(self) -> None:
        for part in PARTS if self.unlabelled else PARTS[:-1]:
            names = set(self.part(part))
            if OUTPUTS not in names or not names <= set(self.train):
                raise StudentError(
                    f"the {part} part has targets {', '.join(sorted(names)) or 'none'}", where="teacher",
                    remedy=f"Give {OUTPUTS!r} for every part, and other names for the training part at least",
                )

    def part(self, name: Part) -> Named:
        """Return the targets of one part."""
        return {
            "train": self.train, "validation": self.validation, "test": self.test, "unlabelled": self.unlabelled,
        }[name]  # fmt: skip


def write_targets(path: Path, targets: TeacherTargets) -> None:
    """Write a teacher's targets to one safetensors file, whole or not at all."""
    tensors = {f"{part}/{name}": tensor for part in PARTS for name, tensor in targets.part(part).items()}
    write_tensors(path, tensors, {"schema": SCHEMA})


def read_targets(path: Path) -> TeacherTargets:
    """Return the targets of a teacher; their rows are read from the file when they are used.

    Raises
    ------
    StudentError
        An unreadable file, or one that holds something else.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("schema") != SCHEMA:
        raise StudentError("no file of teacher targets", where=str(path), remedy="Delete it and fit the teacher again")
    found: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        found[part][name] = tensor
    return TeacherTargets(**found)
