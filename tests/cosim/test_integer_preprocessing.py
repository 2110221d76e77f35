"""Preprocessing in integers: each stage against float64, in pieces, by hand, refused, and on a real recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.datasets.mne_files import read_continuous
from cosim.datasets.registry import load
from cosim.datasets.ssvep_exoskeleton import GDF_SCALE, find_sessions
from cosim.preprocessing import (
    Band,
    CommonAverageReference,
    Decimate,
    Operation,
    Resample,
    SquareRoot,
    Widths,
    chain_agreement,
    eeg_operations,
    integer_chain,
    process,
)
from energy_models.errors import DataError, StudentError
from students.deploy import decide, lower
from students.deploy.input_chain import InputChain, Keep, Polyphase, Reference, Root, Sections
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training import Examples, fit

RATE_HZ = 256.0
CHAINS: dict[str, tuple[Operation, ...]] = {
    "reference": (CommonAverageReference(),),
    "band-pass": (Band(6.0, 48.0, 2, "causal"),),
    "low-pass": (Band(None, 30.0, 3, "causal"),),
    "resampled": (Resample(100.0),),
    "decimated": (Band(6.0, 48.0, 2, "causal"), Decimate(2)),
    "all": (CommonAverageReference(), Band(7.0, 40.0, 2, "causal"), Decimate(2), Resample(96.0)),
}


def samples(channels: int = 4, many: int = 700, seed: int = 0) -> np.ndarray:
    """Return converter samples of 12 bits with an offset a channel."""
    chance = np.random.default_rng(seed)
    return np.rint(chance.normal(size=(channels, many)) * 300 + np.arange(channels)[:, None] * 200).astype(np.int64)


def made(name: str, channels: int = 4, coefficients: int = 16) -> InputChain:
    widths = Widths(12, coefficient_bits=coefficients)
    return integer_chain(CHAINS[name], rate_hz=RATE_HZ, channels=channels, converter="signed", step=0.1, widths=widths)


@pytest.mark.parametrize("name", CHAINS)
def test_stages_err_by_less_than_one_converter_step(name: str) -> None:
    found = chain_agreement(made(name), CHAINS[name], samples(), rate_hz=RATE_HZ, step=0.1)
    assert found.converter_step == 8  # 16-bit codes keep three more bits than the converter's 12
    assert found.codes > 1000
    assert found.largest < found.converter_step, found
    assert found.deviation < 0.35 * found.converter_step, found


@pytest.mark.parametrize("name", ["band-pass", "low-pass", "resampled"])
def test_wider_coefficients_leave_the_rounding_of_the_codes(name: str) -> None:
    """A code is rounded by up to half a step; products and states add less than that again."""
    found = chain_agreement(made(name, coefficients=24), CHAINS[name], samples(), rate_hz=RATE_HZ, step=0.1)
    assert found.largest < 1.0, found


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(list(CHAINS)), channels=st.integers(1, 5), seed=st.integers(0, 1000),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)  # fmt: skip
def test_a_recording_in_pieces_is_the_whole(name: str, channels: int, seed: int, cuts: list[int]) -> None:
    chain, given_samples = made(name, channels), samples(channels, 200, seed)
    kept, pieces = chain.start(given_samples[:, 0]), []
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 200], strict=True):
        found, kept = chain.advance(given_samples[:, start:stop], kept)
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), chain.run(given_samples))


@pytest.mark.parametrize("name", ["reference", "band-pass", "low-pass", "resampled", "all"])
def test_a_lasting_sample_makes_no_transient(name: str) -> None:
    """Within the rounding of states, less than one converter step."""
    found = made(name).run(np.full((4, 300), 1200, dtype=np.int64))
    assert np.ptp(found, axis=1).max() <= 8


def test_stages_by_hand() -> None:
    """Mean of 4, 8 and 3 as their sum times a third (21845 / 65536): 4.99985, that is 5. Half of each new sample and
    half of the state: 8 gives 4, then 0 gives 0 + 4 = 4 (s1 = b1 x - a1 y + s2 with b1 = 0, a1 = -1/2, so 2), ..."""
    three = np.array([[4], [8], [3]])
    assert Reference(21845, 16).run(three, ())[0].ravel().tolist() == [-1, 3, -2]
    halves = Sections(np.array([[8, 0, 0, -8, 0]]), 4)  # y = x / 2 + s1, s1 = y / 2
    start = np.zeros((1, 1), dtype=np.int64)
    found, (first, second) = halves.run(np.array([[64, 0, 0, 0]]), (start, start))
    assert found.ravel().tolist() == [32, 16, 8, 4]
    assert (first.item(), second.item()) == (2, 0)
    assert [one.tolist() for one in halves.first(np.array([64]))] == [[[32]], [[0]]]  # at rest y = 64
    assert halves.first(np.array([2**55 + 1]))[0].item() == 2**54 + 1  # (2^55 + 1) / 2, ties up; no float holds it
    tied = Sections(np.array([[4, 0, 0, -8, 0]]), 4).first(np.array([1, 3, -1, -3]))[0]  # at rest y = x / 2, ties up
    assert tied.tolist() == [[1, 1, 0, 0]]  # s1 = y / 2: of 1, 2, 0 and -1
    thirds = Keep(3)
    found, kept = thirds.run(np.arange(4)[None], thirds.first(np.zeros(1)))
    assert (found.tolist(), thirds.run(np.arange(4, 9)[None], kept)[0].tolist()) == ([[0, 3]], [[6]])
    assert Root(4).run(np.array([[4 << 4, 2 << 4, 0]]), ())[0].tolist() == [[32, 22, 0]]  # 2, 1.414 and 0 in 16ths
    doubled = Polyphase(np.array([[2, 0], [1, 1]]), 1, 1)  # the sample, then the mean of it and the one before
    assert doubled.run(np.array([[0, 4, 8]]), doubled.first(np.array([0])))[0].tolist() == [[0, 0, 4, 2, 8, 6]]


def test_roots_of_counts() -> None:
    chain = integer_chain((SquareRoot(),), rate_hz=20.0, channels=1, converter="unsigned", step=1.0, widths=Widths(8))
    counts = np.arange(200)[None]
    found = chain_agreement(chain, (SquareRoot(),), counts, rate_hz=20.0, step=1.0)
    assert found.largest <= 1.0
    with pytest.raises(DataError, match=r"root of samples whose step is 0\.5"):
        integer_chain((SquareRoot(),), rate_hz=20.0, channels=1, converter="unsigned", step=0.5, widths=Widths(8))


@pytest.mark.parametrize(("operations", "why"), [
    ((Band(6.0, 48.0, 2, "acausal"),), "runs backward in time"),
    ((Band(0.5, 40.0, 2, "causal"),), "16-bit coefficients make unstable"),
    ((Decimate(4),), "would alias"),
])  # fmt: skip
def test_what_no_device_can_do_is_refused(operations: tuple[Operation, ...], why: str) -> None:
    with pytest.raises(DataError, match=why):
        integer_chain(operations, rate_hz=512.0, channels=2, converter="signed", step=1.0, widths=Widths(12))


def test_low_edges_are_held_by_wider_coefficients() -> None:
    operations, widths = (Band(0.5, 40.0, 2, "causal"),), Widths(12, coefficient_bits=24)
    chain = integer_chain(operations, rate_hz=512.0, channels=4, converter="signed", step=1.0, widths=widths)
    found = chain_agreement(chain, operations, samples(), rate_hz=512.0, step=1.0)
    assert found.largest < found.converter_step


@pytest.mark.parametrize("bad", ["wide", "float", "channels", "empty"])
def test_what_is_no_sample_is_an_error(bad: str) -> None:
    chain, right = made("band-pass"), samples()
    wrong = {"wide": right * 100, "float": right * 0.5, "channels": right[:2], "empty": right[:, :0]}[bad]
    with pytest.raises(DataError, match="input chain"):
        chain.run(wrong)


def test_a_state_that_is_too_narrow_says_so() -> None:
    narrow = replace(made("band-pass"), state_bits=20)
    with pytest.raises(StudentError, match="20 bits hold less than 524288"):
        narrow.run(samples())


@pytest.mark.slow
@pytest.mark.recordings
def test_samples_of_eeg_become_decisions_in_integers(recordings: Path) -> None:
    """A session of 8 electrodes at 256 Hz, converted to 16 bits, through the dataset's own band-pass and a student."""
    data = load("ssvep_exoskeleton", data_dir=recordings, options={"subjects": "1"})
    path = next(iter(find_sessions(recordings / "ssvep_exoskeleton").values()))
    read = read_continuous(path)
    signal = np.asarray(read.read(0, read.steps), dtype=np.float64) * (GDF_SCALE if path.suffix == ".gdf" else 1.0)
    step = float(np.abs(signal).max()) / 2**15
    converted = np.clip(np.rint(signal / step), -(2**15), 2**15 - 1).astype(np.int64)
    chain = integer_chain(
        EEG, rate_hz=read.rate_hz, channels=len(signal), converter="signed", step=step, widths=Widths(16)
    )
    found = chain_agreement(chain, EEG, converted, rate_hz=read.rate_hz, step=step)
    assert found.codes == signal.size
    assert found.largest < 8, found  # of 65,536 codes
    assert found.deviation < 1, found
    integers, floats = chain.run(converted), process(EEG, signal, read.rate_hz).samples / chain.output_unit
    first = data.windows.recording == 0
    starts, steps = data.windows.starts[first], data.windows.steps
    seen = np.asarray(data.windows.inputs(np.flatnonzero(first)), dtype=np.float64)
    np.testing.assert_allclose(seen[0], floats[:, starts[0] : starts[0] + steps] * chain.output_unit, rtol=1e-3)
    mean, deviation = seen.mean(axis=(0, 2)), seen.std(axis=(0, 2))
    model, shape = _student(seen, mean, deviation, data.target_values[first])
    graph = lower(model, shape, codes=chain.codes(mean, deviation))
    both = [
        decide(graph, np.stack([np.rint(one[:, at : at + steps]).astype(np.int64) for at in starts]))
        for one in (integers, floats)
    ]
    assert len(both[0]) > 20
    assert len(set(both[0].tolist())) > 1
    assert int((both[0] != both[1]).sum()) == 0


EEG = eeg_operations(reference="none", low_hz=6.0, high_hz=48.0, order=2, direction="causal", resample_hz=None)


def _student(
    seen: np.ndarray, mean: np.ndarray, deviation: np.ndarray, targets: np.ndarray
) -> tuple[torch.nn.Module, Shape]:
    """Return an EEGNet of 8 bits, trained on the windows a little."""
    shape = Shape(task="classification", channels=seen.shape[1], steps=seen.shape[2], outputs=3, step_rate_hz=256.0)
    inputs = torch.from_numpy((seen - mean[:, None]) / deviation[:, None]).float()
    training = Training(epochs=20, batch_size=8, learning_rate=5e-3)
    spec = StudentSpec(family="eegnet", shape=shape, training=training, seed=1)
    model = build(spec)
    examples = Examples(inputs, torch.from_numpy(np.asarray(targets)))
    fit(model, examples, examples, spec)
    return quantised_from_float(spec.model_copy(update={"form": parse_form("w8a8")}), model, inputs).eval(), shape
