"""Power, envelope and logarithm of a band in integers: against float64, in pieces, by hand, refused, on a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.datasets.mne_files import read_continuous
from cosim.datasets.ssvep_exoskeleton import GDF_SCALE, find_sessions
from cosim.preprocessing import (
    Band,
    Decimate,
    Logarithm,
    Operation,
    Rectify,
    Square,
    SquareRoot,
    Widths,
    band_power_operations,
    chain_agreement,
    integer_chain,
    pipeline_work,
    process,
    recorded_steps,
)
from energy_models.errors import DataError, StudentError
from students.deploy.input_chain import InputChain, logarithm_entries
from students.deploy.input_chain import Logarithm as LogarithmByTable
from students.deploy.input_chain import Square as Squared

RATE_HZ = 256.0
Measure = Literal["power", "amplitude", "envelope", "log_power"]
MEASURES: tuple[Measure, ...] = ("power", "amplitude", "envelope", "log_power")


def operations(measure: Measure) -> tuple[Operation, ...]:
    return band_power_operations(
        low_hz=8.0, high_hz=13.0, order=2, smooth_hz=2.0, decimate=16, measure=measure, least=0.05
    )


def samples(channels: int = 3, many: int = 2048, seed: int = 0) -> np.ndarray:
    """Return converter samples of 14 bits: noise and a rhythm of 10 Hz that grows, on an offset a channel."""
    chance, time = np.random.default_rng(seed), np.arange(many) / RATE_HZ
    rhythm = np.sin(2 * np.pi * 10 * time) * (100 + 900 * time / time[-1])
    return np.rint(chance.normal(size=(channels, many)) * 150 + rhythm + np.arange(channels)[:, None] * 500).astype(int)


def made(measure: Measure, channels: int = 3, bits: int = 14) -> InputChain:
    return integer_chain(
        operations(measure), rate_hz=RATE_HZ, channels=channels, converter="signed", step=0.1, widths=Widths(bits)
    )


def allowed(measure: Measure, exact: np.ndarray, unit: float, step: float) -> np.ndarray:
    """Return how far a measure may be off: coefficients of 16 bits make filters 0.3 % too strong or too weak."""
    if measure == "log_power":
        return np.full_like(exact, 0.02)
    return exact * (0.006 if measure == "power" else 0.003) + unit + (0 if measure == "power" else 2 * step)


@pytest.mark.parametrize("bits", [14, 16])
@pytest.mark.parametrize("measure", MEASURES)
def test_measures_are_those_of_float64(measure: Measure, bits: int) -> None:
    chain, given = made(measure, bits=bits), samples()
    exact = process(operations(measure), given * 0.1, RATE_HZ).samples
    apart = np.abs(chain.run(given) * chain.output_unit + chain.output_offset - exact)
    settled = exact > (0.0 if measure == "log_power" else 1.0)  # a power of one, 100 squared steps of the converter
    assert settled.mean() > 0.9
    assert bool((apart <= allowed(measure, exact, chain.output_unit, 0.1))[settled].all())
    agreed = chain_agreement(chain, operations(measure), given, rate_hz=RATE_HZ, step=0.1)
    assert agreed.codes == exact.size
    assert agreed.largest == pytest.approx(float(apart.max() / chain.output_unit), rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(measure=st.sampled_from(MEASURES), seed=st.integers(0, 999), cuts=st.lists(st.integers(1, 400), max_size=4))
def test_a_recording_in_pieces_is_the_whole(measure: Measure, seed: int, cuts: list[int]) -> None:
    chain, given = made(measure, 2), samples(2, 500, seed)
    kept, pieces = chain.start(given[:, 0]), list[np.ndarray]()
    for piece in np.split(given, sorted(cuts), axis=1):
        found, kept = chain.advance(piece, kept)
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), chain.run(given))


def test_a_logarithm_by_hand() -> None:
    """1 is 2^0: 0. 6 is 2^2 times 1.5: 2048 + 1024 log2(1.5) = 2048 + 599. 2^20 + 2^19: 20480 + 599. Below 1: as 1. The
    largest of 32 bits rounds up to 2^31: 31744."""
    stage = LogarithmByTable(1, logarithm_entries())
    found, _ = stage.run(np.array([[1, 6, 2**20 + 2**19, 0, -9, 2**31 - 1]]), ())
    assert found.tolist() == [[0, 2647, 21079, 0, 0, 31744]]
    numbers = np.unique(np.geomspace(1, 2**31 - 1, 5000).astype(np.int64))[None]
    error = stage.run(numbers, ())[0] / 1024 - np.log2(numbers)
    assert float(np.abs(error).max()) < 2**-9


def test_squares_by_hand() -> None:
    """3 * 3 / 4 = 2.25, 5 * 5 / 4 = 6.25, 6 * 6 / 4 = 9, 2 * 2 / 8 = 0.5, which rounds up."""
    assert Squared(2).run(np.array([[3, -5, 6]]), ())[0].tolist() == [[2, 6, 9]]
    assert Squared(3).run(np.array([[2]]), ())[0].tolist() == [[1]]


def test_what_does_not_fit_is_refused() -> None:
    def chain(*given: Operation) -> InputChain:
        return integer_chain(given, rate_hz=RATE_HZ, channels=1, converter="signed", step=0.1, widths=Widths(12))

    with pytest.raises(DataError, match="Band behind a logarithm"):
        chain(Square(), Logarithm(0.1), Band(None, 2.0, 1, "causal"))
    with pytest.raises(DataError, match="logarithm of values from 0 on"):
        chain(Square(), Logarithm(0.0))
    with pytest.raises(DataError, match="logarithm of values from 0 on"):
        process((Logarithm(0.0),), np.ones((1, 4)), RATE_HZ)
    with pytest.raises(DataError, match=r"square root of samples whose step is 0\.1"):
        chain(SquareRoot())
    with pytest.raises(DataError, match="would alias"):  # a square doubles what its band reaches up to
        chain(Band(8.0, 30.0, 2, "causal"), Square(), Decimate(3))
    with pytest.raises(DataError, match="would alias"):
        chain(Band(8.0, 30.0, 2, "causal"), Rectify(), Decimate(3))


def test_a_power_beyond_its_state_says_so() -> None:
    """A high-pass makes a jump from one end of 16 bits to the other 17 bits high; its square has 34."""
    given = np.full((1, 64), 32767)
    given[0, 32:] = -32768
    high = integer_chain(
        (Band(2.0, None, 1, "causal"), Square()), rate_hz=RATE_HZ, channels=1, converter="signed", step=1.0,
        widths=Widths(16),
    )  # fmt: skip
    with pytest.raises(StudentError, match="where 32 bits hold less"):
        high.run(given)


def test_work_and_record() -> None:
    rows = pipeline_work(operations("log_power"), channels=3, samples=160, rate_hz=RATE_HZ, widths=Widths(14))
    named = {row.name.removeprefix("pipeline."): row for row in rows}
    assert {name: count.mean for name, count in named["square"].operations.items()} == {"multiply": 480}
    assert {name: count.mean for name, count in named["logarithm"].operations.items()} == {
        "compare": 30, "lookup": 30, "add": 30,
    }  # fmt: skip
    assert (named["logarithm"].constants, named["logarithm"].constant_bits) == (513, 16)
    steps = recorded_steps(operations("log_power"), RATE_HZ)
    assert [step.name for step in steps] == ["causal band", "square", "causal band", "decimate", "logarithm"]


@pytest.mark.slow
@pytest.mark.recordings
@pytest.mark.parametrize("measure", MEASURES)
def test_a_session_of_eeg(recordings: Path, measure: Measure) -> None:
    """8 electrodes at 256 Hz, converted to 16 bits: the alpha band's measures in integers and in float64."""
    path = next(iter(find_sessions(recordings / "ssvep_exoskeleton").values()))
    read = read_continuous(path)
    signal = np.asarray(read.read(0, min(read.steps, 20_000)), dtype=np.float64)
    signal *= GDF_SCALE if path.suffix == ".gdf" else 1.0
    step = float(np.abs(signal).max()) / 2**15
    least = 16 * step**2
    given = band_power_operations(
        low_hz=8.0, high_hz=13.0, order=2, smooth_hz=2.0, decimate=16, measure=measure, least=least
    )
    chain = integer_chain(
        given, rate_hz=read.rate_hz, channels=len(signal), converter="signed", step=step, widths=Widths(16)
    )
    converted = np.clip(np.rint(signal / step), -(2**15), 2**15 - 1).astype(np.int64)
    exact = process(given, converted * step, read.rate_hz).samples
    apart = np.abs(chain.run(converted) * chain.output_unit + chain.output_offset - exact)
    assert exact.size > 8_000
    assert bool((apart <= allowed(measure, exact, chain.output_unit, step)).all())
