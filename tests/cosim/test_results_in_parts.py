"""Results of very many prices: one Parquet file a machine, the same rows, and memory for one machine at a time."""

from __future__ import annotations

import dataclasses
import json
import math
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from test_results import SCORE

from cosim.cli import results as commands
from cosim.cli.output import print_json, print_json_rows
from cosim.engine.files import to_json
from cosim.tables import flat
from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.price_files import read_prices, read_prices_by_machine
from cosim.tables.prices import PRICED
from cosim.tables.pruned import write_pruned
from cosim.tables.results import write_parquet
from cosim.tables.scores import SCORES
from cosim.tables.workloads import WORKLOADS, StoredWorkload
from energy_models.errors import CosimError
from energy_models.workload import at_widths, read_workload, workload_digest, workload_text

MACHINES, SITES = ["gap9", "cortex_m4f"], ["headset_commodity", "implant_epilepsy"]
GIVEN_UP = {
    "decoder_id": "x", "decoder": "X w2a4", "student": "X", "family": "f", "options": "{}", "form": "w2a4",
    "spiking": False, "method": "", "points": 1, "of": 8, "so_far": {"score": 0.2}, "at_best": {"score": 0.7},
    "against": "A w8a8", "theirs": {"score": 0.8},
}  # fmt: skip


def decoder(name: str, score: float) -> DecoderScore:
    nan = math.nan
    return DecoderScore(
        decoder_id=name, metric="balanced_accuracy", score_mean=score, score_low=score - 0.1, score_high=score + 0.1,
        score_over="subjects", score_count=9, score_method="bootstrap", folds=1, seeds=1, chance=0.25, p_value=0.01,
        itr_bits_per_min=nan, auroc=nan, sensitivity=nan, specificity=nan, false_alarms_per_hour=nan, latency_s=nan,
        events=nan, events_found=nan, unstated="{}",
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the tables of two students and a teacher, of which one configuration was given up."""
    shipped = read_workload(Path(str(files("energy_models.data"))) / "workloads" / "eegnet_8_2.json")
    works = {bits: at_widths(shipped, weight_bits=bits, activation_bits=bits) for bits in (8, 4)}
    write_parquet([StoredWorkload(workload_digest(one), workload_text(one)) for one in works.values()],
                  tmp_path / WORKLOADS)  # fmt: skip
    rows = [
        dataclasses.replace(SCORE, decoder_id=f"w{bits}", decoder=f"A w{bits}a{bits}", form=f"w{bits}a{bits}",
                            workload_digest=workload_digest(one))
        for bits, one in works.items()
    ]  # fmt: skip
    teacher = dataclasses.replace(SCORE, decoder_id="t", decoder="teacher", role="teacher", workload_digest="")
    write_parquet([*rows, teacher], tmp_path / SCORES)
    write_parquet([decoder("w8", 0.8), decoder("w4", 0.7), decoder("t", 0.9)], tmp_path / DECODERS)
    hardware = {"profiles": MACHINES, "sites": SITES, "decode_rate_hz": 4.0}
    plan = {"study": {"hardware": hardware}, "data_dir": None, "command": "cosim run x"}
    (tmp_path / "plan.json").write_text(to_json(plan))
    write_pruned(tmp_path, [GIVEN_UP])
    return tmp_path


def test_parts_hold_the_rows_of_the_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = flat.current_flat(run)
    assert len(whole) == 2 * 4 + 1 + 1
    assert (run / flat.RESULTS_CSV).is_file()
    monkeypatch.setattr(flat, "MOST_ROWS", 1)
    parts = flat.current_flat(run)
    pd.testing.assert_frame_equal(parts, whole, check_dtype=False)
    names = sorted(path.name for path in (run / flat.RESULTS).iterdir())
    assert names == ["0000-gap9.parquet", "0001-cortex_m4f.parquet", "0002-unpriced.parquet", "0003-unpriced.parquet"]
    assert not (run / flat.RESULTS_CSV).exists()
    assert not list(run.glob(".results-*"))
    on_gap9 = pd.read_parquet(run / flat.RESULTS, filters=[("machine", "==", "gap9")], columns=["decoder", "site"])
    assert len(on_gap9) == 4
    before = (run / flat.RESULTS).stat().st_mtime_ns
    assert list(flat.current_flat(run, ["machine", "power_w"]).columns) == ["machine", "power_w"]
    assert (run / flat.RESULTS).stat().st_mtime_ns == before  # nothing has changed
    monkeypatch.undo()
    pd.testing.assert_frame_equal(flat.current_flat(run), whole)
    assert (run / flat.RESULTS).is_file()


def test_people_are_shown_the_fronts_of_very_many_and_programs_all(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cosim.report.answer_line", lambda folder: "the answer")
    monkeypatch.setattr(commands, "ROWS_AT_ONCE", 3)
    commands.pareto(run, as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 8
    assert all(set(row) == set(commands.FRONT) for row in rows)
    monkeypatch.setattr(commands, "MOST_PRINTED", 1)
    commands.feasibility(run)
    shown = capsys.readouterr()
    front = sum(row["front"] for row in rows)
    assert 0 < front < 8
    assert f"{front} of 8 rows are shown" in shown.err
    assert "1 configuration of the search was given up" in shown.err
    for some in ([], [{"a": 1}], [{"a": 1, "b": None}, {"a": "é", "b": [1]}]):
        print_json(some)
        whole = capsys.readouterr().out
        print_json_rows(some)
        assert capsys.readouterr().out == whole


def test_prices_come_machine_by_machine(run: Path) -> None:
    flat.write_flat(run)
    whole = read_prices(run / PRICED)
    parts = list(read_prices_by_machine(run / PRICED))
    assert [set(part["profile"]) for part in parts] == [{name} for name in MACHINES]
    for part, machine in zip(parts, MACHINES, strict=True):
        pd.testing.assert_frame_equal(part, whole[whole["profile"] == machine].reset_index(drop=True))


def test_a_damaged_part_is_made_again_from_the_tables(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "MOST_ROWS", 1)
    whole = flat.current_flat(run)
    (run / flat.RESULTS / "0000-gap9.parquet").write_bytes(b"nothing")
    pd.testing.assert_frame_equal(flat.current_flat(run), whole, check_dtype=False)
    (run / PRICED).write_bytes(b"nothing")
    with pytest.raises(CosimError, match="not a Parquet file"):
        flat.rows_of(run / PRICED)
