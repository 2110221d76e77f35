"""The digest: the answer, its numbers and its limits in one short markdown page and one picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from madeup_run import without_intervals, write_madeup_run

from cosim.report import write_digest
from cosim.report.comparison import comparison
from cosim.report.digest import digest_text
from cosim.report.headline import answers, headline
from cosim.report.inputs import Run, read_run
from cosim.tables.archive import portable

LARGEST_BYTES = 150_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_madeup_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder)


@pytest.fixture(scope="module")
def text(run: Run) -> str:
    return digest_text(run, picture="madeup.svg", failures=2).replace("\u00a0", " ")


def cells(text: str, heading: str) -> list[list[str]]:
    """Return the table rows under a heading, without head and rule."""
    section = text.partition(f"## {heading}")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]


def test_two_small_files_named_after_the_study(folder: Path, tmp_path: Path) -> None:
    path = write_digest(folder, tmp_path / "results")
    assert sorted(p.name for p in path.parent.iterdir()) == ["madeup.md", "madeup.svg"]
    assert all(p.stat().st_size < LARGEST_BYTES for p in path.parent.iterdir())
    assert "](madeup.svg)" in path.read_text(encoding="utf-8")


def test_the_answer_is_the_pages_own(run: Run, text: str) -> None:
    compared = comparison(run)
    assert compared is not None
    assert headline(run, answers(run)).replace("\u00a0", " ") in text
    assert f"classical decoder? Yes.** {compared['text']} Each is the one of its kind with the best mean" in text


def test_a_network_that_does_not_beat_the_classical_decoder_is_said_plainly(run: Run) -> None:
    lower = tuple(dataclasses.replace(gap, mean=-0.15, low=-0.2, high=-0.1) for gap in run.differences)
    said = digest_text(dataclasses.replace(run, differences=lower), picture="", failures=0)
    asked = "Does a network beat the classical decoder?"
    assert f"{asked} No.** The network that is best on validation does not beat" in said
    alone = tuple(row for row in run.decoders if row["role"] != "baseline")
    assert "does not hold both" in digest_text(dataclasses.replace(run, decoders=alone), picture="", failures=0)


def test_every_decoder_has_a_score_and_every_one_on_every_machine_a_price(run: Run, text: str) -> None:
    scores = cells(text, "Scores")
    assert len(scores) == 14
    assert all(len(row) == 9 for row in scores)
    assert [row[0] for row in scores] == [str(number) for number in range(1, 15)]  # as in the picture
    prices = cells(text, "Prices")
    assert len(prices) == 13 * 4
    assert all(len(row) == 10 for row in prices)
    assert sum(row[7] == "cannot run" for row in prices) == 4  # two float32 students on two integer machines
    assert {row[1].strip("*") for row in prices} >= {"CSP+LDA (classical)", "EEGNet-8 w4a4"}
    marked = [row for row in prices if row[3].startswith("≥")]
    assert {row[1] for row in marked} == {"MLP-64 w8a8"}  # its soft maximum was not counted


def test_a_run_without_workloads_says_that_the_edges_widths_are_not_known(text: str) -> None:
    assert {row[7] for row in cells(text, "Scores")} == {"–"}  # a form's text meant other edges in earlier versions
    assert "Workloads were not kept: how wide first and last weights are" in text


def test_a_price_is_in_microwatts_with_its_bounds(run: Run, text: str) -> None:
    wanted = next(r for r in run.at("gap9", run.sites[0]) if r["decoder"] == "CSP+LDA")
    shown = next(row for row in cells(text, "Prices") if row[:2] == ["gap9", "**CSP+LDA (classical)**"])
    nominal, bounds = shown[3].rstrip("]").split(" [")
    assert float(nominal) == pytest.approx(wanted["decoder_power_nominal_w"] / 1e-6, rel=5e-3)
    low, high = map(float, bounds.split(", "))
    assert low < float(nominal) < high


@pytest.mark.parametrize(
    "said",
    [
        "EEGNet-8 4 of 5. Elsewhere",
        "5 folds × 3 seeds, intervals 95 % over 5 sessions", "Differences, paired", "Chance is 0.250", "chance 0.250",
        "scale (looks ahead)", "Shows how a page looks", "2 points of the study failed", "uncounted: head softmax",
        "prices no float32 multiply-accumulate", "are assumed", "torch 2.9.0", "&lt;four classes>",
        "A decision at 4 Hz", "`cosim run madeup --out runs`", "The validation part decides when a network stops",
    ],
)  # fmt: skip
def test_the_digest_says(text: str, said: str) -> None:
    assert said in text


def test_commands_name_no_folder_of_the_machine_they_ran_on() -> None:
    assert portable("cosim run /home/me/my.toml --out '/tmp/my runs/a' --json") == "cosim run my.toml --out a --json"
    assert portable("cosim run demo --out=/tmp/a --data-dir=/d/e") == "cosim run demo --out=a --data-dir=e"
    inside = """cosim run demo --set 'hardware.profiles=["/a b/mine.toml", "gap9"]'"""
    assert portable(inside) == """cosim run demo --set 'hardware.profiles=["mine.toml", "gap9"]'"""
    for kept in ("cosim run https://example.org/a/b.toml", "cosim run my/own.toml --out ../runs/a", "cosim run a/b/c"):
        assert portable(kept) == kept


def test_one_fold_one_seed_no_teacher_and_nothing_that_runs(tmp_path: Path) -> None:
    folder = write_madeup_run(tmp_path, folds=1, seeds=1)
    (folder / "gates.json").write_text('{"gates": []}')
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**study, "question": "", "chance": None}))
    without_intervals(folder)
    path = write_digest(folder, tmp_path / "out")
    assert "classical decoder? Unknown.**" in path.read_text(encoding="utf-8")
    assert "no teacher in this study" in path.read_text(encoding="utf-8")
    run = read_run(folder)
    nowhere = tuple({**row, "infeasibilities": '["no"]', "verdict": "does not fit the machine"} for row in run.summary)
    assert "No decoder runs" in digest_text(dataclasses.replace(run, summary=nowhere), picture="", failures=0)
