"""Plug-ins by name: entry points of installed packages, or an object named by its module.

One class serves every group: families, methods, teachers, datasets, baselines, profiles, sites. Names are read from the
metadata of installed packages, nothing is imported before it is asked for, and two packages that claim one name are an
error, never a matter of which was found first.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Generic, TypeVar

from energy_models.errors import CosimError, raised_where, unknown_name

T = TypeVar("T")
Loader = Callable[[], object]


def one_object(point: EntryPoint) -> Mapping[str, Loader]:
    """Return the one plug-in of an entry point: the object it names, under its own name."""
    return {point.name: point.load}


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All plug-ins of one entry-point group.

    Parameters
    ----------
    group : str
        Entry-point group, such as ``students.families``.
    kind, kinds : str
        What one of them is called in messages, and several: ``family``, ``families``.
    error : type of CosimError
        What is raised.
    check : callable
        ``check(name, object)`` returns the object as the type the group promises, or raises `error`.
    expand : callable
        From an entry point to what it stands for by name; by default the one object it names.
    """

    group: str
    kind: str
    kinds: str
    error: type[CosimError]
    check: Callable[[str, object], T]
    expand: Callable[[EntryPoint], Mapping[str, Loader]] = one_object

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted; nothing is imported.

        Raises
        ------
        CosimError
            If two packages claim one name.
        """
        return tuple(sorted(self._loaders()))

    def load(self, name: str) -> T:
        """Return the plug-in of a registered name, or the object at ``module:object``.

        Raises
        ------
        CosimError
            No such name (near ones are listed), a module that cannot be imported, or an object of another type.
        """
        if ":" in name:
            return self.check(name, self._named_object(name))
        loaders = self._loaders()
        if name not in loaders:
            raise self._unknown(name, loaders)
        try:
            found = loaders[name]()
        except (ImportError, AttributeError) as error:
            raise self.error(
                f"the {self.kind} {name!r} cannot be imported ({error})", where=f"entry points {self.group}",
                remedy="Mend or uninstall the package that registers it",
            ) from error
        return self.check(name, found)

    def module(self, name: str) -> str:
        """Return the dotted name of the module that holds a plug-in; nothing is imported.

        Parameters
        ----------
        name : str
            As for `load`.

        Raises
        ------
        CosimError
            No such name (near ones are listed).
        """
        if ":" in name:
            return name.partition(":")[0]
        points = [point for point in _points_of(self.group) if name in self.expand(point)]
        if not points:
            raise self._unknown(name, self._loaders())
        return points[0].module

    def _unknown(self, name: str, names: Mapping[str, Loader]) -> CosimError:
        if not names:
            remedy = f"No {self.kinds} are registered: install the package again, its entry points are out of date"
            return self.error(f"unknown {self.kind} {name!r}", where=f"entry points {self.group}", remedy=remedy)
        remedy = f"{unknown_name(self.kinds, name, names)}. An object of your own is named module:object"
        return self.error(f"unknown {self.kind} {name!r}", where=self.kind, remedy=remedy)

    def _loaders(self) -> dict[str, Loader]:
        loaders: dict[str, Loader] = {}
        owners: dict[str, str] = {}
        for point in _points_of(self.group):
            for name, loader in self.expand(point).items():
                if name in loaders:
                    raise self.error(
                        f"{point.value} and {owners[name]} both claim the {self.kind} {name!r}",
                        where=f"entry points {self.group}", remedy="Uninstall one of the two packages, or rename one",
                    )
                loaders[name], owners[name] = loader, point.value
        return loaders

    def _named_object(self, name: str) -> object:
        module, _, path = name.partition(":")
        home = self._module_of_ones_own(module, name)
        found: object = home
        for attribute in path.split("."):
            if not hasattr(found, attribute):
                file = getattr(home, "__file__", None)
                raise self.error(
                    f"there is no {path!r} in module {module!r}" + (f" ({file})" if file else ""),
                    where=f"{self.kind} {name!r}",
                    remedy=f"Name it module:object. {unknown_name('names in it', path, _defined_in(home))}",
                )
            found = getattr(found, attribute)
        return found

    def _module_of_ones_own(self, module: str, name: str) -> ModuleType:
        where = f"{self.kind} {name!r}"
        if module == "__main__":
            raise self.error(
                "module '__main__' is another one in every process", where=where,
                remedy="Put the object into a file of its own, and name it by that file",
            )
        try:
            return importlib.import_module(module)
        except Exception as error:  # the module is a user's and may raise anything
            raise self.error(
                f"module {module!r} cannot be imported ({raised_where(error)})", where=where,
                remedy=f"Mend {module}" if _is_there(module, error) else
                f"Start from the folder that holds {module.partition('.')[0]}.py, put that folder on PYTHONPATH, or "
                "install the package",
            ) from error


def _is_there(module: str, error: Exception) -> bool:
    """Return whether there is such a module, so that an error of importing it comes from its content."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return not f"{module}.".startswith(f"{error.name}.")
    return bool(module)


def _defined_in(module: ModuleType) -> list[str]:
    """Return the public names that a module defines itself."""
    found = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return [
        name for name, value in found.items()
        if not isinstance(value, ModuleType) and getattr(value, "__module__", module.__name__) == module.__name__
    ]  # fmt: skip


def _points_of(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group without repetitions: one package may be found twice on the path."""
    return _read_points(entry_points, group, tuple((folder, _changed_ns(folder)) for folder in sys.path))


@lru_cache(maxsize=64)
def _read_points(
    read: Callable[..., Iterable[EntryPoint]], group: str, path: tuple[tuple[str, int], ...]
) -> tuple[EntryPoint, ...]:
    """Return what `read` finds; reading all metadata takes 3 ms, and a study's plan asks hundreds of times.

    Parameters
    ----------
    read : callable
    group : str
    path : tuple of (str, int)
        Folders searched and when each changed last: a package installed meanwhile is found.
    """
    return tuple({(point.name, point.value): point for point in read(group=group)}.values())


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0
