"""The schema survives its file, and summaries are what the rows say."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from madeup_run import write_madeup_run

from cosim.tables.decoders import DECODERS, DecoderScore
from cosim.tables.flat import first_workloads, flat_results
from cosim.tables.results import Priced, Score, read_parquet, to_frame, write_parquet
from cosim.tables.summary import NOT_COMPARED, score_table, summarise
from energy_models.errors import CosimError, StudyError
from energy_models.workload import Workload

SCORE = Score(
    study="s", dataset="d", protocol="p", split="given_parts", role="student", decoder_id="a", decoder="A", student="A",
    family="f", options="{}", form="w8a8", spiking=False, method="kl", spec_digest="x",
    seed=0, fold="one", metric="balanced_accuracy", score=0.8, validation_score=0.7, parameters=10, weight_bits=8,
    activation_bits=8, workload_digest="wa", complete=True, distilled_from="teacher", versions="{}",
)  # fmt: skip
PRICED = Priced(
    workload_digest="wa", model_hash="m",
    profile="asic", profile_hash="h", site="implant", site_hash="i", decode_rate_hz=4.0,
    decode_energy_low_j=1e-9, decode_energy_nominal_j=2e-9, decode_energy_high_j=4e-9,
    decoder_power_low_w=1e-6, decoder_power_nominal_w=2e-6, decoder_power_high_w=4e-6,
    total_power_low_w=1e-5, total_power_nominal_w=2e-5, total_power_high_w=4e-5,
    latency_low_s=1e-3, latency_nominal_s=2e-3, latency_high_s=3e-3, memory_used_bits=100.0, memory_capacity_bits=800.0,
    verdict="fits", binding_limit="power_budget", headroom=5.0, infeasibilities="[]", incomplete="[]",
    sources='["b", "a"]', assumed="[]", power_by_cause='{"compute": [1e-6, 2e-6, 4e-6]}',
    energy_by_layer="[]", checks="[]",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_madeup_run(tmp_path_factory.mktemp("run"))


def test_columns_are_the_fields_in_order() -> None:
    assert list(to_frame([SCORE]).columns) == [field.name for field in dataclasses.fields(Score)]
    assert list(to_frame([PRICED]).columns) == [field.name for field in dataclasses.fields(Priced)]


def test_parquet_gives_back_what_was_written(tmp_path: Path) -> None:
    baseline = dataclasses.replace(SCORE, role="baseline", validation_score=math.nan)
    write_parquet([SCORE, baseline], tmp_path / "deep" / "scores.parquet")
    table = read_parquet(tmp_path / "deep" / "scores.parquet", Score)
    assert Score(**table.to_dict("records")[0]) == SCORE
    assert math.isnan(table["validation_score"][1])
    assert table["complete"].dtype == bool
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["scores.parquet"]  # no temporary file stays


def test_no_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no finished point"):
        write_parquet([], tmp_path / "x.parquet")


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CosimError, match="missing"):
        read_parquet(tmp_path / "none.parquet", Score)
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(CosimError, match="not a Parquet file"):
        read_parquet(tmp_path / "bad.parquet", Score)
    write_parquet([PRICED], tmp_path / "other.parquet")
    with pytest.raises(CosimError, match=r"missing .*decoder.*unknown"):
        read_parquet(tmp_path / "other.parquet", Score)


def pooled(*scores: Score) -> pd.DataFrame:
    """Return the pooled scores of decoders: the mean of their rows, as pooled predictions of equal folds have it."""
    found: dict[str, list[Score]] = {}
    for row in scores:
        found.setdefault(row.decoder_id, []).append(row)
    return to_frame([
        DecoderScore(
            decoder_id=name, metric=rows[0].metric, score_mean=sum(r.score for r in rows) / len(rows),
            score_low=math.nan, score_high=math.nan, score_over="none", score_count=1, score_method="none",
            folds=len({r.fold for r in rows}), seeds=len({r.seed for r in rows}), chance=0.5, p_value=0.001,
            itr_bits_per_min=math.nan, auroc=math.nan, sensitivity=math.nan, specificity=math.nan,
            false_alarms_per_hour=math.nan, latency_s=math.nan, events=math.nan, events_found=math.nan, unstated="{}",
        )
        for name, rows in found.items()
    ])  # fmt: skip


def test_scores_of_folds_and_seeds_worked_by_hand() -> None:
    # Fold means over seeds: 0.7, 0.8, 0.9; mean 0.8. The interval by hand is in test_intervals.
    values = {("a", 0): 0.69, ("a", 1): 0.71, ("b", 0): 0.80, ("b", 1): 0.80, ("c", 0): 0.95, ("c", 1): 0.85}
    rows = [dataclasses.replace(SCORE, fold=f, seed=s, score=v) for (f, s), v in values.items()]
    interval = pooled(*rows).assign(score_low=0.8 - 0.24842, score_high=1.0, score_over="sessions", score_count=3)
    table = score_table(to_frame(rows), interval).iloc[0]
    assert table["score_mean"] == pytest.approx(0.8)
    assert table["score_low"] == pytest.approx(0.8 - 0.24842, abs=1e-4)
    assert (table["score_over"], table["folds"], table["seeds"], table["runs"]) == ("sessions", 3, 2, 6)
    assert table["validation_mean"] == pytest.approx(0.7)


def test_prices_of_several_workloads_worked_by_hand() -> None:
    other = dataclasses.replace(
        PRICED, workload_digest="wb", decoder_power_low_w=2e-6, decoder_power_nominal_w=3e-6, decoder_power_high_w=9e-6,
        verdict="exceeds", headroom=0.5, binding_limit="deadline", sources='["c"]',
        power_by_cause='{"compute": [2e-6, 4e-6, 9e-6], "memory": [1e-6, 1e-6, 1e-6]}',
    )  # fmt: skip
    runs = [SCORE, dataclasses.replace(SCORE, seed=1, workload_digest="wb")]
    row = summarise(to_frame(runs), pooled(*runs), to_frame([PRICED, other])).iloc[0]
    assert row["decoder_power_low_w"] == 1e-6  # lowest low
    assert row["decoder_power_nominal_w"] == pytest.approx(2.5e-6)  # mean of 2 and 3
    assert row["decoder_power_high_w"] == 9e-6  # highest high
    assert (row["verdict"], row["binding_limit"], row["headroom"]) == ("exceeds", "deadline", 0.5)  # the worst
    assert json.loads(row["sources"]) == ["a", "b", "c"]
    causes = json.loads(row["power_by_cause"])
    assert causes["compute"] == pytest.approx([1e-6, 3e-6, 9e-6])
    assert causes["memory"] == pytest.approx([0.0, 0.5e-6, 1e-6])  # the first spent nothing on it


def test_a_workload_that_two_runs_share_counts_twice() -> None:
    other = dataclasses.replace(PRICED, workload_digest="wb", decoder_power_nominal_w=5e-6)
    runs = [dataclasses.replace(SCORE, seed=seed, workload_digest=name) for seed, name in enumerate(["wb", "wb"])]
    row = summarise(to_frame([SCORE, *runs]), pooled(SCORE, *runs), to_frame([PRICED, other])).iloc[0]
    assert row["decoder_power_nominal_w"] == pytest.approx(4e-6)  # (2 + 5 + 5) / 3


def test_the_smallest_headroom_stands_among_equal_verdicts() -> None:
    tight = dataclasses.replace(PRICED, workload_digest="wb", headroom=1.5, binding_limit="battery")
    runs = [SCORE, dataclasses.replace(SCORE, seed=1, workload_digest="wb")]
    row = summarise(to_frame(runs), pooled(*runs), to_frame([tight, PRICED])).iloc[0]
    assert (row["binding_limit"], row["headroom"]) == ("battery", 1.5)


def test_what_does_not_run_is_not_compared() -> None:
    free = dataclasses.replace(PRICED, workload_digest="wb", decoder_power_low_w=0.0, decoder_power_nominal_w=0.0,
                               decoder_power_high_w=0.0, infeasibilities='["no multiplier"]',
                               verdict="does not fit the machine")  # fmt: skip
    lost = dataclasses.replace(PRICED, workload_digest="wc", decoder_power_nominal_w=1e-6)
    scores = [
        SCORE,
        dataclasses.replace(SCORE, decoder_id="B", decoder="B", workload_digest="wb", score=0.99),
        dataclasses.replace(SCORE, decoder_id="C", decoder="C", workload_digest="wc", score=0.99, complete=False),
    ]
    table = summarise(to_frame(scores), pooled(*scores), to_frame([PRICED, free, lost])).set_index("decoder")
    assert table["membership"].to_dict() == {"A": "surely", "B": NOT_COMPARED, "C": NOT_COMPARED}
    assert table["front"].to_dict() == {"A": True, "B": False, "C": False}


def test_summary_of_the_madeup_run(run: Path) -> None:
    scores, priced = read_parquet(run / "scores.parquet", Score), read_parquet(run / "priced.parquet", Priced)
    table = summarise(scores, read_parquet(run / DECODERS, DecoderScore), priced)
    assert len(table) == 13 * 4 * 3  # decoders without the teacher, machines, sites
    assert not table["decoder"].str.contains("Ensemble").any()
    for name in ("decode_energy", "decoder_power", "total_power"):
        unit = "j" if name == "decode_energy" else "w"
        assert (table[f"{name}_low_{unit}"] <= table[f"{name}_nominal_{unit}"]).all()
        assert (table[f"{name}_nominal_{unit}"] <= table[f"{name}_high_{unit}"]).all()
    integer_only = table[(table["profile"] == "asic65_near_memory") & (table["decoder"] == "EEGNet-8 float32")]
    assert set(integer_only["verdict"]) == {"does not fit the machine"}
    assert set(integer_only["membership"]) == {NOT_COMPARED}
    for _, place in table.groupby(["profile", "site"]):
        assert place["front"].any()


def test_a_row_that_has_no_figures_is_not_complete(run: Path) -> None:
    scores, priced = read_parquet(run / "scores.parquet", Score), read_parquet(run / "priced.parquet", Priced)
    work = Workload("made-up", "window", 1, 100, 4, 100.0, 16, ())
    counted = dict.fromkeys(first_workloads(scores).values(), work)
    table = flat_results(scores, read_parquet(run / DECODERS, DecoderScore), priced, counted)
    priced = table[table["machine"] != ""]
    assert not priced.loc[priced["power_w"].isna(), "complete"].any()
    assert priced.loc[priced["power_w"].isna(), "infeasibilities"].ne("").all()
    assert priced.loc[priced["power_w"].notna(), "complete"].any()
    assert priced["power_w"].isna().any()


def test_nothing_priced_gives_an_empty_summary() -> None:
    other = to_frame([dataclasses.replace(PRICED, workload_digest="zz")])
    assert summarise(to_frame([SCORE]), pooled(SCORE), other).empty


def test_a_priced_row_adds_up(run: Path) -> None:
    for row in read_parquet(run / "priced.parquet", Priced).head(50).to_dict("records"):
        causes = json.loads(row["power_by_cause"])
        assert sum(band[1] for band in causes.values()) == pytest.approx(row["total_power_nominal_w"])
        energy = sum(b[1] for layer in json.loads(row["energy_by_layer"]) for b in layer["energy_j"].values())
        assert energy == pytest.approx(row["decode_energy_nominal_j"])
        assert row["binding_limit"] == json.loads(row["checks"])[0]["name"]


def test_decoders_are_told_apart_by_their_ids_whatever_they_are_called() -> None:
    """Two decoders under one label are two rows, and one label never says what a decoder is."""
    other = dataclasses.replace(SCORE, decoder_id="b", form="w4a4", workload_digest="wb", score=0.6)
    dearer = dataclasses.replace(PRICED, workload_digest="wb", decoder_power_nominal_w=3e-6)
    table = score_table(to_frame([SCORE, other]), pooled(SCORE, other))
    assert table["decoder"].tolist() == ["A", "A"]
    assert table["form"].tolist() == ["w8a8", "w4a4"]
    summary = summarise(to_frame([SCORE, other]), pooled(SCORE, other), to_frame([PRICED, dearer]))
    assert summary["decoder_id"].tolist() == ["a", "b"]
    assert summary["score_mean"].tolist() == [0.8, 0.6]
