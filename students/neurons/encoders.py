"""Input codes of spiking networks: what the first layer sees of the recordings. Entry points ``students.encoders``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from energy_models.errors import StudentError
from energy_models.registry import Registry


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
    """

    title: str
    make: Callable[[Callable[[], nn.Module]], nn.Module]


class AnySpike(nn.Module):
    """One where a bin holds a spike, else zero."""

    def forward(self, counts: Tensor) -> Tensor:
        """Map counts to {0, 1}, same shape."""
        return (counts > 0).to(counts.dtype)


def _counts(quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return quantise_input()


def _any_spike(_quantise_input: Callable[[], nn.Module]) -> nn.Module:
    return AnySpike()


COUNTS = Encoder("numbers as they are, on the input's grid", _counts)
BINARY = Encoder("1 where a bin holds a spike at all, which needs no multiplier", _any_spike)


def _checked(name: str, found: object) -> Encoder:
    """Return the object if it is an encoder."""
    if not isinstance(found, Encoder):
        raise StudentError(
            f"the object is a {type(found).__name__}, not an Encoder", where=f"encoder {name!r}",
            remedy="Name a students.neurons.Encoder as module:object",
        )
    return found


ENCODERS: Registry[Encoder] = Registry(
    group="students.encoders", kind="encoder", kinds="encoders", error=StudentError, check=_checked
)


def encoder_names() -> tuple[str, ...]:
    """Return the names of all registered encoders, sorted; nothing is imported."""
    return ENCODERS.names()


def load_encoder(name: str) -> Encoder:
    """Return the encoder of a registered name, or the one at ``module:object``.

    Raises
    ------
    StudentError
        No such encoder, or an object that is none.
    """
    return ENCODERS.load(name)
