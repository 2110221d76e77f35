"""Stages: atomic, never half-written, never computed twice."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.engine.files import canonical_json, content_digest, write_atomically
from cosim.engine.local_store import LocalStore
from cosim.engine.store import StageKey
from energy_models.errors import CosimError

KEY = StageKey("distilled", "abc")
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.dictionaries(st.text(), scalars))
def test_digest_does_not_depend_on_key_order(config: dict[str, object]) -> None:
    shuffled = dict(reversed(list(config.items())))
    assert content_digest(config) == content_digest(shuffled)


@given(scalars, scalars)
def test_digest_tells_values_apart(a: object, b: object) -> None:
    assert (content_digest({"x": a}) == content_digest({"x": b})) == (canonical_json(a) == canonical_json(b))


def test_nan_has_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        content_digest({"rate": float("nan")})


def test_stage_appears_whole(tmp_path: Path) -> None:
    with LocalStore(tmp_path).create(KEY) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a.txt").write_text("1")
        assert not LocalStore(tmp_path).has(KEY)
    final = LocalStore(tmp_path).folder(KEY)
    assert (final / "sub" / "a.txt").read_text() == "1"
    assert list((tmp_path / "stages" / ".partial").iterdir()) == []


def test_failed_stage_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), LocalStore(tmp_path).create(KEY) as folder:  # noqa: PT012
        (folder / "a.txt").write_text("1")
        raise RuntimeError
    assert not LocalStore(tmp_path).has(KEY)
    assert list((tmp_path / "stages" / ".partial").iterdir()) == []


def test_first_of_two_writers_stands(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with LocalStore(tmp_path).create(KEY) as folder:
            (folder / "a.txt").write_text(str(number))
            (folder / "b.txt").write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(32)))
    final = LocalStore(tmp_path).folder(KEY)
    assert (final / "a.txt").read_text() == (final / "b.txt").read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_one_clear_error(tmp_path: Path, number: int) -> None:
    with pytest.raises(CosimError, match="disk is full") as caught, LocalStore(tmp_path).create(KEY) as folder:  # noqa: PT012
        (folder / "a.txt").write_text("half")
        raise OSError(number, "simulated")
    assert "cosim resume" in str(caught.value)
    assert not LocalStore(tmp_path).has(KEY)
    assert not any((tmp_path / "stages" / ".partial").iterdir())


def test_full_disk_on_flush_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.json"
    write_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "simulated")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CosimError, match="disk is full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]


def test_other_errors_are_not_renamed(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), LocalStore(tmp_path).create(KEY):
        raise IsADirectoryError(errno.EISDIR, "a mistake of ours")


def test_remove_partial(tmp_path: Path) -> None:
    (tmp_path / "stages" / ".partial" / "distilled-x").mkdir(parents=True)
    LocalStore(tmp_path).remove_partial()
    assert not (tmp_path / "stages" / ".partial").exists()


def test_a_full_disk_in_other_words_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="disk is full"), LocalStore(tmp_path).create(KEY):  # noqa: PT012
        try:
            raise OSError(errno.ENOSPC, "simulated")
        except OSError as error:
            raise CosimError("weights cannot be written") from error
    assert not LocalStore(tmp_path).has(KEY)
