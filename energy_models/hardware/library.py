"""Finds machines and sites: by a registered name, by the path of a TOML file, or an object as ``module:object``.

Names are those of the TOML files in the packages that the entry-point groups ``energy_models.profiles`` and
``energy_models.sites`` name: one entry point adds a package folder of files, for instance
``my_machines = "my_package.machines"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from energy_models.errors import ProfileError
from energy_models.hardware.profile import HardwareProfile
from energy_models.hardware.site import Site
from energy_models.quantities import read_model
from energy_models.registry import Loader, Registry

Model = TypeVar("Model", HardwareProfile, Site)


def _read(path: Path, kind: type[Model]) -> Model:
    found = read_model(path, kind)
    if found.name != path.stem:
        remedy = f"Write name = {path.stem!r}"
        raise ProfileError(f"name {found.name!r} differs from the file's", where=path.name, remedy=remedy)
    return found


def _files(kind: type[Model]) -> Callable[[EntryPoint], Mapping[str, Loader]]:
    """Return how an entry point becomes loaders: one for each TOML file of the package it names."""

    def expand(point: EntryPoint) -> Mapping[str, Loader]:
        return {path.stem: _loader(path) for path in sorted(_folder(point).glob("*.toml"))}

    def _loader(path: Path) -> Loader:
        return lambda: _read(path, kind)

    return expand


def _folder(point: EntryPoint) -> Path:
    """Return the folder of the package that an entry point names; nothing but its parents is imported."""
    try:
        spec = find_spec(point.value)
    except (ImportError, ValueError):
        spec = None
    places = [] if spec is None or spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    if not places:
        raise ProfileError(
            f"entry point {point.name!r} names {point.value!r}, which is no package",
            where=f"entry points {point.group}",
            remedy="Name a package whose folder holds TOML files, or uninstall the package that registers it",
        )
    return Path(places[0])


def _checked(kind: type[Model]) -> Callable[[str, object], Model]:
    """Return the check that an object is a machine, or a site."""

    def check(name: str, found: object) -> Model:
        if not isinstance(found, kind):
            raise ProfileError(
                f"{name} is a {type(found).__name__}, not a {kind.__name__}", where=name,
                remedy=f"Name an object of type {kind.__name__}, or a TOML file",
            )
        return found

    return check


PROFILES: Registry[HardwareProfile] = Registry(
    group="energy_models.profiles", kind="profile", kinds="profiles", error=ProfileError,
    check=_checked(HardwareProfile), expand=_files(HardwareProfile),
)
"""Machines by name."""
SITES: Registry[Site] = Registry(
    group="energy_models.sites", kind="site", kinds="sites", error=ProfileError,
    check=_checked(Site), expand=_files(Site),
)
"""Places by name."""


def profile_names() -> tuple[str, ...]:
    """Return the names of all machines that can be loaded by name."""
    return PROFILES.names()


def site_names() -> tuple[str, ...]:
    """Return the names of all sites that can be loaded by name."""
    return SITES.names()


def load_profile(name_or_path: str | Path | HardwareProfile) -> HardwareProfile:
    """Return the machine of a registered name, of the TOML file at a path, or at ``module:object``; a machine as it is.

    Raises
    ------
    ProfileError
        When the name is unknown (nearest names are listed), the file has problems (all of them are listed), or the
        argument is neither a name nor a path.
    """
    if isinstance(name_or_path, HardwareProfile):
        return name_or_path
    path = _path(name_or_path, "profile")
    return _registered_profile(str(name_or_path)) if path is None else _read(path, HardwareProfile)


def load_site(name_or_path: str | Path | Site) -> Site:
    """Return the site of a registered name, of the TOML file at a path, or at ``module:object``; a site as it is.

    Raises
    ------
    ProfileError
        When the name is unknown (nearest names are listed), the file has problems (all of them are listed), or the
        argument is neither a name nor a path.
    """
    if isinstance(name_or_path, Site):
        return name_or_path
    path = _path(name_or_path, "site")
    return _registered_site(str(name_or_path)) if path is None else _read(path, Site)


def _path(name_or_path: object, kind: str) -> Path | None:
    """Return the path where one is written, None for a name."""
    if not isinstance(name_or_path, str | Path):
        raise ProfileError(
            f"{name_or_path!r:.40} of type {type(name_or_path).__name__} names no {kind}", where=kind,
            remedy=f"Give the name of a {kind} (cosim {kind}s lists them) or the path of a TOML file",
        )
    text = str(name_or_path)
    written = isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text
    return Path(name_or_path) if written else None


@cache
def _registered_profile(name: str) -> HardwareProfile:
    return PROFILES.load(name)


@cache
def _registered_site(name: str) -> Site:
    return SITES.load(name)
