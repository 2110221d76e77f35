"""Files a person may have made: odd encodings, depths, digits and sizes end in one sentence, in every reader."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from energy_workloads import workload

from energy_models.calibration import read_board_table
from energy_models.errors import CosimError, DataError, ProfileError
from energy_models.hardware import load_profile, load_site
from energy_models.quantities import parse_json, parse_toml, read_text
from energy_models.quantities.text_file import DEPTH, TEXT_BYTES, TOML_BYTES
from energy_models.workload import read_workload, write_workload

Reader = Callable[[Path], object]
BOM = b"\xef\xbb\xbf"
BOARD = (
    "board,network,conv_macs,layers,energy_uj,inferences_per_s,clock_mhz,software\n"
    "kit,net,1000000,5,100,50,100,stack 1\n"
)


READERS: dict[str, tuple[str, Reader]] = {
    "profile": ("gap9.toml", load_profile),
    "site": ("implant_utah96.toml", load_site),
    "workload": ("w.json", read_workload),
    "boards": ("boards.csv", read_board_table),
}


def sound(name: str, tmp_path: Path) -> bytes:
    """Return the bytes of a file that the reader takes."""
    if name == "workload":
        write_workload(workload(), tmp_path / "sound.json")
        return (tmp_path / "sound.json").read_bytes()
    if name == "boards":
        return BOARD.encode()
    folder = Path(load_profile.__code__.co_filename).parents[1] / "data" / f"{name}s"
    return (folder / READERS[name][0]).read_bytes()


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, name: str) -> None:
    file, read = READERS[name]
    path = tmp_path / file
    content = sound(name, tmp_path)
    path.write_bytes(content)
    plain = read(path)
    path.write_bytes(BOM + content)
    assert read(path) == plain
    path.write_bytes(content.replace(b"\n", b"\r\n"))
    assert read(path) == plain


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: text.encode("utf-16-le"), "NUL"),
        (lambda text: text.encode("utf-32"), "UTF-32"),
        (lambda text: text.encode() + b"\0", "NUL"),
        (lambda text: text.encode() + b"\n# \xe4\xf6", r"not text in UTF-8 \(byte 0xe4 in line"),
        (lambda text: b"", "missing|not JSON|problem"),
        (lambda text: b"\xff", "not text in UTF-8"),
    ],
)
def test_other_encodings_are_named(tmp_path: Path, name: str, change: Callable[[str], bytes], said: str) -> None:
    file, read = READERS[name]
    (tmp_path / file).write_bytes(change(sound(name, tmp_path).decode()))
    with pytest.raises(CosimError, match=said):
        read(tmp_path / file)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "a = " + "[" * 9999 + "]" * 9999,
                                     "a = " + "[" * 200 + "]" * 200, ".".join("a" * 5000) + " = 1",
                                     "a = " + "9" * 5000, "9" * 5000, '{"schema": ' + "9" * 5000 + "}",
                                     '{"schema": ' + "[" * 200 + "]" * 200 + "}", "a = 0x" + "f" * 9000])  # fmt: skip
def test_depth_and_digits_end_in_our_error(tmp_path: Path, name: str, content: str) -> None:
    file, read = READERS[name]
    (tmp_path / file).write_text(content)
    with pytest.raises(CosimError) as caught:
        read(tmp_path / file)
    assert len(str(caught.value)) < 2000 or name == "boards"


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_told(tmp_path: Path, name: str) -> None:
    read = READERS[name][1]
    (tmp_path / "folder.toml").mkdir()
    for path in (tmp_path / "folder.toml", tmp_path / "none.toml", tmp_path / f"{'a' * 5000}.toml",
                 Path("a\0b.toml")):  # fmt: skip
        with pytest.raises(CosimError, match="cannot be read"):
            read(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless file here")
def test_an_endless_file_ends() -> None:
    with pytest.raises(DataError, match="larger than 64 MiB"):
        read_text(Path("/dev/zero"), error=DataError, remedy="Name another")


def test_a_large_file_is_told_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "gap9.toml"
    path.write_bytes(b"#" * (TOML_BYTES + 1))
    with pytest.raises(ProfileError, match="larger than 1 MiB"):
        load_profile(path)
    with path.open("wb") as file:
        file.truncate(TEXT_BYTES + 1)
    with pytest.raises(DataError, match="larger than 64 MiB"):
        read_text(path, error=DataError, remedy="Name another")


def test_the_deepest_and_widest_that_is_read() -> None:
    nested = "[" * DEPTH + "]" * DEPTH
    assert parse_json(nested, where="x", error=DataError, remedy="") == json.loads(nested)
    with pytest.raises(DataError, match="within each other"):
        parse_json(f"[{nested}]", where="x", error=DataError, remedy="")
    assert parse_toml(f"a = {2**63 - 1}", where="x", error=DataError) == {"a": 2**63 - 1}
    for wide in (2**63, -(2**64)):
        with pytest.raises(DataError, match="more than 64 bit"):
            parse_toml(f"a = {wide}", where="x", error=DataError)


def test_nan_is_no_json_unless_it_is_asked_for() -> None:
    with pytest.raises(DataError, match="NaN is no JSON number"):
        parse_json("[NaN]", where="x", error=DataError, remedy="")
    (value,) = parse_json("[NaN]", where="x", error=DataError, remedy="", nan="read")
    assert math.isnan(value)


@pytest.mark.parametrize("digits", [19, 5000])
def test_a_count_of_too_many_digits_is_told(tmp_path: Path, digits: int) -> None:
    (tmp_path / "boards.csv").write_text(BOARD.replace("1000000", "9" * digits))
    with pytest.raises(DataError, match=r"conv_macs = '9{18}\.\.\.'"):
        read_board_table(tmp_path / "boards.csv")
