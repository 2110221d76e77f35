"""Everything from which a student can be rebuilt exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import Field

from students.spec.form import Float32, WrittenForm
from students.spec.frozen import Frozen, Scalar
from students.spec.method import MethodSpec
from students.spec.shape import Shape
from students.spec.training import Training


class StudentSpec(Frozen):
    """Everything that decides a student's function and how it was learned.

    Parameters
    ----------
    family : str
        Name of an entry point in the group ``students.families``.
    options : dict
        Validated, and completed with the family's own defaults, by the family's ``Options`` model on building.
    shape : Shape
    form : Form
        Written as its text, such as ``w4a4``.
    method : MethodSpec or None
        How it learns from a teacher; None: from labels alone.
    training : Training
    seed : int
    """

    family: str
    options: dict[str, Scalar] = Field(default_factory=dict)
    shape: Shape
    form: WrittenForm = Float32()
    method: MethodSpec | None = None
    training: Training = Training()
    seed: int = Field(ge=0)

    @property
    def label(self) -> str:
        """Family and form, as a figure's legend wants it."""
        return f"{self.family} {self.form}"

    @property
    def digest(self) -> str:
        """Content hash of the JSON; the order in which options were given does not count."""
        return digest_of(self.model_dump(mode="json"))


def digest_of(written: Mapping[str, object]) -> str:
    """Return the content hash of a spec in JSON form."""
    text = json.dumps(written, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
