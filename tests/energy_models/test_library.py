"""Machines and sites by name: one entry point adds a package folder of files."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import pytest

from energy_models.errors import ProfileError
from energy_models.hardware import PROFILES, SITES, load_profile, load_site, profile_names, site_names

SHIPPED = Path(str(files("energy_models.data")))


def install(root: Path, monkeypatch: pytest.MonkeyPatch, entry_points: str) -> Path:
    """Put a distribution with entry points, and its package of TOMLs, on the path; return the package's folder."""
    info = root / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    package = root / "third_party_machines"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(root))
    return package


def copy_of(name: str, folder: Path, new: str, *, kind: str) -> None:
    text = (SHIPPED / kind / f"{name}.toml").read_text(encoding="utf-8")
    (folder / f"{new}.toml").write_text(text.replace(f'name = "{name}"', f'name = "{new}"', 1), encoding="utf-8")


def test_one_entry_point_adds_a_folder_of_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = install(tmp_path, monkeypatch, "[energy_models.profiles]\nmine = third_party_machines\n")
    copy_of("gap9", package, "gap9_of_ours", kind="profiles")
    copy_of("xylo", package, "xylo_of_ours", kind="profiles")
    assert {"gap9", "gap9_of_ours", "xylo_of_ours"} <= set(profile_names())
    assert load_profile("gap9_of_ours").execution == load_profile("gap9").execution
    assert "third_party_machines" not in sys.modules  # files are read, no code of theirs runs


def test_what_is_installed_after_the_first_look_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "gap9_of_ours" not in profile_names()
    package = install(tmp_path, monkeypatch, "[energy_models.profiles]\nmine = third_party_machines\n")
    copy_of("gap9", package, "gap9_of_ours", kind="profiles")
    assert "gap9_of_ours" in profile_names()


def test_one_entry_point_adds_a_folder_of_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = install(tmp_path, monkeypatch, "[energy_models.sites]\nmine = third_party_machines\n")
    copy_of("headset_pulp", package, "helmet", kind="sites")
    assert {"headset_pulp", "helmet"} <= set(site_names())
    assert load_site("helmet").name == "helmet"
    assert "helmet" not in profile_names()


def test_two_packages_may_not_claim_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = install(tmp_path, monkeypatch, "[energy_models.profiles]\nmine = third_party_machines\n")
    copy_of("gap9", package, "gap9", kind="profiles")
    with pytest.raises(ProfileError, match=r"both claim the profile 'gap9'"):
        profile_names()


def test_a_file_is_named_after_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = install(tmp_path, monkeypatch, "[energy_models.profiles]\nmine = third_party_machines\n")
    (package / "other.toml").write_text((SHIPPED / "profiles" / "gap9.toml").read_text(encoding="utf-8"))
    with pytest.raises(ProfileError, match=r"name 'gap9' differs from the file's.*Write name = 'other'"):
        load_profile("other")


def test_an_entry_point_that_names_no_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "[energy_models.profiles]\nlost = no_such_package.machines\n")
    with pytest.raises(ProfileError, match=r"'lost' names 'no_such_package.machines', which is no package"):
        profile_names()


def test_a_machine_in_code_is_named_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("made_up_machines")
    module.MACHINE = load_profile("gap9")  # type: ignore[attr-defined]
    module.NUMBER = 1.0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_up_machines", module)
    assert load_profile("made_up_machines:MACHINE") == load_profile("gap9")
    with pytest.raises(ProfileError, match="NUMBER is a float, not a HardwareProfile"):
        load_profile("made_up_machines:NUMBER")
    with pytest.raises(ProfileError, match="MACHINE is a HardwareProfile, not a Site"):
        load_site("made_up_machines:MACHINE")


@pytest.mark.parametrize(("registry", "folder"), [(PROFILES, "profiles"), (SITES, "sites")])
def test_every_shipped_file_is_registered(registry: object, folder: str) -> None:
    names = {path.stem for path in (SHIPPED / folder).glob("*.toml")}
    assert names
    assert names == set(registry.names())  # type: ignore[attr-defined]
