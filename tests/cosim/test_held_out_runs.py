"""Whole studies, of classical decoders that take a second: what their tables and pages say of hard cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_study import cosim

from cosim.tables.differences import best_on_validation

STUDY = """
[study]
name = "case"
title = "Case"
seeds = [0]
{positive}

[dataset]
name = "arrays"
options = {{ path = "{path}", task = "{task}", rate_hz = {rate}, source_bits = 12, output_names = "{names}"{more} }}

[split]
{split}

{baselines}

[hardware]
profiles = ["cortex_m4f"]
sites = ["headset_commodity"]
decode_rate_hz = {rate_of_decodes}
"""
FRACTION = 'method = "leave_one_group_out"\ngroup = "run"\nvalidation = "fraction"'


def study(
    folder: Path, arrays: dict[str, Any], *, split: str, baselines: tuple[str, ...], positive: str = "",
    task: str = "classification", names: str = "left, right", more: str = "", rate: float = 100.0,
) -> tuple[int, str, str]:
    """Run a study of arrays and return exit code, stdout and stderr."""
    np.savez(folder / "case.npz", **arrays)
    text = STUDY.format(
        path=folder / "case.npz", task=task, rate=rate, names=names, more=more, split=split,
        positive=f'positive = "{positive}"' if positive else "", rate_of_decodes=rate if task == "regression" else 1.0,
        baselines="\n".join(f'[[baselines]]\nname = "{name}"' for name in baselines),
    )  # fmt: skip
    (folder / "case.toml").write_text(text)
    return cosim("run", str(folder / "case.toml"), "--out", str(folder / "run"), "--json")


def noise(examples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(examples, 4, 50)).astype(np.float32)


def test_a_constant_decoder_is_at_chance_over_runs_of_one_class(tmp_path: Path) -> None:
    """A mean over runs gave it .80: eight runs of class 0, two of class 1."""
    targets = np.repeat([0] * 8 + [1] * 2, 20)
    runs = np.repeat([f"r{n:02d}" for n in range(10)], 20)
    code, _, err = study(tmp_path, {"inputs": noise(200), "targets": targets, "run": runs}, split=FRACTION,
                         baselines=("majority", "shrinkage_lda"))  # fmt: skip
    assert code == 0, err
    decoders = pd.read_parquet(tmp_path / "run" / "decoders.parquet")
    names = pd.read_parquet(tmp_path / "run" / "scores.parquet").drop_duplicates("decoder_id").set_index("decoder_id")
    constant = decoders[decoders["decoder_id"].map(names["decoder"]) == "majority"].iloc[0]
    assert constant["score_mean"] <= 0.5
    assert (constant["chance"], constant["p_value"]) == (0.5, 1.0)
    assert set(decoders["score_over"]) <= {"runs", "trials"}
    assert pd.read_parquet(tmp_path / "run" / "scores.parquet")["score"].isna().all()  # of a fold with one class
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_validation_part_without_every_class_is_refused(tmp_path: Path) -> None:
    targets = np.repeat([0] * 8 + [1] * 2, 20)
    runs = np.repeat([f"r{n:02d}" for n in range(10)], 20)
    code, _, err = study(tmp_path, {"inputs": noise(200), "targets": targets, "run": runs}, baselines=("majority",),
                         split='method = "leave_one_group_out"\ngroup = "run"')  # fmt: skip
    assert code == 2
    assert "the validation part has no example of class" in err
    assert 'validation = "fraction"' in err


@pytest.mark.parametrize("seed", range(3))
def test_decoders_below_chance_have_a_page(tmp_path: Path, seed: int) -> None:
    code, _, err = study(tmp_path, {"inputs": noise(40, seed), "targets": np.arange(40) % 2},
                         split='method = "stratified_folds"\nfolds = 5',
                         baselines=("shrinkage_lda", "csp_lda"))  # fmt: skip
    assert code == 0, err
    code, _, err = cosim("report", str(tmp_path / "run"), "--digest", str(tmp_path / "digest"))
    assert code == 0, err
    assert (tmp_path / "digest" / "case.md").is_file()


def test_estimates_worse_than_the_mean_have_a_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"inputs": rng.normal(size=(1200, 8)), "targets": np.cumsum(rng.normal(size=(1200, 2)), axis=0)}
    code, _, err = study(tmp_path, arrays, task="regression", names="x, y", more=", segment_steps = 20", rate=20.0,
                         split='method = "blocked_in_time"', baselines=("ridge_lags",))  # fmt: skip
    assert code == 0, err
    decoders = pd.read_parquet(tmp_path / "run" / "decoders.parquet")
    assert (decoders["score_mean"] < 0).all()
    assert set(decoders["score_over"]) == {"segments"}
    assert (decoders["score_low"] < decoders["score_mean"]).all()
    assert cosim("report", str(tmp_path / "run"), "--digest", str(tmp_path / "digest"))[0] == 0
    code, out, _ = cosim("pareto", str(tmp_path / "run"), "--json")
    assert code == 0
    assert {row["score_over"] for row in json.loads(out)} == {"segments"}


def test_subjects_come_before_sessions(tmp_path: Path) -> None:
    """Six subjects with two sessions each are six repetitions, not twelve."""
    targets = np.tile([0, 1], 120)
    subjects = np.repeat([f"p{n}" for n in range(6)], 40)
    sessions = np.repeat([f"p{n // 2}s{n % 2}" for n in range(12)], 20)
    arrays = {"inputs": noise(240), "targets": targets, "subject": subjects, "session": sessions}
    split = 'method = "leave_one_group_out"\ngroup = "session"\nvalidation = "fraction"'
    code, _, err = study(tmp_path, arrays, baselines=("shrinkage_lda",), split=split)
    assert code == 0, err
    row = pd.read_parquet(tmp_path / "run" / "decoders.parquet").iloc[0]
    assert (row["score_over"], row["score_count"], row["folds"]) == ("subjects", 6, 12)
    html = (tmp_path / "run" / "report.html").read_text()
    assert "over 6 subjects" in html


def test_the_positive_class_brings_metrics_of_detection(tmp_path: Path) -> None:
    arrays = {"inputs": noise(80), "targets": np.arange(80) % 2}
    arrays["inputs"][1::2] *= 3
    split = 'method = "stratified_folds"\nfolds = 4'
    code, _, err = study(tmp_path, arrays, split=split, baselines=("csp_lda", "majority"), positive="seizure",
                         names="rest, seizure")  # fmt: skip
    assert code == 0, err
    decoders = pd.read_parquet(tmp_path / "run" / "decoders.parquet")
    best = decoders.loc[decoders["score_mean"].idxmax()]
    assert best["auroc"] > 0.9
    assert best["sensitivity"] > 0.7
    assert np.isfinite(best["false_alarms_per_hour"])
    reasons = json.loads(best["unstated"])
    assert np.isnan(best["latency_s"])
    assert "its begin is unknown" in reasons["latency_s"]
    assert "itr_bits_per_min" in reasons
    assert "sensitivity" in (tmp_path / "run" / "report.html").read_text()
    code, _, err = study(tmp_path, arrays, split=split, baselines=("csp_lda",), positive="seizures",
                         names="rest, seizure")  # fmt: skip
    assert code == 2
    assert "study.positive: there is no class 'seizures'" in err


def test_the_best_on_validation_is_found_without_its_test_score() -> None:
    rows = {"decoder_id": ["a", "a", "b", "b", "c"], "role": ["student"] * 4 + ["baseline"],
            "validation_score": [0.5, 0.6, 0.7, 0.7, 0.9], "score": [0.9, 0.9, 0.1, 0.1, 0.0]}  # fmt: skip
    table = pd.DataFrame(rows)
    assert best_on_validation(table, "student") == "b"
    assert best_on_validation(table, "baseline") == "c"
    assert best_on_validation(table[table["role"] == "student"], "baseline") is None
