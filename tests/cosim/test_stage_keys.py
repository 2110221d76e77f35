"""What a stage's name must change with: a result is never served for a question it does not answer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from cosim.engine.files import Json
from cosim.engine.sources import CARRIERS, OWN, Sources
from cosim.engine.stage import StageKind
from cosim.engine.stages.registry import KINDS
from energy_models.errors import CosimError

ROOT = Path(__file__).parents[2]
SPEC: dict[str, Json] = {"family": "eegnet"}
CONFIG: dict[str, Json] = {"spec": SPEC, "teacher": "ensemble", "options": {"members": [SPEC]}, "name": "csp_lda"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the sources, to be changed."""
    for package in OWN:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "data"))
    return tmp_path


def sources(folder: Path) -> Sources:
    return Sources({package: folder / package for package in OWN})


def schema(found: Sources, kind: StageKind, config: Mapping[str, Json] = CONFIG) -> str:
    return found.digest((kind.work.__module__, *kind.sources, *kind.plugins(config)))


def schemas(folder: Path) -> dict[str, str]:
    found = sources(folder)
    return {name: schema(found, kind) for name, kind in KINDS.items()}


def changed(folder: Path, file: str, old: str, new: str) -> set[str]:
    """Return the kinds whose schema changes with a file."""
    before = schemas(folder)
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return {name for name, found in schemas(folder).items() if found != before[name]}


TRAINED = {"undistilled", "distilled", "quantised"}


def test_installed_sources_are_those_of_this_tree() -> None:
    assert {name: kind.schema(CONFIG) for name, kind in KINDS.items()} == schemas(ROOT)


def test_every_kind_depends_on_its_own_file() -> None:
    for name, kind in KINDS.items():
        modules = (kind.work.__module__, *kind.sources)
        assert f"cosim.engine.stages.{name}" in Sources().reached(modules), name


def test_a_change_to_the_training_loop_concerns_what_trains(copy: Path) -> None:
    found = changed(copy, "students/training/fit.py", "def fit(", "STEP = 2\n\n\ndef fit(")
    assert {*TRAINED, "teacher"} <= found
    assert found.isdisjoint({"data", "fold"})


def test_a_changed_default_concerns_that_family_alone(copy: Path) -> None:
    other = {**CONFIG, "spec": {"family": "gru"}, "options": {"members": [{"family": "gru"}]}}
    before = schema(sources(copy), KINDS["undistilled"], other)
    assert changed(copy, "students/families/eegnet.py", "default=8", "default=9") == {*TRAINED, "teacher"}
    assert schema(sources(copy), KINDS["undistilled"], other) == before


def test_a_changed_baseline_concerns_that_baseline_alone(copy: Path) -> None:
    before = schema(sources(copy), KINDS["baseline"], {"name": "kalman"})
    assert changed(copy, "cosim/baselines/csp_lda.py", "def fit(", "STEP = 2\n\n\ndef fit(") == {"baseline"}
    assert schema(sources(copy), KINDS["baseline"], {"name": "kalman"}) == before


def test_what_counts_operations_concerns_results_and_not_training(copy: Path) -> None:
    found = changed(copy, "students/counting/observe.py", "def observe(", "STEP = 2\n\n\ndef observe(")
    assert found == {"result"}


def test_words_about_the_code_change_nothing(copy: Path) -> None:
    path = copy / "students" / "training" / "fit.py"
    text = path.read_text()
    assert '    """Return' in text
    before = schemas(copy)
    path.write_text("# A comment.\n" + text.replace('    """Return', '    """Give back'))
    assert schemas(copy) == before


def test_what_only_names_and_writes_results_changes_nothing(copy: Path) -> None:
    before = schemas(copy)
    for name in sorted(CARRIERS):
        path = copy / (name.replace(".", "/") + ".py")
        path.write_text(path.read_text() + "\n\nSTEP = 2\n")
    assert schemas(copy) == before


def test_every_kind_of_import_is_followed(tmp_path: Path) -> None:
    """Inside functions, through the names a package exports, and by a text; not for type checkers."""
    package = tmp_path / "cosim"
    (package / "door").mkdir(parents=True)
    files = {
        "__init__.py": "", "door/__init__.py": "from cosim.door.a import A\nfrom cosim.door.b import B\n",
        "door/a.py": "A = 1\n", "door/b.py": "B = 1\n", "c.py": "C = 1\n", "d.py": "D = 1\n", "e.py": "E = 1\n",
        "root.py": "from typing import TYPE_CHECKING\nfrom cosim.door import A\nif TYPE_CHECKING:\n    import cosim.e\n"
                   "def f():\n    from . import c\n    return 'cosim.d:D'\n",
    }  # fmt: skip
    for name, text in files.items():
        (package / name).write_text(text)
    reached = Sources({"cosim": package}).reached(["cosim.root"])
    assert set(reached) == {"cosim.root", "cosim.door.a", "cosim.c", "cosim.d"}


def test_sources_of_a_package_of_ones_own_count(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "net.py").write_text("import mine.blocks\nimport numpy\nimport cosim.engine.versions\n")
    (mine / "blocks.py").write_text("WIDTH = 4\n")
    before = Sources({"mine": mine}).digest(["mine.net"])
    (mine / "blocks.py").write_text("WIDTH = 5\n")
    assert Sources({"mine": mine}).digest(["mine.net"]) != before
    with pytest.raises(CosimError, match=r"the source of module 'mine\.other' is not to be found"):
        Sources({"mine": mine}).digest(["mine.other"])


def test_an_input_code_of_ones_own_counts() -> None:
    spec: dict[str, Json] = {"family": "spiking_mlp", "options": {"code": "toy_stages:CODE"}}
    assert set(KINDS["undistilled"].plugins({"spec": spec})) == {"students.families.spiking_mlp", "toy_stages"}
    shipped: dict[str, Json] = {"family": "spiking_mlp", "options": {"code": "counts"}}
    assert "students.neurons.encoders" in KINDS["undistilled"].plugins({"spec": shipped})
