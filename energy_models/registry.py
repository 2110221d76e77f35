"""Plug-ins by name: entry points of installed packages, or an object named by its module.

One class serves every group: families, methods, teachers, datasets, baselines, profiles, sites. Names are read from the
metadata of installed packages, nothing is imported before it is asked for, and two packages that claim one name are an
error, never a matter of which was found first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from energy_models.errors import CosimError, unknown_name

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
        points = [point for point in _distinct(entry_points(group=self.group)) if name in self.expand(point)]
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
        for point in _distinct(entry_points(group=self.group)):
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
        try:
            found: object = importlib.import_module(module)
        except (ImportError, ValueError) as error:
            raise self.error(
                f"module {module!r} cannot be imported ({error})", where=f"{self.kind} {name!r}",
                remedy="Install it, or put its folder on PYTHONPATH",
            ) from error
        for attribute in path.split("."):
            if not hasattr(found, attribute):
                raise self.error(
                    f"there is no {path!r} in module {module!r}", where=f"{self.kind} {name!r}",
                    remedy="Name it module:object",
                )
            found = getattr(found, attribute)
        return found


def _distinct(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Return entry points without repetitions: one package may be found twice on the path."""
    return list({(point.name, point.value): point for point in points}.values())
