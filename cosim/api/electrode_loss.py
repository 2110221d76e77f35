"""Scores of trained students with some electrodes dead at test: nothing is trained again.

Channels are those that the network takes, after the dataset's pipeline: what a dead electrode does to the others
through a common reference before that is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cosim.engine.fold_data import FoldData, Inputs, load_fold, outputs_of, part_score
from cosim.engine.stage import Stage
from cosim.engine.stages.result import AFTER
from cosim.engine.store import Store
from cosim.preprocessing.post_filter import BesselFilter
from students.models.store import load_student

Reads = Literal["mean", "zero"]
"""What stands for a dead channel: its mean over the training part, by who knows that it is dead; or zero volts."""
Lost = Sequence[int]


class WithoutChannels(nn.Module):
    """A network whose input has some channels replaced by constants."""

    def __init__(self, model: nn.Module, lost: Lost, values: NDArray[np.float64]) -> None:
        super().__init__()
        self.model = model
        self.lost = torch.as_tensor(list(lost), dtype=torch.int64)
        self.values = torch.as_tensor(values[list(lost)], dtype=torch.float32)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network makes of ``x`` (examples, channels, steps) without the channels that are lost."""
        if not len(self.lost):
            return self.model(x)
        x = x.clone()
        x[:, self.lost] = self.values
        return self.model(x)


def drawn_losses(channels: int, lost: int, *, draws: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Return which channels are lost in each draw: every set of so many equally likely.

    The sets of a seed do not depend on the network, so that decoders are compared on the same ones. Without a loss
    there is one draw.
    """
    if not lost:
        return ((),)
    random = np.random.default_rng([seed, lost])
    return tuple(tuple(sorted(random.permutation(channels)[:lost].tolist())) for _ in range(draws))


def constants_of(data: FoldData, reads: Reads) -> NDArray[np.float64]:
    """Return what a network reads of each channel once its electrode is dead, shape (channels,), as it is scaled."""
    windows = data.dataset.windows
    if reads == "mean":
        return windows.inputs(data.fold.all_training).mean(axis=(0, 2), dtype=np.float64)
    zero = np.zeros((1, len(windows.channels), 1), np.float32)
    return (zero if windows.scaler is None else windows.scaler.apply(zero))[0, :, 0].astype(np.float64)


def scores_with_loss(store: Store, result: Stage, losses: Sequence[Lost], *, reads: Reads) -> list[float]:
    """Return the primary metric on the test part of one fold for each set of lost channels.

    Parameters
    ----------
    store : Store
    result : Stage
        The finished result of a student.
    losses : sequence of sequence of int
        Channels that are lost.
    reads : {'mean', 'zero'}
    """
    fold = result.parents["fold"]
    inputs = cast(Inputs, result.config["inputs"])
    data = load_fold(store.folder(fold.parents["data"].key), store.folder(fold.key), inputs)
    model, _ = load_student(store.folder(result.parents["student"].key))
    after = None if AFTER not in result.config else BesselFilter.model_validate(result.config[AFTER])
    values = constants_of(data, reads)
    return [
        part_score(data, "test", outputs_of(WithoutChannels(model, lost, values), data, "test", "cpu", after))
        for lost in losses
    ]
