"""Which student an export is of, kept beside it, so that no other student's is written over it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cosim.api.student import Student
from energy_models.errors import StudentError
from energy_models.quantities import write_failure, write_whole


def owner_file(name: str) -> str:
    """Return the file that says whose export of a name it is."""
    return f"{name}_student.json"


def check_owner(student: Student, folder: Path, name: str) -> None:
    """Refuse a folder with an export of this name by another student, or by one that is not known.

    Raises
    ------
    StudentError
    """
    path = folder / owner_file(name)
    there = any((folder / f"{name}{end}").exists() for end in (".c", ".onnx", ".nir", "_student.json"))
    if there and (not path.is_file() or path.read_bytes() != _text(student)):
        raise StudentError(
            f"it holds {name!r} of another student already", where=str(folder),
            remedy="Choose another folder or name (--out, --name), or remove what is there",
        )


def write_owner(student: Student, folder: Path, name: str) -> str:
    """Write whose export it is and return the file's name.

    Raises
    ------
    StudentError
        A folder that cannot be written.
    """
    path = folder / owner_file(name)
    try:
        write_whole(path, _text(student))
    except OSError as error:
        raise StudentError(
            f"cannot write ({write_failure(error)})", where=str(path), remedy="Free some space or choose another folder"
        ) from error
    return path.name


def _text(student: Student) -> bytes:
    """Return the student's label and the content hash of its description and weights, as JSON."""
    content = hashlib.blake2b(student.spec.digest.encode(), digest_size=16)
    for key, value in sorted(student.model.state_dict().items()):
        content.update(key.encode())
        content.update(value.detach().cpu().contiguous().numpy().tobytes())
    return json.dumps({"student": student.spec.label, "digest": content.hexdigest()}, indent=1).encode()
