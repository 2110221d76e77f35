"""Run a list of operations over a recording, record it, and count it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cosim.datasets.types import Step
from cosim.preprocessing import signals
from cosim.preprocessing.operations import Band, CommonAverageReference, Operation, Resample, SquareRoot, Widths
from cosim.preprocessing.work import operation_work, window_work
from energy_models.workload import LayerWork


@dataclass(frozen=True, slots=True)
class Processed:
    """Samples after the pipeline, shape (channels, samples), and their rate [Hz]."""

    samples: signals.Samples
    rate_hz: float


def process(operations: Sequence[Operation], samples: signals.Samples, rate_hz: float) -> Processed:
    """Return the recording after all operations, in order; the argument is left as it was.

    Parameters
    ----------
    operations : sequence of Operation
    samples : ndarray, shape (channels, samples)
    rate_hz : float
        Sampling rate [Hz].
    """
    for operation in operations:
        match operation:
            case CommonAverageReference():
                samples = signals.common_average_reference(samples)
            case Band():
                samples = signals.filter_band(samples, operation, rate_hz)
            case Resample():
                samples, rate_hz = signals.resample_causally(samples, operation, rate_hz), operation.rate_hz
            case SquareRoot():
                samples = signals.square_root(samples)
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
        case SquareRoot():
            return Step("square_root", {}, causal=True)


def recorded_steps(operations: Sequence[Operation], rate_hz: float) -> tuple[Step, ...]:
    """Return one record per operation, with the parameters that rebuild it."""
    steps: list[Step] = []
    for operation in operations:
        steps.append(record(operation, rate_hz))
        rate_hz = operation.rate_hz if isinstance(operation, Resample) else rate_hz
    return tuple(steps)


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
        if isinstance(operation, Resample):
            up, down = signals.factors(operation, rate_hz)
            samples, rate_hz = -(-samples * up // down), operation.rate_hz
    if window == "kept":
        rows.append(window_work(channels, samples, widths))
    return tuple(rows)
