"""Silent and exploding networks: their rates by hand, in the results, and as warnings of the run's page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

from cosim.report.inputs import firing_warnings
from cosim.tables.results import write_parquet
from cosim.tables.widths import firing_text
from cosim.tables.workloads import WORKLOADS, StoredWorkload
from energy_models.workload import Workload, firing_rates, workload_digest, workload_text
from students.counting import observe
from students.neurons import LIF, ZeroInitialState


def network(threshold: float) -> nn.Module:
    """Two neurons that get the input as it is, and one behind them that is never driven."""
    first, last = nn.Conv1d(2, 2, 1, bias=False), nn.Conv1d(2, 1, 1, bias=False)
    first.weight.data = torch.eye(2)[..., None]
    last.weight.data.zero_()
    neurons = (ZeroInitialState(LIF(size, 0.0, threshold, reset="none")) for size in (2, 1))
    return nn.Sequential(first, next(neurons), last, next(neurons))


def work(threshold: float, mode: str = "stream") -> Workload:
    signal = torch.tensor([[[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]]])
    return observe(network(threshold), signal, name="net", mode=mode, step_rate_hz=20.0, input_bits=8)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["stream", "window"])
def test_rates_by_hand(mode: str) -> None:
    """Above .5 the two neurons fire in 2 and 3 of 4 steps: 5 of 8; with a threshold of 2 in none."""
    assert [one.rate for one in firing_rates(work(0.5, mode).layers)] == [5 / 8, 0.0]
    assert [one.warning for one in firing_rates(work(0.5, mode).layers)] == ["", "3.neurons never fires"]
    assert [one.rate for one in firing_rates(work(2.0, mode).layers)] == [0.0, 0.0]


def test_a_layer_that_fires_almost_always_is_told() -> None:
    rates = firing_rates(work(0.5).layers)
    assert replace(rates[0], rate=0.97).warning == "1.neurons fires in 97% of all steps"


def test_results_name_rates_and_what_is_wrong_with_them() -> None:
    assert firing_text(work(0.5)) == "1.neurons 0.625, 3.neurons 0 (never fires)"
    assert firing_text(work(0.5).replace(layers=())) == ""


def test_the_page_warns_of_layers_with_their_decoders_seeds_and_folds(tmp_path: Path) -> None:
    loud, silent = work(0.5), work(2.0)
    stored = [StoredWorkload(workload_digest(one), workload_text(one)) for one in (loud, silent)]
    write_parquet(stored, tmp_path / WORKLOADS)
    rows = [("A", 0, "f1", True, stored[0]), ("A", 1, "f1", True, stored[1]), ("B", 0, "f1", False, stored[1])]
    scores = pd.DataFrame(
        [(*row[:4], row[4].workload_digest) for row in rows],
        columns=["decoder", "seed", "fold", "spiking", "workload_digest"],
    )
    run = SimpleNamespace(scores=scores, folder=tmp_path)
    assert firing_warnings(run) == [  # type: ignore[arg-type]
        {"line": "1.neurons never fires", "decoders": ["A (seed 1 of f1)"]},
        {"line": "3.neurons never fires", "decoders": ["A (seed 0 of f1; seed 1 of f1)"]},
    ]
    assert firing_warnings(SimpleNamespace(scores=scores, folder=tmp_path / "none")) == []  # type: ignore[arg-type]
