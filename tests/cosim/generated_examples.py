"""Small generated examples that a classical decoder can learn: trials of two rhythms, spikes of a velocity."""

from __future__ import annotations

import numpy as np
from dense_dataset import dense_dataset

from cosim.datasets.card import Card
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold

CARD = Card("t", "l", "c", "h", ())


def make_trials(seed: int = 0, examples: int = 120) -> tuple[Dataset, Fold]:
    """Two classes told apart by rhythm (6 or 10 Hz, in channels of their own) and by a slow shift."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(examples) % 2)
    time_s = np.arange(64) / 64
    inputs = rng.normal(size=(examples, 4, 64))
    wave = np.sin(2 * np.pi * (6 + 4 * labels[:, None]) * time_s + rng.uniform(0, 6, (examples, 1)))
    inputs[np.arange(examples), labels] += 2 * wave
    inputs[:, 3] += 0.5 * (2 * labels[:, None] - 1)
    recording = np.array([f"r{n:03d}" for n in range(examples)])
    data = dense_dataset("trials", CARD, "classification", (20 * inputs).astype(np.float32), labels, ("6 Hz", "10 Hz"),
                         {"recording": recording}, np.zeros(examples, dtype=np.int64), 64.0)  # fmt: skip
    cut, held = examples // 2, examples - examples // 3
    return data, Fold("f", np.arange(cut), np.arange(cut, held), np.arange(held, examples))


def make_spikes(seed: int = 0, steps: int = 3000, segment: int = 50) -> tuple[Dataset, Fold]:
    """Poisson counts of 12 units tuned to a smooth velocity."""
    rng = np.random.default_rng(seed)
    velocity = np.zeros((steps, 2))
    for step in range(1, steps):
        velocity[step] = 0.95 * velocity[step - 1] + rng.normal(size=2)
    counts = rng.poisson(np.exp(0.8 + 0.2 * velocity @ rng.normal(size=(2, 12))).clip(max=40))
    number = steps // segment
    inputs = counts.reshape(number, segment, 12).transpose(0, 2, 1).astype(np.float32)
    data = dense_dataset("spikes", CARD, "regression", inputs, velocity.reshape(number, segment, 2).astype(np.float32),
                         ("vx", "vy"), {"recording": np.full(number, "a")}, np.arange(number, dtype=np.int64) * segment,
                         20.0, 8)  # fmt: skip
    cut, held = int(0.6 * number), int(0.75 * number)
    return data, Fold("f", np.arange(cut), np.arange(cut + 1, held), np.arange(held + 1, number))
