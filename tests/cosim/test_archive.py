"""An archived run: the page, the digest and the prices of a run again, from a few files without stages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import cosim, stage_times

from cosim.cli.results import pareto
from cosim.report import answer_line
from cosim.tables.archive import ARCHIVE, check_archive
from cosim.tables.results import write_parquet
from cosim.tables.workloads import WORKLOADS, StoredWorkload, read_workloads
from energy_models.errors import CosimError
from energy_models.workload import LayerWork, Workload, text_digest, workload_text
from energy_models.workload.migrations import MIGRATIONS

LARGEST_BYTES = 300_000


@pytest.fixture(scope="module")
def digests(finished_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    code, _, err = cosim("report", str(finished_once), "--out", str(folder / "page.html"), "--digest", str(folder))
    assert code == 0, err
    return folder


@pytest.fixture
def archived(digests: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(digests / "data" / "tiny", tmp_path / "tiny"))


def test_an_archived_run_is_small_and_holds_no_stage(archived: Path) -> None:
    assert sorted(path.name for path in archived.iterdir()) == [
        "archive.json", "decoders.parquet", "differences.json", "failures.json", "gates.json", "outcomes.json",
        "plan.json", "scores.parquet", "study.json", "workloads.parquet",
    ]  # fmt: skip
    assert sum(path.stat().st_size for path in archived.iterdir()) < LARGEST_BYTES


def test_it_names_no_folder_of_the_machine_it_was_made_on(finished: Path, archived: Path, digests: Path) -> None:
    folder = str(finished.parent)
    assert folder in (finished / "study.json").read_text()
    for path in (*archived.glob("*.json"), *digests.glob("tiny.*"), digests / "page.html"):
        assert folder not in path.read_text(), path.name
    for path in archived.glob("*.parquet"):
        assert folder not in pd.read_parquet(path).to_csv(), path.name


def test_repricing_it_makes_both_again(finished: Path, archived: Path, digests: Path, tmp_path: Path) -> None:
    before = stage_times(finished)
    code, out, err = cosim(
        "report", str(archived), "--reprice", "--out", str(tmp_path / "page.html"), "--digest", str(tmp_path / "again")
    )
    assert code == 0, err
    assert out.splitlines() == [str(tmp_path / "page.html"), str(tmp_path / "again" / "tiny.md")]
    assert (tmp_path / "page.html").read_text() == (digests / "page.html").read_text()
    for name in ("tiny.md", "tiny.svg", *(f"data/tiny/{path.name}" for path in (digests / "data" / "tiny").iterdir())):
        assert (tmp_path / "again" / name).read_bytes() == (digests / name).read_bytes(), name
    pd.testing.assert_frame_equal(
        pd.read_parquet(archived / "priced.parquet"), pd.read_parquet(finished / "priced.parquet")
    )
    assert stage_times(finished) == before


def test_repricing_in_its_own_place_leaves_it_as_it_is(digests: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(digests, tmp_path / "results"))
    archived = place / "data" / "tiny"
    before = {path.name: path.read_bytes() for path in archived.iterdir()}
    code, _, err = cosim("report", str(archived), "--reprice", "--digest", str(place))
    assert code == 0, err
    assert {name: (archived / name).read_bytes() for name in before} == before
    assert (place / "tiny.md").read_bytes() == (digests / "tiny.md").read_bytes()


def test_reprice_prices_again_what_looks_up_to_date(finished: Path, archived: Path) -> None:
    wrong = pd.read_parquet(finished / "priced.parquet").assign(decoder_power_nominal_w=1.0)
    wrong.to_parquet(archived / "priced.parquet", index=False)
    assert cosim("report", str(archived))[0] == 0
    assert set(pd.read_parquet(archived / "priced.parquet")["decoder_power_nominal_w"]) == {1.0}
    assert cosim("report", str(archived), "--reprice")[0] == 0
    assert 1.0 not in set(pd.read_parquet(archived / "priced.parquet")["decoder_power_nominal_w"])


def test_a_damaged_flat_table_is_made_of_its_parts(finished: Path, archived: Path) -> None:
    assert cosim("pareto", str(archived))[0] == 0
    _cut(archived / "results.parquet")
    assert cosim("pareto", str(archived), "--json") == cosim("pareto", str(finished), "--json")


def test_the_commands_that_read_a_run_read_it(finished: Path, archived: Path) -> None:
    for command in ("pareto", "feasibility"):
        assert cosim(command, str(archived), "--json") == cosim(command, str(finished), "--json")


@pytest.mark.parametrize("command", ["report", "pareto", "feasibility"])
def test_commands_on_a_run_say_the_answer_of_its_page_first(archived: Path, command: str) -> None:
    code, _, err = cosim(command, str(archived))
    assert code == 0
    assert err.splitlines()[0] == answer_line(archived)


def test_a_narrow_terminal_keeps_score_power_and_verdict_of_the_front(
    archived: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cosim.cli.table.terminal_width", lambda: 140)
    pareto(archived)
    shown = capsys.readouterr()
    names = shown.out.splitlines()[0].split()
    assert {"machine", "site", "decoder", "score", "decoder_power_uw", "verdict", "front"} <= {*names}
    assert "membership" not in names
    assert "membership" in shown.err


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("harm", [_cut, _flip, Path.unlink])
@pytest.mark.parametrize("command", ["report", "pareto", "feasibility"])
def test_a_damaged_file_is_told(archived: Path, harm: Callable[[Path], None], command: str) -> None:
    whole = {path.name: path.read_bytes() for path in archived.iterdir()}
    for name in sorted(whole.keys() - {ARCHIVE}):
        harm(archived / name)
        code, out, err = cosim(command, str(archived))
        assert (code, out) == (2, ""), name
        assert str(archived / name) in err
        assert "archived run" in err
        (archived / name).write_bytes(whole[name])
    assert not (archived / "priced.parquet").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"blake2b": {}}', '{"blake2b": {"scores.parquet": "1"}}'])
def test_a_damaged_list_of_files_is_told(archived: Path, text: str) -> None:
    (archived / ARCHIVE).write_text(text)
    with pytest.raises(CosimError, match=ARCHIVE):
        check_archive(archived)


def test_nothing_of_it_is_resumed(archived: Path) -> None:
    before = {path.name: path.read_bytes() for path in archived.iterdir()}
    code, _, err = cosim("resume", str(archived))
    assert (code, err.startswith("Error: ")) == (2, True)
    assert "holds an archived run" in err
    assert {path.name: path.read_bytes() for path in archived.iterdir()} == before


def test_no_study_is_run_into_it(archived: Path) -> None:
    before = {path.name: path.read_bytes() for path in archived.iterdir()}
    code, _, err = cosim("run", "demo", "--out", str(archived))
    assert code == 2
    assert "holds an archived run" in err
    assert {path.name: path.read_bytes() for path in archived.iterdir()} == before


def test_an_unfinished_run_cannot_be_archived(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("stages", "gates.json")))
    code, _, err = cosim("report", str(run), "--digest", str(tmp_path / "results"))
    assert code == 2
    assert str(run / "gates.json") in err
    assert not (tmp_path / "results" / "data").exists()


def test_failures_are_kept_without_their_messages(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("stages")))
    failed = {"decoder": "x", "fold": "y", "seed": 1, "message": f"{tmp_path} is full"}
    (run / "failures.json").write_text(json.dumps({"failures": [failed]}))
    assert cosim("report", str(run), "--digest", str(tmp_path / "results"))[0] == 0
    kept = json.loads((tmp_path / "results" / "data" / "tiny" / "failures.json").read_text())
    assert kept == {"failures": [{"decoder": "x", "fold": "y", "seed": 1}]}


def test_workloads_of_an_older_schema_are_read_under_the_name_they_were_stored_by(tmp_path: Path) -> None:
    """Scores name a workload by the hash of its text as it was written, which no later schema changes."""
    layer = LayerWork("head", "linear", "integer", 1, (4,), (2,), 4, 2, reduction=4)
    now = json.loads(workload_text(Workload("old", "window", 1, 4, 1, 128.0, 8, (layer,))))
    step = MIGRATIONS["cosim.workload/1"]
    old = {name: value for name, value in now.items() if name not in step.workload} | {"schema": "cosim.workload/1"}
    old["layers"] = [{name: value for name, value in one.items() if name not in step.layer} for one in old["layers"]]
    text = json.dumps(old)
    name = text_digest(text, where="old")
    write_parquet([StoredWorkload(name, text)], tmp_path / WORKLOADS)
    (found,) = read_workloads(tmp_path, [name]).values()
    assert found.layers == (layer,)
    assert [one.operation for one in found.uncounted] == ["stored constants"]
    write_parquet([StoredWorkload(name, text.replace('"calls": 1', '"calls": 2'))], tmp_path / WORKLOADS)
    with pytest.raises(CosimError, match="is not what was written"):
        read_workloads(tmp_path, [name])
