"""Study files and profiles as files: what cannot be read, settings on the command line, machines of one's own."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from study_documents import TINY, broken, message

from cosim.study.check import check_study, read_study
from cosim.study.document import override, read_document
from energy_models.errors import StudyError


def test_what_is_read_can_be_written_and_read_again() -> None:
    study = check_study(TINY, where="tiny.toml")
    assert check_study(study.model_dump(mode="json", exclude_none=True), where="plan") == study


def test_a_profile_that_shares_a_shipped_name_is_not_mixed_with_it(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "gap9.toml"
    mine = tmp_path / "gap9.toml"
    mine.write_text(shipped.read_text())
    hardware = {**TINY["hardware"], "profiles": ["gap9", str(mine)]}
    assert "hardware.profiles: two are called gap9" in message(broken(hardware=hardware))


def test_a_machine_of_ones_own_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "gap9.toml"
    (tmp_path / "mine.toml").write_text(shipped.read_text().replace('name = "gap9"', 'name = "mine"', 1))
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path)
    study = read_study("demo", ['hardware.profiles=["mine.toml", "gap9"]'])
    assert study.hardware.profiles == (str(tmp_path / "mine.toml"), "gap9")


def test_settings_change_the_document_and_not_the_original() -> None:
    document = copy.deepcopy(TINY)
    changed = override(document, ["study.seeds=[3, 4]", "students.0.forms=[\"w8a8\"]", "study.title=No quotes"])
    assert changed["study"] == {"name": "tiny", "title": "No quotes", "seeds": [3, 4]}
    assert changed["students"][0]["forms"] == ["w8a8"]
    assert document == TINY


@pytest.mark.parametrize("content", [b"\xff\xfe[study]", "[study]\ntitle = 'M\u00fcller'".encode("latin-1")])
def test_a_file_that_is_not_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match="UTF-8"):
        read_document(str(path))


@pytest.mark.parametrize("setting", ["seeds", "=3", "students.7.label=a", "students.x.label=a"])
def test_settings_that_lead_nowhere(setting: str) -> None:
    with pytest.raises(StudyError, match="--set"):
        override(TINY, [setting])


def test_unknown_study_names_the_nearest() -> None:
    with pytest.raises(StudyError, match="'demo'"):
        read_document("demos")


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[study\nname = 3")
    with pytest.raises(StudyError, match="not TOML"):
        read_document(str(path))


def test_a_profile_of_ones_own_with_a_wrong_unit(tmp_path: Path) -> None:
    """The study's error carries the profile's: the field, the unit found, the dimension expected."""
    shipped = Path(__file__).parents[2] / "energy_models" / "data" / "profiles" / "cortex_m4f.toml"
    text = shipped.read_text()
    lines = text.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith("clock") and "MHz" in line)
    lines[index] = lines[index].replace("MHz", "pJ")
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    hardware = {**TINY["hardware"], "profiles": [str(path)]}
    found = message(broken(hardware=hardware))
    assert "hardware.profiles.0" in found
    assert "clock" in found
    assert "pJ" in found
    assert "frequency" in found
