"""The input code of steady-state responses: energies of a signal at given frequencies, of lock-in amplifiers.

    I[t] = I[t-1] + (x[t] cos(2 pi f t) - I[t-1]) / 2^k,   Q with the sine,   E[t] = I[t]^2 + Q[t]^2

one amplifier a channel and frequency, in integers: a phase of 32 bits a frequency, which all channels share, addresses
the nearest of 256 cosines of 16 bits (the sine a quarter later); a product with the signal is rounded to 2^-12; a
low-pass keeps I 2^k and is a rounding shift, a subtraction and an addition; I and Q are held to 16 bits, which is 8 to
either side; energies are rounded to 2^-16.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.neurons.input_codes import (
    CODE_BITS,
    CODE_POINT,
    COEFFICIENT_BITS,
    CodeState,
    CodeWork,
    on_code_grid,
)

PHASES = 256
"""Entries of the table of a cosine's period; the sine reads it a quarter later."""

COSINE_POINT, MEAN_POINT, ENERGY_POINT = COEFFICIENT_BITS - 2, 12, 16
"""Fractional bits of a cosine, of I and Q and of an energy."""

PHASE_BITS = 32
MEAN_HIGHEST = 2**15 - 1
"""Of I and Q, in steps of 2^-12; the least is its negative."""

MOST_SHIFT = PHASE_BITS - (CODE_BITS + MEAN_POINT - CODE_POINT)
"""Largest k of a low-pass whose word has 32 bits."""

HIGHEST = 0.5
"""Frequency that a stream has no room for, in cycles a step."""


class LockIn(nn.Module):
    """Energies at some frequencies: ``(batch, channels, steps)`` to ``(batch, channels * frequencies, steps)``.

    A channel's frequencies stand side by side. Work of a channel in a step, at each frequency: two products with the
    references, two shifts and subtractions and two additions (the low-passes), four limits, two squares and an
    addition; once for all channels two additions (the phase, and the sine's place) and two look-ups. Two words a
    channel and frequency wait, and a phase a frequency.

    Parameters
    ----------
    cycles : sequence of float
        Frequencies, in cycles a step.
    shift : int
        The low-passes' time constant is 2^shift steps.

    Raises
    ------
    StudentError
        No frequency, or one beyond half the step rate; a time constant of less than a step, or of more than 2^14.
    """

    cosines: Tensor
    increments: Tensor

    def __init__(self, cycles: Sequence[float], shift: int) -> None:
        super().__init__()
        if not cycles or not all(0.0 < one < HIGHEST for one in cycles) or not 0 <= shift <= MOST_SHIFT:
            raise StudentError(
                f"lock-in amplifiers at {', '.join(f'{one:g}' for one in cycles) or 'no'} cycles a step, with a time "
                f"constant of 2^{shift} steps", where="LockIn",
                remedy=f"Give frequencies above 0 and below half the step rate, and a time constant of 1 to "
                f"2^{MOST_SHIFT} steps",
            )
        self.shift, self.count = shift, len(cycles)
        self.cycles = tuple(cycles)
        turn = torch.arange(PHASES, dtype=torch.float64) / PHASES
        cosines = (torch.cos(2.0 * math.pi * turn) * 2**COSINE_POINT).round().to(torch.int64)
        increments = torch.tensor([round(one * 2**PHASE_BITS) for one in cycles], dtype=torch.int64)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("increments", increments, persistent=False)

    @property
    def work(self) -> CodeWork:
        """What it does for one channel in one step."""
        each, count = {"add": 3, "multiply": 4, "leak_shift": 2, "compare": 4}, self.count
        kept = CODE_BITS + MEAN_POINT - CODE_POINT + self.shift
        states = (
            CodeState(2 * count, kept, 2 * count, 2 * count),
            CodeState(count, PHASE_BITS, count, count, "phases", shared=True),
        )
        return CodeWork(
            {name: number * count for name, number in each.items()}, states,
            (2 * MEAN_HIGHEST**2 >> 2 * MEAN_POINT - ENERGY_POINT).bit_length(), signals=count,
            shared_operations={"add": 2 * count, "lookup": 2 * count},
            constants=PHASES + count * PHASE_BITS // COEFFICIENT_BITS, constant_bits=COEFFICIENT_BITS,
        )  # fmt: skip

    def forward(self, signal: Tensor) -> Tensor:
        """Return the energies of every step."""
        batch, channels, steps = signal.shape
        phases = torch.arange(steps, device=self.increments.device)[:, None] * self.increments
        place = phases + 2**PHASE_BITS // (2 * PHASES) >> PHASE_BITS - PHASES.bit_length() + 1
        references = torch.stack([self.cosines[(place + late) % PHASES] for late in (0, 3 * PHASES // 4)], dim=1)
        given = on_code_grid(signal).permute(2, 0, 1).contiguous()[..., None, None]  # as the loop reads it
        scale, share = 2.0 ** (MEAN_POINT - CODE_POINT - COSINE_POINT), 2.0**-self.shift
        kept = given.new_zeros(batch, channels, 2, self.count)
        energies = given.new_empty(steps, batch, channels, self.count)
        for step, (one, reference) in enumerate(zip(given, references * scale, strict=True)):
            kept = kept - (kept * share).round_() + (one * reference).round_()
            mean = (kept * share).round_().clamp_(-MEAN_HIGHEST, MEAN_HIGHEST)
            energies[step] = mean.square_().sum(2)
        found = (energies * 2.0 ** (ENERGY_POINT - 2 * MEAN_POINT)).round() * 2.0**-ENERGY_POINT
        return found.to(signal.dtype).permute(1, 2, 3, 0).reshape(batch, channels * self.count, steps)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{list(self.cycles)} cycles a step, shift={self.shift}"


def lock_in_of(settings: str, step_rate_hz: float) -> tuple[tuple[float, ...], int]:
    """Return cycles a step and shift of a text: frequencies [Hz], and behind a slash a time constant [s].

    Parameters
    ----------
    settings : str
        Such as ``13,17,21/0.5``.
    step_rate_hz : float

    Raises
    ------
    StudentError
        Another text.
    """
    frequencies, _, tau_s = settings.partition("/")
    try:
        found, seconds = [float(one) for one in frequencies.split(",")], float(tau_s)
        if not all(one > 0 and math.isfinite(one) for one in (*found, seconds)):
            raise ValueError(settings)
    except ValueError as error:
        raise StudentError(
            f"{settings!r:.40} says no frequencies and time constant", where="encoder 'lock_in'",
            remedy="Write frequencies in Hz and a time constant in s, such as 'lock_in 13,17,21/0.5'",
        ) from error
    steps = seconds * step_rate_hz if math.isfinite(step_rate_hz) else 1.0
    return tuple(one / step_rate_hz for one in found), max(0, round(math.log2(max(steps, 1.0))))
