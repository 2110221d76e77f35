"""The rules that keep the architecture: broken rules fail the build."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest
from parsed_sources import MODULES, PACKAGES, ROOT, imported, modules, text, tree

FIRST = {
    "brevitas": "students/quantize/", "numba": "students/kernels/", "snntorch": "students/neurons/snntorch_adapter.py",
}  # fmt: skip


def lint_imports(config: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a configuration and return what it said."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(config), "--no-cache"]
    return subprocess.run(command, capture_output=True, text=True, cwd=config.parent, check=False)


def test_import_contracts_hold() -> None:
    result = lint_imports(ROOT / "pyproject.toml")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("energy_models/quantities/units.py", "import torch\n"),
        ("energy_models/quantities/units.py", "import cosim\n"),
        ("energy_models/hardware/thermal.py", "import energy_models.mapping.styles.events\n"),
        ("students/spec/student.py", "import brevitas\n"),
        ("students/spec/student.py", "import snntorch\n"),
        ("students/spec/student.py", "import energy_models.pricing.layer\n"),
        ("students/neurons/lif.py", "import students.layers.grid\n"),
        ("students/neurons/lif.py", "import numba\n"),
        ("students/kernels/choice.py", "import students.spec\n"),
        ("students/counting/axes/batch_axis.py", "import students.counting.records.measure\n"),
        ("cosim/study/messages.py", "import cosim.engine.store\n"),
    ],
)
def test_import_contracts_break_when_violated(tmp_path: Path, file: str, line: str) -> None:
    """A copy of the sources with one forbidden import must fail: the check can fail."""
    for path in MODULES:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(path))
    (tmp_path / "pyproject.toml").write_text(text(ROOT / "pyproject.toml"))
    broken = tmp_path / file
    broken.write_text(text(ROOT / file) + "\n" + line)
    result = lint_imports(tmp_path / "pyproject.toml")
    assert result.returncode != 0
    assert "BROKEN" in result.stdout


def cycle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the modules of one import cycle, none where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_through_others(package: str) -> None:
    """Modules, not folders, and deferred imports too: one that hides a cycle is no remedy."""
    graph = grimp.build_graph(package, cache_dir=None)
    modules = [name for name in graph.modules if name == package or name.startswith(f"{package}.")]
    assert len(modules) > 20
    assert cycle({name: graph.find_modules_directly_imported_by(name) for name in modules}) == []


def test_a_cycle_is_found() -> None:
    assert set(cycle({"a": ["b"], "b": ["c"], "c": ["b"]})) == {"b", "c"}
    assert cycle({"a": ["b", "c"], "b": ["c"]}) == []


@pytest.mark.parametrize("vendor", sorted(FIRST))
def test_each_vendor_library_is_imported_in_one_place(vendor: str) -> None:
    importers = {str(path.relative_to(ROOT)) for path in MODULES if vendor in imported(path)}
    assert importers
    assert all(path.startswith(FIRST[vendor]) for path in importers), importers


def test_energy_models_loads_and_prices_with_torch_unimportable() -> None:
    code = (
        "import sys, importlib, pkgutil\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ImportError('torch is blocked')\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "import energy_models\n"
        "for m in pkgutil.walk_packages(energy_models.__path__, 'energy_models.'): importlib.import_module(m.name)\n"
        "print('torch' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "False"


def test_no_file_is_over_400_lines() -> None:
    beside = [path for folder in ("benchmarks", "docs/make", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert len(beside) > 100
    sizes = {str(path.relative_to(ROOT)): len(text(path).splitlines()) for path in (*MODULES, *beside)}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}


def folders(package: str) -> list[Path]:
    """Return a package's folder and all folders below it."""
    inside = [path for path in (ROOT / package).rglob("*") if path.is_dir() and path.name != "__pycache__"]
    return [ROOT / package, *sorted(inside)]


@pytest.mark.parametrize("code", [*PACKAGES, "docs/make"])
def test_a_folder_holds_24_files_at_most(code: str) -> None:
    files = {folder: sum(path.is_file() for path in folder.iterdir()) for folder in folders(code)}
    assert {str(folder.relative_to(ROOT)): number for folder, number in files.items() if number > 24} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_holds_16_entries_at_most(package: str) -> None:
    top = sorted(path.name for path in (ROOT / package).iterdir() if path.name != "__pycache__")
    assert len(top) <= 16, top


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_code_says_what_lives_there(package: str) -> None:
    code = {path.parent for path in modules(package)}
    doors = [folder / "__init__.py" for folder in code]
    assert [str(door.relative_to(ROOT)) for door in doors if not door.exists()] == []
    assert [str(door.relative_to(ROOT)) for door in doors if not ast.get_docstring(tree(door))] == []


def test_students_may_see_four_rooms_of_energy_models() -> None:
    """A room added to energy_models is forbidden to students until it is named here."""
    seen = {"workload", "quantities", "errors", "registry"}
    rooms = {path.stem for path in (ROOT / "energy_models").iterdir() if path.suffix == ".py" or path.is_dir()}
    hidden = {f"energy_models.{room}" for room in rooms - seen if not room.startswith("__")}
    contracts = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    forbidden = [set(one["forbidden_modules"]) for one in contracts if one.get("source_modules") == ["students"]]
    assert hidden in forbidden


def test_every_entry_point_names_a_module_that_exists() -> None:
    groups = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["entry-points"]
    named = [target.partition(":")[0] for group in groups.values() for target in group.values()]
    missing = [m for m in named if not (ROOT / m.replace(".", "/")).with_suffix(".py").exists()
               and not (ROOT / m.replace(".", "/") / "__init__.py").exists()]
    assert not missing
