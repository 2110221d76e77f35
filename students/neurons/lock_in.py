"""The input code of steady-state responses: energies of a signal at given frequencies, of lock-in amplifiers.

    I[t] = I[t-1] + (x[t] cos(2 pi f t) - I[t-1]) / 2^k,   Q with the sine,   E[t] = I[t]^2 + Q[t]^2

one amplifier a channel and frequency. The references are read from a table of 256 numbers at the nearest phase; a
low-pass is a shift, a subtraction and an addition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.neurons.input_codes import COEFFICIENT_BITS, CodeWork

PHASES = 256
"""Entries of the table of a cosine's period; the sine reads it a quarter later."""

HIGHEST = 0.5
"""Frequency that a stream has no room for, in cycles a step."""


class LockIn(nn.Module):
    """Energies at some frequencies: ``(batch, channels, steps)`` to ``(batch, channels * frequencies, steps)``.

    A channel's frequencies stand side by side. Work of a channel in a step, at each frequency: an addition (the phase,
    which each amplifier keeps for itself), two look-ups, two products with the references, two shifts, subtractions and
    additions (the low-passes), two squares and an addition. Three words wait: phase and both means.

    Parameters
    ----------
    cycles : sequence of float
        Frequencies, in cycles a step.
    shift : int
        The low-passes' time constant is 2^shift steps.

    Raises
    ------
    StudentError
        No frequency, or one beyond half the step rate; a time constant of less than a step.
    """

    cosines: Tensor
    cycles: Tensor

    def __init__(self, cycles: Sequence[float], shift: int) -> None:
        super().__init__()
        if not cycles or not all(0.0 < one < HIGHEST for one in cycles) or shift < 0:
            raise StudentError(
                f"lock-in amplifiers at {', '.join(f'{one:g}' for one in cycles) or 'no'} cycles a step, with a time "
                f"constant of 2^{shift} steps", where="LockIn",
                remedy="Give frequencies above 0 and below half the step rate, and a time constant of a step or more",
            )
        self.shift, self.count = shift, len(cycles)
        turn = torch.arange(PHASES, dtype=torch.float64) / PHASES
        self.register_buffer("cosines", torch.cos(2.0 * math.pi * turn), persistent=False)
        self.register_buffer("cycles", torch.tensor(list(cycles), dtype=torch.float64), persistent=False)

    @property
    def work(self) -> CodeWork:
        """What it does for one channel in one step."""
        each = {"add": 4, "lookup": 2, "multiply": 4, "leak_shift": 2}
        words = 3 * self.count
        return CodeWork(
            {name: number * self.count for name, number in each.items()}, {}, state_words=words, state_reads=words,
            state_writes=words, signals=self.count, event_bits=0, constants=PHASES + self.count,
            constant_bits=COEFFICIENT_BITS,
        )  # fmt: skip

    def forward(self, signal: Tensor) -> Tensor:
        """Return the energies of every step."""
        batch, channels, steps = signal.shape
        turns = torch.arange(steps, dtype=torch.float64, device=self.cycles.device)[:, None] * self.cycles
        place = (turns.remainder(1.0) * PHASES).round().to(torch.int64)
        references = torch.stack([self.cosines[(place + late) % PHASES] for late in (0, 3 * PHASES // 4)])
        mixed = signal[:, :, None, None] * references.permute(0, 2, 1).to(signal)
        kept, share, energies = torch.zeros_like(mixed[..., 0]), 2.0**-self.shift, list[Tensor]()
        for given in mixed.unbind(-1):
            kept = kept + (given - kept) * share
            energies.append(kept.square().sum(2))
        found = torch.stack(energies, dim=-1) if energies else mixed.sum(2)
        return found.reshape(batch, channels * self.count, steps)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.cycles.tolist()} cycles a step, shift={self.shift}"


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
