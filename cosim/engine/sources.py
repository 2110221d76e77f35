"""Which sources decide a stage: a hash of every module its work can reach; changed code is never served old results.

What counts: the modules of this distribution, and of the package of a plug-in, that are imported by the work of a
stage, directly or through others, inside functions too; a module named by a text counts as imported. Of a package that
exports its modules' names, the modules that hold the imported names count, not their neighbours. A plug-in that is not
installed, but a file in somebody's folder, counts with what it imports from that folder.

What does not count: comments, docstrings, imports for type checkers, the modules in `CARRIERS`, and other
distributions: their versions are recorded beside every stage.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from energy_models.errors import CosimError

OWN = ("cosim", "students", "energy_models")
CARRIERS = frozenset({  # they hold, name and write results, or say what is wrong; they compute none
    "cosim.engine.files", "cosim.engine.record", "cosim.engine.sources", "cosim.engine.stage", "cosim.engine.store",
    "cosim.engine.versions", "energy_models.errors",
})  # fmt: skip
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_UNREAD = (ast.Load, ast.Store, ast.Del)


@dataclass(frozen=True, slots=True)
class Module:
    """One module as its source shows it.

    Parameters
    ----------
    digest : str
        Of its syntax, comments and docstrings left out.
    imports : tuple of (str, str)
        Module and name that is imported from it; an empty name stands for the whole module.
    """

    digest: str
    imports: tuple[tuple[str, str], ...]


class Sources:
    """Reads each source once and follows what it imports.

    Parameters
    ----------
    folders : mapping of str to Path
        Where packages are, by name; others are looked up among what is installed.
    """

    def __init__(self, folders: Mapping[str, Path] | None = None) -> None:
        self._folders = dict(folders or {})
        self._modules: dict[str, Module] = {}
        self._files: dict[str, Path | None] = {}
        self._read_at: dict[str, int] = {}
        self._digests: dict[tuple[str, ...], str] = {}

    def digest(self, modules: Iterable[str]) -> str:
        """Return the hash of some modules and of everything they import, 32 hexadecimal digits.

        Raises
        ------
        CosimError
            If the source of one of `modules` is not to be found.
        """
        asked = tuple(modules)
        if asked not in self._digests:
            reached = self.reached(asked)
            text = "\n".join(f"{name} {reached[name].digest}" for name in sorted(reached))
            self._digests[asked] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return self._digests[asked]

    def reached(self, modules: Iterable[str]) -> dict[str, Module]:
        """Return some modules and everything they import, by name.

        Raises
        ------
        CosimError
            If the source of one of `modules` is not to be found.
        """
        roots = list(modules)
        packages = {*OWN, *(name.partition(".")[0] for name in roots)}
        homes = {home for name in packages.difference(OWN) if (home := self._home(name)) not in _installations()}
        found: dict[str, Module] = {}
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name in found or name in CARRIERS:
                continue
            found[name] = self._module(name)
            for module, item in found[name].imports:
                package = module.partition(".")[0]
                if package in packages or (homes and package and self._home(package) in homes):
                    waiting += self._holders(module, item)
        return found

    def forget_changed(self) -> None:
        """Read again what was changed since it was read, for a process that outlives an edit (a notebook)."""
        changed = [name for name, read in self._read_at.items() if _changed_at(self._files[name]) != read]
        for name in changed:
            del self._modules[name], self._read_at[name]
        self._files = {name: path for name, path in self._files.items() if name in self._modules}
        self._digests.clear()

    def _holders(self, module: str, item: str) -> Iterator[str]:
        """Yield the modules that an import of `item` from `module` reaches."""
        if item and self._file(f"{module}.{item}") is not None:
            yield f"{module}.{item}"
            return
        path = self._file(module)
        if path is None:
            return
        if item and path.name == "__init__.py":
            origins = [origin for origin, name in self._module(module).imports if name == item and origin != module]
            if origins:
                for origin in origins:
                    yield from self._holders(origin, item)
                return
        yield module

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            path = self._file(name)
            if path is None:
                raise CosimError(
                    f"the source of module {name!r} is not to be found, so its results cannot be named",
                    where="plug-in", remedy="Install it as Python source.",
                )  # fmt: skip
            self._read_at[name] = _changed_at(path)
            self._modules[name] = _read(path, name if path.name == "__init__.py" else name.rpartition(".")[0])
        return self._modules[name]

    def _home(self, package: str) -> Path:
        """Return the folder that a package, or a module of its own, lies in."""
        return self._folders.setdefault(package, _installed(package)).parent

    def _file(self, name: str) -> Path | None:
        """Return the source file of a module, None where there is no such module."""
        if name not in self._files:
            package, *below = name.split(".")
            folder = self._folders.setdefault(package, _installed(package))
            base = folder.joinpath(*below)
            choices = (base / "__init__.py", base.with_name(f"{base.name}.py"))
            self._files[name] = next((path for path in choices if path.is_file()), None)
        return self._files[name]


@cache
def _installations() -> frozenset[Path]:
    """Return the folders of Python's own modules and of installed packages."""
    return frozenset(Path(path) for path in sysconfig.get_paths().values())


def _installed(package: str) -> Path:
    """Return the folder of a package, or of a module of its own the file's name without its ending."""
    try:
        spec = find_spec(package)
    except ValueError:  # a module that is no file: __main__, or one made while running
        spec = None
    if spec is not None and spec.submodule_search_locations and spec.origin is None:
        return Path(next(iter(spec.submodule_search_locations)))  # a folder without __init__.py
    if spec is None or spec.origin is None:
        return Path(package)
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin.with_suffix("")


def _changed_at(path: Path | None) -> int:
    """Return when a file was changed [ns]; 0 where there is none any more."""
    return path.stat().st_mtime_ns if path is not None and path.is_file() else 0


def _read(path: Path, package: str) -> Module:
    tree = ast.parse(path.read_bytes())
    parts: list[str] = []
    _write(tree, parts)
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    return Module(digest, tuple(dict.fromkeys(_imports(tree, package))))


def _write(node: ast.AST, parts: list[str]) -> None:
    """Append a text of the syntax tree that is the same under every version of Python that can parse it."""
    parts.append(type(node).__name__)
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            _write_list(field, _without_docstring(node, field, cast(list[object], value)), parts)
        elif isinstance(value, ast.AST):
            if not isinstance(value, _UNREAD):
                _write(value, parts)
        elif value is not None:
            parts.append(repr(value))


def _write_list(field: str, items: list[object], parts: list[str]) -> None:
    if items:
        parts.append(f"{field}[{len(items)}]")
    for item in items:
        if isinstance(item, ast.AST):
            _write(item, parts)
        else:
            parts.append(repr(item))


def _without_docstring(node: ast.AST, field: str, items: list[object]) -> list[object]:
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    first = items[0] if items and documented and field == "body" else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return items[1:]
    return items


def _imports(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Yield what a syntax tree imports, and the modules that its texts name."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in (getattr(node.test, "id", ""), getattr(node.test, "attr", "")):
        for child in node.orelse:
            yield from _imports(child, package)
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.rsplit(".", node.level - 1)[0] if node.level else ""
        module = ".".join(part for part in (above, node.module or "") if part)
        yield from ((module, "" if alias.name == "*" else alias.name) for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        named = node.value.partition(":")[0]
        if _DOTTED.fullmatch(named):
            yield named, ""
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, package)


@cache
def installed_sources() -> Sources:
    """Return the sources that this process runs, each read once."""
    return Sources()
