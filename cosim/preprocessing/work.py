"""Exact work of each preprocessing operation, as rows a machine can price.

The rows count what a fixed-point implementation of the recorded pipeline does for the source samples of one
example (one window, or one step of a regression). A decoder whose windows overlap, or leave gaps, filters
each incoming sample once: the rows' cadence is the sample, and they are priced by the second, not by the decode.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from cosim.preprocessing.operations import (
    Band,
    CommonAverageReference,
    Decimate,
    Logarithm,
    Operation,
    Rectify,
    Resample,
    Square,
    SquareRoot,
    Widths,
)
from cosim.preprocessing.signals import factors, resampling_taps, sections
from energy_models.workload import Count, LayerWork
from students.deploy.input_chain import LOGARITHM_ENTRIES

MULTIPLIES_PER_SECTION = 5  # b0 b1 b2 a1 a2 of a direct form II transposed section
ADDS_PER_SECTION = 4
STATES_PER_SECTION = 2


def _row(
    name: str,
    channels: int,
    samples: tuple[int, int],
    operations: Mapping[str, int],
    widths: Widths,
    *,
    coefficients: int = 0,
    state: tuple[int, int, int] = (0, 0, 0),
) -> LayerWork:
    """Return a row of kind ``filter``; `samples` is (in, out) per channel, `state` (elements, reads, writes)."""
    before, after = samples
    return LayerWork(
        name=f"pipeline.{name}", kind="filter", arithmetic="integer", calls=before,
        input_shape=(channels,), output_shape=(channels,), inputs=channels * before, outputs=channels * after,
        operations={kind: Count.constant(number, 1) for kind, number in operations.items() if number},
        weights=coefficients, weights_nonzero=coefficients, weights_key=f"pipeline.{name}" if coefficients else "",
        weight_bits=widths.coefficient_bits if coefficients else 0,
        activation_bits=widths.sample_bits, output_bits=widths.sample_bits, accumulator_bits=widths.state_bits,
        state_bits=widths.state_bits if state[0] else 0,
        state_elements=state[0], state_reads=state[1], state_writes=state[2],
        cadence="sample",  # it runs on every sample that arrives, however often a decision is asked for
    )  # fmt: skip


def reference_work(channels: int, samples: int, widths: Widths) -> LayerWork:
    """Return the work of a common average reference: C-1 additions, one product by 1/C, C subtractions a sample."""
    operations = {"add": (2 * channels - 1) * samples, "multiply": samples}
    return _row("common_average_reference", channels, (samples, samples), operations, widths)


def band_work(band: Band, channels: int, samples: int, rate_hz: float, widths: Widths) -> LayerWork:
    """Return the work of a Butterworth filter: 5 multiplies, 4 additions, 2 states a section, channel and sample.

    The acausal form does all of it twice.
    """
    number = len(sections(band, rate_hz))
    passes = 2 if band.direction == "acausal" else 1
    visits = number * channels * samples * passes
    state = STATES_PER_SECTION * number * channels
    touched = STATES_PER_SECTION * visits
    return _row(
        "band", channels, (samples, samples),
        {"multiply": MULTIPLIES_PER_SECTION * visits, "add": ADDS_PER_SECTION * visits}, widths,
        coefficients=MULTIPLIES_PER_SECTION * number, state=(state, touched, touched),
    )  # fmt: skip


def resample_work(resample: Resample, channels: int, samples: int, rate_hz: float, widths: Widths) -> LayerWork:
    """Return the work of a polyphase resampler: one product per tap of the longest phase, each output and channel.

    The delay line holds one sample per tap of a phase; every incoming sample is written to it once.
    """
    up, down = factors(resample, rate_hz)
    taps = len(resampling_taps(resample, rate_hz))
    phase = math.ceil(taps / up)
    outputs = -(-samples * up // down)
    return _row(
        "resample", channels, (samples, outputs),
        {"multiply": phase * outputs * channels, "add": (phase - 1) * outputs * channels}, widths,
        coefficients=taps, state=(phase * channels, phase * outputs * channels, samples * channels),
    )  # fmt: skip


def operation_work(operation: Operation, channels: int, samples: int, rate_hz: float, widths: Widths) -> LayerWork:
    """Return the work of one operation on `samples` samples of each channel."""
    match operation:
        case CommonAverageReference():
            return reference_work(channels, samples, widths)
        case Band():
            return band_work(operation, channels, samples, rate_hz, widths)
        case Resample():
            return resample_work(operation, channels, samples, rate_hz, widths)
        case Decimate():
            return _row("decimate", channels, (samples, -(-samples // operation.factor)), {}, widths)
        case SquareRoot():
            work = _row("square_root", channels, (samples, samples), {"square_root": channels * samples}, widths)
            return dataclasses.replace(work, kind="feature")
        case Square():
            work = _row("square", channels, (samples, samples), {"multiply": channels * samples}, widths)
            return dataclasses.replace(work, kind="feature")
        case Rectify():
            work = _row("rectify", channels, (samples, samples), {"compare": channels * samples}, widths)
            return dataclasses.replace(work, kind="feature")
        case Logarithm():
            return _logarithm_work(channels, samples, widths)


def _logarithm_work(channels: int, samples: int, widths: Widths) -> LayerWork:
    """Return the work of a logarithm by table: a comparison, a look-up and an addition (of the leading bit's place)."""
    each = channels * samples
    operations = {"compare": each, "lookup": each, "add": each}
    work = _row("logarithm", channels, (samples, samples), operations, widths)
    return dataclasses.replace(
        work, kind="feature", constants=LOGARITHM_ENTRIES, constant_bits=widths.coefficient_bits
    )


def window_work(channels: int, steps: int, widths: Widths) -> LayerWork:
    """Return the work of keeping a window: every step is written once; the first layer's reads are its own."""
    words = channels * steps
    row = _row("window", channels, (steps, steps), {}, widths, state=(words, 0, words))
    return dataclasses.replace(row, state_bits=widths.sample_bits)
