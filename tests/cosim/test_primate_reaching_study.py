"""The shipped study of the published primate-reaching decoders, run whole by its command on a made session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny_study import cosim

from tests.cosim.reaching_session import made_session, write_session

SMALL = (
    "dataset.options.session=indy_made", "dataset.options.segment_steps=60", "study.seeds=[0]",
    "training.student.epochs=1", "students.5.training.epochs=1", "split.gap_steps=5",
)  # fmt: skip


@pytest.mark.slow
def test_the_published_decoders_run_in_one_command(tmp_path: Path) -> None:
    (tmp_path / "primate_reaching").mkdir()
    write_session(tmp_path / "primate_reaching" / "indy_made.mat", made_session(2400, reach=120))
    settings = [word for one in SMALL for word in ("--set", one)]
    epochs = [word for place in (0, 6, 7, 8) for word in ("--set", f"students.{place}.quantised_training.epochs=1")]
    out = tmp_path / "run"
    cosim("run", "primate_reaching", "--data-dir", str(tmp_path), "--out", str(out), "--workers", "1",
          *settings, *epochs)  # fmt: skip
    scores = pd.read_parquet(out / "scores.parquet")
    wanted = {
        "SNN_Streaming", "SNN_Streaming, block Bessel", "SNN_Streaming, causal Bessel", "SNN_3D",
        "SNN_3D, block Bessel", "tinyRSNN", "ANN", "ANN_3D", "LSTM",
    }  # fmt: skip
    assert set(scores["student"]) == wanted
    assert scores["score"].notna().all()
    of_student = scores[scores["form"] == "float32"].set_index("student")
    assert of_student["score"]["SNN_Streaming"] != of_student["score"]["SNN_Streaming, causal Bessel"]
    assert len(list((out / "stages" / "undistilled").iterdir())) == 6, "a filter trains nothing anew"
    prices = pd.read_parquet(out / "priced.parquet")
    waiting = of_student["workload_digest"]["SNN_3D, block Bessel"]
    assert (prices.loc[prices["workload_digest"] == waiting, "latency_nominal_s"] > 31 / 250).all()
