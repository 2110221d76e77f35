"""A teacher whose targets were computed elsewhere: one safetensors file, one row per example of the dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.datasets.types import Dataset
from cosim.teachers.teacher import Answers, Teacher, TeacherOptions, TeacherSetting
from energy_models.errors import StudentError
from students.models.tensor_files import content_of, read_tensors
from students.models.weights import check_finite, check_real
from students.training import OUTPUTS

DIGEST = "dataset_digest"


class Options(TeacherOptions):
    """Where the targets are.

    Parameters
    ----------
    path : str
        A safetensors file. ``outputs`` holds logits, shape (examples, classes), or trajectories, shape (examples,
        steps, outputs); any other tensor is a target of its own name. Rows are in the order of the dataset's examples.
        Its metadata name the dataset they belong to: ``dataset_digest``, as ``Dataset.digest`` gives it.
    """

    path: str


def fit(options: Options, setting: TeacherSetting) -> Answers:
    """Return the rows of the file; it has no answer for inputs that it was not made from.

    The file must have been made without the fold's test labels; nothing in it can tell.

    Raises
    ------
    StudentError
        An unreadable file, no ``outputs``, rows for another number of examples, targets of another dataset, or numbers
        that are not finite; from what is returned, a dataset that is not the file's.
    """
    path, digest = Path(options.path), setting.dataset.digest
    tensors, metadata = read_tensors(path)
    examples = len(setting.dataset.windows)
    wrong = {name: len(tensor) for name, tensor in tensors.items() if tensor.ndim == 0 or len(tensor) != examples}
    if OUTPUTS not in tensors or wrong:
        found = ", ".join(f"{name} with {count} rows" for name, count in wrong.items()) or f"no {OUTPUTS!r}"
        raise StudentError(f"it holds {found}, the dataset {examples} examples", where=str(path),
                           remedy=f"Store {OUTPUTS!r} and other targets with one row per example")  # fmt: skip
    if metadata.get(DIGEST) != digest:
        raise StudentError(
            f"it belongs to the dataset {metadata.get(DIGEST, '(not said)')}, this is {digest}",
            where=str(path), remedy=f"Write the digest of the dataset it was made from into its metadata as {DIGEST}",
        )
    check_real(tensors, path)
    check_finite(tensors, path)

    def answers(dataset: Dataset, indices: NDArray[np.int64]) -> dict[str, Tensor]:
        if dataset is not setting.dataset and dataset.digest != digest:
            raise StudentError(
                "targets of a file were asked for on inputs that it was not made from", where=str(path),
                remedy="Take a teacher that is fitted here, or a method that does not change the inputs",
            )
        chosen = torch.as_tensor(indices)
        return {name: tensor[chosen] for name, tensor in tensors.items()}

    return answers


def content(options: Options) -> str:
    """Return the hash of the file.

    Raises
    ------
    StudentError
        If it cannot be read.
    """
    return content_of(Path(options.path))


TEACHER = Teacher(
    Options, title=lambda options: Path(options.path).name, fit=fit, content=content, origin=lambda options: "stored"
)
