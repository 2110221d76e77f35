"""Run a list of operations over a recording, record it, and count it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cosim.preprocessing import signals
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
    Step,
    Widths,
)
from cosim.preprocessing.work import operation_work, window_work
from energy_models.errors import DataError
from energy_models.workload import LayerWork


@dataclass(frozen=True, slots=True)
class Processed:
    """Samples after the pipeline, shape (channels, samples), and their rate [Hz]."""

    samples: signals.Samples
    rate_hz: float


def rate_after(operation: Operation, rate_hz: float) -> float:
    """Return the rate of a signal after one operation [Hz]."""
    match operation:
        case Resample():
            return operation.rate_hz
        case Decimate():
            return rate_hz / operation.factor
        case _:
            return rate_hz


def samples_after(operation: Operation, samples: int, rate_hz: float) -> int:
    """Return how many of `samples` samples are left after one operation."""
    match operation:
        case Resample():
            up, down = signals.factors(operation, rate_hz)
            return -(-samples * up // down)
        case Decimate():
            return -(-samples // operation.factor)
        case _:
            return samples


def check_aliasing(operations: Sequence[Operation], rate_hz: float) -> None:
    """Raise a `DataError` where samples are dropped and no filter before ends below the new Nyquist frequency."""
    highest_hz = rate_hz / 2
    for operation in operations:
        if isinstance(operation, Band) and operation.high_hz is not None:
            highest_hz = min(highest_hz, operation.high_hz)
        rate_hz = rate_after(operation, rate_hz)
        if isinstance(operation, Square):
            highest_hz = min(2 * highest_hz, rate_hz / 2)
        if isinstance(operation, Rectify | Logarithm | SquareRoot):  # all harmonics
            highest_hz = rate_hz / 2
        if isinstance(operation, Decimate) and highest_hz >= rate_hz / 2:
            raise DataError(f"keeping every {operation.factor}th sample leaves {rate_hz:g} Hz, but the signal reaches "
                            f"up to {highest_hz:g} Hz and would alias", where="decimate",
                            remedy="Filter below half the new rate first, decimate less, or resample.")


def process(operations: Sequence[Operation], samples: signals.Samples, rate_hz: float) -> Processed:
    """Return the recording after all operations, in order; the argument is left as it was.

    Parameters
    ----------
    operations : sequence of Operation
    samples : ndarray, shape (channels, samples)
    rate_hz : float
        Sampling rate [Hz].

    Raises
    ------
    DataError
        If a filter cannot be built at its rate, or samples would be dropped without a low-pass before.
    """
    check_aliasing(operations, rate_hz)
    for operation in operations:
        match operation:
            case CommonAverageReference():
                samples = signals.common_average_reference(samples)
            case Band():
                samples = signals.filter_band(samples, operation, rate_hz)
            case Resample():
                samples, rate_hz = signals.resample_causally(samples, operation, rate_hz), operation.rate_hz
            case Decimate():
                samples, rate_hz = samples[:, :: operation.factor], rate_hz / operation.factor
            case SquareRoot():
                samples = signals.square_root(samples)
            case Square():
                samples = np.square(samples)
            case Rectify():
                samples = np.abs(samples)
            case Logarithm():
                samples = signals.logarithm(samples, operation.least)
    return Processed(samples, rate_hz)


def record(operation: Operation, rate_hz: float) -> Step:
    """Return the record of one operation on a signal at `rate_hz`."""
    match operation:
        case CommonAverageReference():
            return Step("common_average_reference", {}, causal=True)
        case Band():
            edges = {"low_hz": operation.low_hz, "high_hz": operation.high_hz}
            known = {name: edge for name, edge in edges.items() if edge is not None}
            extra: dict[str, float | int | str] = {
                "design": "butterworth", "order": operation.order, "sections": len(signals.sections(operation, rate_hz))
            }  # fmt: skip
            return Step(f"{operation.direction} band", {**known, **extra}, causal=operation.direction == "causal")
        case Resample():
            up, down = signals.factors(operation, rate_hz)
            delay_s = signals.resampling_delay_s(operation, rate_hz)
            return Step("resample", {"rate_hz": operation.rate_hz, "up": up, "down": down, "delay_s": delay_s}, True)
        case Decimate():
            return Step("decimate", {"factor": operation.factor, "rate_hz": rate_hz / operation.factor}, causal=True)
        case SquareRoot():
            return Step("square_root", {}, causal=True)
        case Square():
            return Step("square", {}, causal=True)
        case Rectify():
            return Step("rectify", {}, causal=True)
        case Logarithm():
            return Step("logarithm", {"least": operation.least}, causal=True)


def recorded_steps(operations: Sequence[Operation], rate_hz: float) -> tuple[Step, ...]:
    """Return one record per operation, with the parameters that rebuild it."""
    steps: list[Step] = []
    for operation in operations:
        steps.append(record(operation, rate_hz))
        rate_hz = rate_after(operation, rate_hz)
    return tuple(steps)


CUTS = frozenset({"epoch", "segment"})
"""Recorded steps that only say which samples belong to an example."""


def operations_of(steps: Sequence[Step]) -> tuple[Operation, ...]:
    """Return the operations that a record was made of.

    Raises
    ------
    DataError
        A step that is no operation on a recording, such as the binning of spikes.
    """
    return tuple(_operation_of(step) for step in steps if step.name not in CUTS)


def _operation_of(step: Step) -> Operation:
    given: dict[str, Any] = dict(step.parameters)
    match step.name:
        case "common_average_reference":
            return CommonAverageReference()
        case "causal band" | "acausal band":
            direction: Literal["causal", "acausal"] = "causal" if step.causal else "acausal"
            return Band(given.get("low_hz"), given.get("high_hz"), given["order"], direction)
        case "resample":
            return Resample(given["rate_hz"])
        case "decimate":
            return Decimate(given["factor"])
        case "square_root":
            return SquareRoot()
        case "square":
            return Square()
        case "rectify":
            return Rectify()
        case "logarithm":
            return Logarithm(given["least"])
        case _:
            raise DataError(
                f"the recorded step {step.name!r} is none of a recording sample by sample", where="pipeline",
                remedy="Start from codes of what it gives",
            )


def pipeline_work(
    operations: Sequence[Operation],
    *,
    channels: int,
    samples: int,
    rate_hz: float,
    widths: Widths,
    window: Literal["kept", "none"] = "kept",
) -> tuple[LayerWork, ...]:
    """Return the exact work of the pipeline on `samples` source samples of every channel.

    Parameters
    ----------
    operations : sequence of Operation
    channels, samples : int
        Channels, and source samples per example (a whole window, or one step of a regression).
    rate_hz : float
        Source rate [Hz].
    widths : Widths
    window : {'kept', 'none'}
        Whether the processed steps are written to a window buffer for a decoder that reads them at once.
    """
    rows: list[LayerWork] = []
    for operation in operations:
        rows.append(operation_work(operation, channels, samples, rate_hz, widths))
        samples, rate_hz = samples_after(operation, samples, rate_hz), rate_after(operation, rate_hz)
    if window == "kept":
        rows.append(window_work(channels, samples, widths))
    return tuple(rows)
