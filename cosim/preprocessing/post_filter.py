"""A Bessel low-pass over a decoder's estimates: causal, or forward and backward within blocks that are waited for.

After Zhou, Sun and Basu (2023, arXiv 2312.15889), whose published filters are of order 4 with cut-offs of 5.0 to 6.6 Hz
at 250 Hz and blocks of 32 steps. A causal filter gives each estimate at once, but it lags behind what is decoded by the
filter's group delay. A block is filtered without lag, but its first estimate waits until the block is full. A wait
is part of the latency. A lag is not: the estimate is there when it is due, what it costs is in the score, and the lag
is stated beside it (`Workload.lag_s`).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import scipy.signal  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.preprocessing.signals import PAD_PER_TAP
from cosim.preprocessing.work import ADDS_PER_SECTION, MULTIPLIES_PER_SECTION, STATES_PER_SECTION
from energy_models.errors import DataError
from energy_models.workload import Arithmetic, Count, LayerWork

_signal: Any = scipy.signal  # scipy ships no types for its signal functions
ROW = "after.bessel"
SAMPLE_BITS, COEFFICIENT_BITS, STATE_BITS = 16, 16, 32  # of an integer decoder, as in its preprocessing
FLOAT_BITS = 32
TAPS = 3  # of numerator and denominator of a section
Estimates = NDArray[np.float64]


class BesselFilter(BaseModel):
    """A Bessel low-pass over the estimates of a stream.

    Parameters
    ----------
    name : {'bessel'}
    order : int
    cutoff_hz : float
        Where its phase is half of what it becomes (``norm="phase"`` of `scipy.signal.bessel`) [Hz].
    direction : {'causal', 'block'}
        ``block``: forward and backward over each block of estimates, once the last of them is there.
    block_steps : int
        Estimates in a block.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Literal["bessel"] = "bessel"
    order: int = Field(default=4, ge=1, le=10)
    cutoff_hz: float = Field(gt=0)
    direction: Literal["causal", "block"] = "causal"
    block_steps: int = Field(default=32, ge=2, le=100_000)

    @property
    def title(self) -> str:
        """The filter in words."""
        how = "causal" if self.direction == "causal" else f"both ways in blocks of {self.block_steps}"
        return f"Bessel low-pass of order {self.order} at {self.cutoff_hz:g} Hz, {how}"

    @property
    def _section_count(self) -> int:
        return math.ceil(self.order / 2)

    def sections(self, rate_hz: float) -> NDArray[np.float64]:
        """Return its second-order sections, shape (sections, 6).

        Raises
        ------
        DataError
            A cut-off that is not below half the rate.
        """
        if not self.cutoff_hz < rate_hz / 2:
            raise DataError(
                f"a cut-off of {self.cutoff_hz:g} Hz is not below half the rate of estimates, {rate_hz / 2:g} Hz",
                where="after", remedy="Choose a lower one.",
            )  # fmt: skip
        made = _signal.bessel(self.order, self.cutoff_hz, fs=rate_hz, output="sos", norm="phase")
        return np.asarray(made, dtype=np.float64)

    def apply(self, estimates: Estimates, rate_hz: float) -> Estimates:
        """Return the filtered estimates of one contiguous segment, shape (steps, outputs).

        The causal filter starts as if the first estimate had lasted for ever; a block is continued oddly at both ends,
        as `scipy.signal.filtfilt` does; the last block may be shorter.
        """
        sos = self.sections(rate_hz)
        if self.direction == "causal":
            start = np.asarray(_signal.sosfilt_zi(sos))[:, :, None] * estimates[None, :1]
            return np.asarray(_signal.sosfilt(sos, estimates, axis=0, zi=start)[0], dtype=np.float64)
        cuts = range(self.block_steps, len(estimates), self.block_steps)
        blocks = [self._both_ways(sos, block) for block in np.split(estimates, list(cuts))]
        return np.concatenate(blocks)

    def _both_ways(self, sos: NDArray[np.float64], block: Estimates) -> Estimates:
        reflected = min(self._reflected, len(block) - 1)
        return np.asarray(_signal.sosfiltfilt(sos, block, axis=0, padlen=reflected), dtype=np.float64)

    @property
    def _reflected(self) -> int:
        """Steps that a block is continued by at either end, where it is as long."""
        return min(PAD_PER_TAP * (self.order + 1), self.block_steps - 1)

    def delay_s(self, rate_hz: float) -> float:
        """Return how long an estimate waits at most for the others of its block [s]; 0 for a causal filter."""
        return (self.block_steps - 1) / rate_hz if self.direction == "block" else 0.0

    def lag_s(self, rate_hz: float) -> float:
        """Return how far estimates lag behind what changes slowly [s]; 0 for a block, whose phases cancel.

        The group delay ``-d phase / d omega`` at frequency 0 (as `scipy.signal.group_delay` computes it): each section
        ``B(z)/A(z)`` adds ``sum_n n b_n / sum_n b_n - sum_n n a_n / sum_n a_n`` steps. A ramp comes out so much late; a
        Bessel filter's delay is nearly the same up to its cut-off.

        Raises
        ------
        DataError
            As `sections`.
        """
        if self.direction == "block":
            return 0.0
        sections = self.sections(rate_hz).reshape(-1, 2, TAPS)
        means = sections @ np.arange(TAPS) / sections.sum(axis=-1)
        return float((means[:, 0] - means[:, 1]).sum() / rate_hz)

    def work(self, outputs: int, decodes: int, arithmetic: Arithmetic) -> LayerWork:
        """Return its work a decode, over so many of them; that of a block spread over its steps, rounded up.

        A section makes 5 products and 4 additions and keeps 2 states, a step and output. A block passes both ways,
        its continuations included, whose points are one addition each; each pass begins with 2 products a section.
        """
        sections, integer = self._section_count, arithmetic == "integer"
        causal = self.direction == "causal"
        steps = 1 if causal else self.block_steps
        length = 1 if causal else steps + 2 * self._reflected
        visits = outputs * sections * length * (1 if causal else 2)
        begun = 0 if causal else outputs * sections * 2 * STATES_PER_SECTION
        waits = 0 if causal else outputs * length

        def each(number: int) -> int:
            return math.ceil(number / steps)

        operations = {
            "multiply": each(MULTIPLIES_PER_SECTION * visits + begun),
            "add": each(ADDS_PER_SECTION * visits + (0 if causal else 2 * outputs * self._reflected)),
        }
        touched = STATES_PER_SECTION * visits
        arriving = 0 if causal else outputs * steps
        width = SAMPLE_BITS if integer else FLOAT_BITS
        return LayerWork(
            name=ROW, kind="filter", arithmetic=arithmetic, calls=1, input_shape=(outputs,), output_shape=(outputs,),
            inputs=outputs, outputs=outputs,
            operations={kind: Count.constant(number, decodes) for kind, number in operations.items()},
            weights=MULTIPLIES_PER_SECTION * sections, weights_nonzero=MULTIPLIES_PER_SECTION * sections,
            weights_key=ROW, weight_bits=COEFFICIENT_BITS if integer else FLOAT_BITS, activation_bits=width,
            output_bits=width, accumulator_bits=STATE_BITS if integer else FLOAT_BITS,
            state_bits=STATE_BITS if integer else FLOAT_BITS,
            state_elements=STATES_PER_SECTION * sections * outputs + waits,
            state_reads=each(touched + 2 * waits), state_writes=each(touched + waits + arriving),
        )  # fmt: skip
