"""Input codes of spiking networks: what the first layer sees of the recordings. Entry points ``students.encoders``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from energy_models.registry import Registry
from students.neurons.input_codes import Envelopes, RandomRateCode, RateCode
from students.neurons.lock_in import LockIn, lock_in_of

LEVEL_BITS = 8
LOWEST_LEVEL, HIGHEST_LEVEL = -(2 ** (LEVEL_BITS - 1)), 2 ** (LEVEL_BITS - 1) - 1
"""Width of the level that waits for the next step [bits], and its ends."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """One input code.

    Parameters
    ----------
    title : str
        Its name in texts.
    make : callable
        ``make(quantise_input)`` returns the first module of a network, ``(batch, channels, steps)`` to the same rank;
        `quantise_input` makes what puts raw numbers on the input's grid, for codes that are not spikes.
    factor : int
        Signals that are made of each channel.
    """

    title: str
    make: Callable[[Callable[[], nn.Module]], nn.Module]
    factor: int = 1


@dataclass(frozen=True, slots=True)
class TunedEncoder:
    """An input code with settings, which are written behind its name: ``lock_in 13,17,21/0.5``.

    Parameters
    ----------
    title : str
    example : str
        Settings to show and to test it with.
    tuned : callable
        ``tuned(settings, step_rate_hz)`` returns the code, or raises `StudentError`.
    """

    title: str
    example: str
    tuned: Callable[[str, float], Encoder]


class AnySpike(nn.Module):
    """One where a bin holds a spike, else zero."""

    def forward(self, counts: Tensor) -> Tensor:
        """Map counts to {0, 1}, same shape."""
        return (counts > 0).to(counts.dtype)


class LevelCrossings(nn.Module):
    """Levels that a signal has crossed since the step before: up counts as positive, down as negative.

    ``clip(l[t] - l[t-1], -most, most)`` with ``l[t] = clip(floor(x[t] / step), -128, 127)``, the word of 8 bits that
    waits; before the first step the signal is 0. Of signals that stay between two levels nothing is sent. A
    level-crossing converter gives these numbers without a clock.

    Parameters
    ----------
    step : float
        Distance of two levels, in the input's units.
    most : int
        Most events of a channel in a step.
    """

    taps: Tensor

    def __init__(self, step: float, most: int) -> None:
        super().__init__()
        if not step > 0.0 or most < 1:
            raise StudentError(
                f"levels {step} apart and at most {most} events", where="LevelCrossings",
                remedy="Use a positive distance and at least one event",
            )
        self.step, self.most = step, most
        self.register_buffer("taps", torch.tensor([-1.0, 1.0]), persistent=False)

    def forward(self, signal: Tensor) -> Tensor:
        """Map a signal ``(batch, channels, steps)`` to whole numbers of the same shape."""
        levels = torch.floor(signal * (1.0 / self.step)).clamp(LOWEST_LEVEL, HIGHEST_LEVEL)
        channels = signal.shape[1]
        taps = self.taps.to(levels.dtype).expand(channels, 1, 2)
        crossed = functional.conv1d(functional.pad(levels, (1, 0)), taps, groups=channels)
        return crossed.clamp(-self.most, self.most)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"step={self.step}, most={self.most}"


def _counts(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return quantise_input()


def _any_spike(_quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return AnySpike()


def _delta(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(LevelCrossings(0.5, 1), quantise_input())


def _level_crossing(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(LevelCrossings(0.25, 7), quantise_input())


def _rate(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(RateCode(), quantise_input())


def _random_rate(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(RandomRateCode(), quantise_input())


def _envelopes(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(Envelopes(), quantise_input())


COUNTS = Encoder("numbers as they are, on the input's grid", _counts)
BINARY = Encoder("1 where a bin holds a spike at all, which needs no multiplier", _any_spike)
DELTA = Encoder("1 or -1 where a standardised signal rose or fell past a level, half a deviation apart", _delta)
LEVEL_CROSSING = Encoder("how many levels, a quarter of a deviation apart, were crossed, up to 7", _level_crossing)

RATE = Encoder("1 or -1 as often as a standardised signal adds up to a deviation, in the order it does", _rate)
RANDOM_RATE = Encoder("1 or -1 with a probability that follows a standardised signal, pseudo-random", _random_rate)
ENVELOPES = Encoder("envelopes of three octaves of each channel, numbers on the input's grid", _envelopes, factor=3)


def _lock_in(settings: str, step_rate_hz: float) -> Encoder:
    cycles, shift = lock_in_of(settings, step_rate_hz)
    return Encoder(
        LOCK_IN.title, lambda quantise_input: nn.Sequential(LockIn(cycles, shift), quantise_input()), len(cycles)
    )


LOCK_IN = TunedEncoder("energies of lock-in amplifiers at given frequencies [Hz]", "13,17,21/0.5", _lock_in)


def _checked(name: str, found: object) -> Encoder | TunedEncoder:
    """Return the object if it is an encoder."""
    if not isinstance(found, Encoder | TunedEncoder):
        raise StudentError(
            f"the object is a {type(found).__name__}, not an Encoder", where=f"encoder {name!r}",
            remedy="Name a students.neurons.Encoder as module:object",
        )
    return found


ENCODERS: Registry[Encoder | TunedEncoder] = Registry(
    group="students.encoders", kind="encoder", kinds="encoders", error=StudentError, check=_checked
)


def encoder_names() -> tuple[str, ...]:
    """Return the names of all registered encoders, sorted; nothing is imported."""
    return ENCODERS.names()


def load_encoder(text: str, step_rate_hz: float) -> Encoder:
    """Return the encoder of a registered name, or the one at ``module:object``, with its settings behind a space.

    Parameters
    ----------
    text : str
    step_rate_hz : float
        Of the signals it will see; infinite to check a text only.

    Raises
    ------
    StudentError
        No such encoder, an object that is none, or settings that it has not.
    """
    name, _, settings = text.partition(" ")
    found = ENCODERS.load(name)
    if isinstance(found, TunedEncoder):
        return found.tuned(settings, step_rate_hz)
    if settings:
        raise StudentError(f"it has no settings, found {settings!r:.40}", where=f"encoder {name!r}",
                           remedy="Write its name alone")  # fmt: skip
    return found
