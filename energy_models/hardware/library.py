"""Finds machines and sites by name or path. Names come from the entry points ``energy_models.profiles``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from energy_models.errors import ProfileError, unknown_name
from energy_models.hardware.profile import HardwareProfile
from energy_models.hardware.site import Site
from energy_models.quantities import read_model

GROUP = "energy_models.profiles"
SHIPPED = "energy_models.data"


@cache
def _found(folder: str) -> Mapping[str, Path]:
    """Return every TOML in `folder` of every package the entry points name, by its stem."""
    packages = {SHIPPED} | {entry.value for entry in entry_points(group=GROUP)}
    found: dict[str, Path] = {}
    for package in sorted(packages):
        root = Path(str(files(import_module(package)))) / folder
        for path in sorted(root.glob("*.toml")):
            if path.stem in found:
                remedy = f"Rename it; the other is {found[path.stem]}"
                raise ProfileError(f"name {path.stem!r} is given twice", where=str(path), remedy=remedy)
            found[path.stem] = path
    return found


def _resolve(name_or_path: str | Path, folder: str) -> Path:
    """Return the file of a name, or the path itself if it is written as one."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text:
        return Path(name_or_path)
    found = _found(folder)
    if text not in found:
        kind = folder.removesuffix("s")
        remedy = f"{unknown_name(folder, text, found)}. A path to a TOML file also works"
        raise ProfileError(f"unknown {kind} {text!r}", remedy=remedy)
    return found[text]


def profile_names() -> tuple[str, ...]:
    """Return the names of all machines that can be loaded by name."""
    return tuple(sorted(_found("profiles")))


def site_names() -> tuple[str, ...]:
    """Return the names of all sites that can be loaded by name."""
    return tuple(sorted(_found("sites")))


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """Return the machine of a name, or of the TOML file at a path.

    Raises
    ------
    ProfileError
        When the name is unknown (nearest names are listed), or the file has problems (all of them are listed).
    """
    path = _resolve(name_or_path, "profiles")
    profile = read_model(path, HardwareProfile)
    _check_name(profile.name, path)
    return profile


def load_site(name_or_path: str | Path) -> Site:
    """Return the site of a name, or of the TOML file at a path.

    Raises
    ------
    ProfileError
        When the name is unknown (nearest names are listed), or the file has problems (all of them are listed).
    """
    path = _resolve(name_or_path, "sites")
    site = read_model(path, Site)
    _check_name(site.name, path)
    return site


def _check_name(name: str, path: Path) -> None:
    if name != path.stem:
        remedy = f"Write name = {path.stem!r}"
        raise ProfileError(f"name {name!r} differs from the file's", where=path.name, remedy=remedy)
