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

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cosim", "students", "energy_models")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FIRST = {"brevitas": "students/quantize/", "snntorch": "students/neurons/snntorch_adapter.py"}


def imported(path: Path) -> set[str]:
    """Return the top-level names a file imports anywhere, functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


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
        ("energy_models/hardware/thermal.py", "import energy_models.mapping.events\n"),
        ("students/spec/student.py", "import brevitas\n"),
        ("students/spec/student.py", "import snntorch\n"),
        ("students/spec/student.py", "import energy_models.pricing.layer\n"),
        ("cosim/study/messages.py", "import cosim.engine.store\n"),
    ],
)
def test_import_contracts_break_when_violated(tmp_path: Path, file: str, line: str) -> None:
    """A copy of the sources with one forbidden import must fail: the check can fail."""
    for path in MODULES:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    broken = tmp_path / file
    broken.write_text(broken.read_text() + "\n" + line)
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
    long = {str(path.relative_to(ROOT)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_every_entry_point_names_a_module_that_exists() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    named = [target.partition(":")[0] for group in groups.values() for target in group.values()]
    missing = [m for m in named if not (ROOT / m.replace(".", "/")).with_suffix(".py").exists()
               and not (ROOT / m.replace(".", "/") / "__init__.py").exists()]
    assert not missing


def test_nothing_unpickles() -> None:
    guilty = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name in {"torch.load", "torch.save", "pickle.load", "pickle.loads", "pickle.dump", "joblib.load"}:
                    guilty.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
        if "pickle" in imported(path):
            guilty.append(f"{path.relative_to(ROOT)} imports pickle")
    assert not guilty
