"""Tensor files: the same bytes for the same content, and any flipped bit refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from energy_models.errors import StudentError
from students.models.tensor_files import read_tensors, write_tensors

TENSORS = {"b": torch.arange(6, dtype=torch.float64), "a/ü": torch.ones(2, 3), "n": torch.tensor(3, dtype=torch.int32)}
METADATA = {f"key {number}": f"wert {number} ü" for number in range(9)}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """safetensors itself writes nine metadata in another order each time: ten equal files are no accident."""
    order = random.Random(0)  # noqa: S311
    contents = set[bytes]()
    for number in range(10):
        path = tmp_path / str(number)
        write_tensors(path, TENSORS, dict(order.sample(sorted(METADATA.items()), len(METADATA))))
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", TENSORS, METADATA)
    tensors, metadata = read_tensors(tmp_path / "x")
    assert METADATA.items() <= metadata.items()
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_tensors(path, TENSORS, METADATA)
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            tensors, metadata = read_tensors(path)
        except StudentError:
            continue
        # What survives is the key of the hash itself, or the spaces after the header: the content is as it was.
        assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
        assert METADATA.items() <= metadata.items()


@pytest.mark.parametrize("length", [0, 7, 8, 60, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x"
    write_tensors(path, TENSORS, METADATA)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StudentError, match="cannot read tensors"):
        read_tensors(path)
