"""Scores of trained students with electrodes dead at test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cosim.api.electrode_loss import WithoutChannels, drawn_losses
from cosim.api.finished_run import load_run
from energy_models.errors import StudentError, StudyError


class Sums(nn.Module):
    """Adds all channels and steps of an example."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=(1, 2))


def test_lost_channels_read_their_constants_and_the_input_stays_as_it_is() -> None:
    # 3 channels of 2 steps of 1, 10, 100; channel 1 reads 5: 2 + 10 + 200
    x = torch.tensor([[[1.0, 1.0], [10.0, 10.0], [100.0, 100.0]]])
    found = WithoutChannels(Sums(), [1], np.array([4.0, 5.0, 6.0]))(x)
    assert found.tolist() == [212.0]
    assert x.sum().item() == 222.0


def test_draws_take_each_channel_equally_often_and_are_of_their_seed() -> None:
    sets = drawn_losses(4, 2, draws=600, seed=3)
    assert all(len(set(one)) == 2 for one in sets)
    # each of 4 channels is in half of 600 sets: 300, standard deviation sqrt(600 / 4) = 12.2; four of them are 49
    assert np.all(np.abs(np.bincount(np.ravel(sets), minlength=4) - 300) < 49)
    assert sets == drawn_losses(4, 2, draws=600, seed=3) != drawn_losses(4, 2, draws=600, seed=4)
    assert drawn_losses(4, 0, draws=20, seed=0) == ((),)


def test_without_a_loss_the_score_is_that_of_the_run(finished: Path) -> None:
    run = load_run(finished)
    for label in ("EEGNet-1 w4a4", "Spikes spiking"):
        decoder = run.decoder(label)
        table: Any = decoder.with_electrodes_lost([0, 3], draws=3)
        assert table["score"][0] == pytest.approx(decoder.scores["score"].mean(), abs=1e-12)
        assert table["draws"].tolist() == [1, 3]
        assert table["draws_low"][1] <= table["score"][1] <= table["draws_high"][1]
        again: Any = decoder.with_electrodes_lost([3], draws=3)
        assert again["score"][0] == table["score"][1]


def test_what_cannot_be_lost_is_refused(finished: Path) -> None:
    decoder = load_run(finished).decoder("Spikes spiking")
    for lost, how, said in (([4], {}, "0 to 3"), ([], {}, "0 to 3"), ([1], {"draws": 0}, "one draw or more"),
                            ([1], {"reads": "noise"}, "'mean' or 'zero'")):  # fmt: skip
        with pytest.raises(StudyError, match=said):
            decoder.with_electrodes_lost(lost, **how)  # pyright: ignore[reportArgumentType]
    baseline = next(one for one in load_run(finished).decoders if "CSP" in one)
    with pytest.raises(StudentError, match="it is no student"):
        load_run(finished).decoder(baseline).with_electrodes_lost([1])
