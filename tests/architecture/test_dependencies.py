"""What is imported is declared, and what is declared is imported or named here with its reason."""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import parsed_sources
from parsed_sources import PACKAGES, ROOT, modules

NAME = re.compile(r"[A-Za-z0-9._-]+")


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {normalised(found[0]) for text in requirements if (found := NAME.match(text))}


@cache
def imported(folder: str) -> frozenset[str]:
    """Return the distributions that the sources of a folder import, functions included; our own left out."""
    providers = packages_distributions()
    ours = [*modules(folder), *modules("docs/make")]
    local = {path.parent.name if path.stem == "__init__" else path.stem for path in ours}
    names = frozenset[str]().union(*(parsed_sources.imported(path) for path in modules(folder)))
    foreign = names - set(sys.stdlib_module_names) - {*PACKAGES, folder} - local
    return frozenset(normalised(providers.get(name, [name])[0]) for name in foreign)


def test_what_the_packages_import_is_declared() -> None:
    found = frozenset[str]().union(*(imported(package) for package in PACKAGES))
    assert found - declared(project()["dependencies"]) == set()


def test_what_is_declared_is_imported() -> None:
    found = frozenset[str]().union(*(imported(package) for package in PACKAGES))
    assert declared(project()["dependencies"]) - found == set()


def test_what_tests_import_is_declared() -> None:
    extras = project()["optional-dependencies"]
    known = declared([*project()["dependencies"], *(line for lines in extras.values() for line in lines)])
    assert imported("tests") - known == set()
