"""Lanes of an event-driven core: sums of one word that are read and written at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from energy_models.hardware import Operand, load_profile
from energy_models.mapping.styles.event_driven import count_layer
from energy_models.quantities import Number
from energy_models.workload import LayerWork, synapse_layer


class Words:
    """Memories of one word width."""

    def __init__(self, bits: Number) -> None:
        self.bits = bits

    def word_bits(self, operand: Operand) -> Number:
        return self.bits


def synapses() -> LayerWork:
    """Return 4 inputs onto 8 outputs with 10 events: 80 products into sums of 16 bits."""
    return dataclasses.replace(synapse_layer("synapses", 4, 8, spikes=10, steps=5), accumulator_bits=16)


def state_words(lanes: Number, word: Number) -> Number:
    core = load_profile("event_core_28nm").execution.model_copy(update={"lanes": lanes})
    (state,) = [one for one in count_layer(synapses(), core, Words(word)).accesses if one.operand == "state"]  # type: ignore[arg-type]
    assert np.all(state.reads == state.writes)
    return state.reads


@pytest.mark.parametrize(
    ("lanes", "word", "expected"),
    [
        (1, 64, 80),    # a word for each of 10 x 8 sums
        (2, 64, 40),    # 10 x ceil(8 / 2)
        (3, 64, 30),    # 10 x ceil(8 / 3): the last word of a row holds two
        (8, 64, 20),    # a word holds 64 / 16 = 4 sums: 10 x ceil(8 / 4)
        (8, 16, 80),    # one sum a word, however many lanes
        (8, 8, 160),    # a sum takes two words
    ],
)  # fmt: skip
def test_words_of_state_are_those_of_the_sums_that_lanes_take_together(lanes: int, word: int, expected: int) -> None:
    assert state_words(lanes, word) == expected


def test_many_lanes_and_words_at_once_are_each_of_them_alone() -> None:
    lanes, words = np.array([[1.0], [2.0], [8.0]]), np.array([[8.0, 16.0, 64.0]])
    whole = np.broadcast_to(state_words(lanes, words), (3, 3))
    assert whole.tolist() == [[state_words(one, word) for word in words[0]] for one in lanes[:, 0]]


def test_a_shipped_core_has_one_lane() -> None:
    assert load_profile("event_core_28nm").execution.lanes == 1  # type: ignore[union-attr]
