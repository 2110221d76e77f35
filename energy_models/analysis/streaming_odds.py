"""How surely decoding on board draws less than sending every sample, and from where on.

Both devices are priced on the same draws of all constants (`energy_models.analysis.uncertainty`), so that what they
share, front end and converter above all, cancels draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from energy_models.analysis.raw_streaming import raw_terms
from energy_models.analysis.uncertainty import Design, sample_constants, spread
from energy_models.errors import PriceError
from energy_models.hardware import ConnectedRadio, Site
from energy_models.pricing import (
    SITE,
    Array,
    Cause,
    Decisions,
    RawSamples,
    VectorisedEstimate,
    bit_rate_terms,
    estimate_vectorised,
    evaluate,
    regulated,
    regulator_loss_w,
    with_made,
)

Side = Literal["above", "below"]
Learning = Callable[[Mapping[str, Array]], Array | None]
"""From constants by path, shape (draws,) each, to the mean power of learning on the machine [W], shape (draws,)."""


@dataclass(frozen=True, slots=True)
class StreamingDraws:
    """Draws of one design and of the same device sending raw samples, shape (draws,) each.

    Parameters
    ----------
    decoded_w, raw_w : array
        Power of the whole device [W].
    break_even_j_per_bit : array
        Radio energy per bit above which decoding draws less [J/bit]; infinite where it sends no less.
    """

    decoded_w: Array
    raw_w: Array
    break_even_j_per_bit: Array

    @property
    def saved_w(self) -> Array:
        """What decoding saves [W]; below zero it costs that much more."""
        return self.raw_w - self.decoded_w

    @property
    def probability(self) -> float:
        """Share of the draws in which decoding draws less."""
        return float(np.mean(self.saved_w > 0))


@dataclass(frozen=True, slots=True)
class Crossover:
    """Where along an axis decoding begins, or ceases, to draw less than raw streaming.

    Parameters
    ----------
    side : {'above', 'below'} or None
        Where decoding draws less by the medians; None: on the same side everywhere, or in more than two pieces.
    at : float or None
        Of the median saving; None where it does not cross.
    range_at : tuple of float or None
        5, 50 and 95 % points over the draws that cross once; None where fewer than half do.
    decoding, streaming, crossing, several : float
        Shares of the draws in which decoding is cheaper at every value tried, streaming is, they cross once, or more
        often. Their sum is 1.
    """

    side: Side | None
    at: float | None
    range_at: tuple[float, float, float] | None
    decoding: float
    streaming: float
    crossing: float
    several: float


def streaming_draws(
    designs: Sequence[Design],
    *,
    draws: int,
    seed: int,
    channels: Sequence[int] | None = None,
    learning: Sequence[Learning] | None = None,
) -> tuple[StreamingDraws, ...]:
    """Return draws of designs against raw streaming of their channels, all on the same draws of the constants.

    Parameters
    ----------
    designs : sequence of Design
        Each at a site with a radio.
    draws : int
        A power of two.
    seed : int
    channels : sequence of int, optional
        Channels that each device would send; if not given, all that its network reads.
    learning : sequence of callable, optional
        What each device draws for learning, of which one that sends raw samples has none; None where it does not learn.

    Raises
    ------
    PriceError
        A design without a site or its radio, whose work has no price on its machine, or draws that are no power of two.
    """
    found: list[StreamingDraws] = []
    drawn = sample_constants(designs, draws=draws, seed=seed)
    streamed = [design.workload.channels for design in designs] if channels is None else channels
    learns = [_never] * len(designs) if learning is None else learning
    for design, constants, sending, learn in zip(designs, drawn, streamed, learns, strict=True):
        site = _site(design)
        decoded = estimate_vectorised(
            design.workload, design.profile, site, decode_rate_hz=design.decode_rate_hz, constants=constants
        )
        if decoded.unaccounted:
            raise PriceError(
                f"{design.workload.name} on {design.profile.name}: {decoded.unaccounted[0]}", where="raw streaming",
                remedy="Take a machine that prices all of the network's work",
            )
        values, zeros = with_made(constants), np.zeros(draws)
        raw, sent = (
            evaluate(bit_rate_terms(sending, payload), values, zeros)
            for payload in (RawSamples(), Decisions(design.decode_rate_hz))
        )
        own = decoded.decoder_power_w
        if isinstance(site.radio, ConnectedRadio):
            own = own + values[f"{SITE}radio.startup"] * design.decode_rate_hz
        total = decoded.total_power_w
        learnt = learn(constants)
        if learnt is not None:
            own, total = own + learnt, total + learnt + _lost_more(site, decoded, learnt, values)
        even = np.where(raw > sent, own / np.where(raw > sent, raw - sent, 1.0), np.inf)
        found.append(StreamingDraws(total, _raw_w(design, sending, values, zeros), even))
    return tuple(found)


def _never(_constants: Mapping[str, Array]) -> None:
    return None


def _lost_more(site: Site, decoded: VectorisedEstimate, added: Array, values: dict[str, Array]) -> Array:
    """Return what the regulator loses besides when a device draws so much more [W]."""
    load: Array = np.sum(regulated(decoded.power_w), axis=0)
    before, after = (regulator_loss_w(site.regulator, one, values) for one in (load, load + added))
    return np.maximum(0.0, after - before)


def _raw_w(design: Design, sending: int, values: dict[str, Array], zeros: Array) -> Array:
    """Return the power of the device that sends raw samples [W]; its front end records all that the network reads."""
    site = _site(design)
    terms = raw_terms(site, channels=sending, recorded=design.workload.channels)
    power: dict[Cause, Array] = {cause: evaluate(some, values, zeros) for cause, some in terms.items()}
    load: Array = np.sum(regulated(power), axis=0)
    whole: Array = np.sum(list(power.values()), axis=0)
    return whole + regulator_loss_w(site.regulator, load, values)


def _site(design: Design) -> Site:
    """Return the site of a design.

    Raises
    ------
    PriceError
        It has none.
    """
    if design.site is None:
        raise PriceError("nothing is sent without a site", where="raw streaming", remedy="Name a site")
    return design.site


def crossover(values: Sequence[float], saved_w: Sequence[Array]) -> Crossover:
    """Return where a saving changes its sign along an axis, linear in the logarithm between the values tried.

    Parameters
    ----------
    values : sequence of float
        Of the axis, ascending from above zero.
    saved_w : sequence of array, shape (draws,) each
        What decoding saves at each value [W], on the same draws.

    Raises
    ------
    PriceError
        Fewer than two values, or values that do not ascend from above zero.
    """
    along = np.asarray(values, np.float64)
    if len(along) < 2 or along[0] <= 0 or bool(np.any(np.diff(along) <= 0)) or len(along) != len(saved_w):
        raise PriceError(
            f"{len(along)} values to cross between", where="crossover", remedy="Give at least two, ascending above zero"
        )
    table: Array = np.stack(list(saved_w), axis=1)
    positive = table > 0
    changes: Any = np.count_nonzero(positive[:, 1:] != positive[:, :-1], axis=1)
    once = changes == 1
    places = _crossings(np.log(along), table[once])
    middle: Array = np.median(table, axis=0)[np.newaxis]
    signs = (middle > 0)[0]
    crosses = int(np.count_nonzero(signs[1:] != signs[:-1])) == 1
    at = float(_crossings(np.log(along), middle)[0]) if crosses else None
    side: Side | None = None if at is None else "above" if bool(signs[-1]) else "below"
    above: Any = np.count_nonzero(positive, axis=1)
    return Crossover(
        side, at, spread(places) if 2 * len(places) >= len(table) else None,
        decoding=float((above == len(along)).mean()), streaming=float((above == 0).mean()),
        crossing=float((changes == 1).mean()), several=float((changes > 1).mean()),
    )


def _crossings(along: Array, table: Array) -> Array:
    """Return where rows that change their sign once do, shape (rows,); `along` is the logarithm of the axis."""
    positive = table > 0
    place: Any = np.argmax(positive[:, 1:] != positive[:, :-1], axis=1)
    rows = np.arange(len(table))
    before: Array = table[rows, place]
    after: Array = table[rows, place + 1]
    share: Array = before / np.where(before == after, 1.0, before - after)
    left, right = (np.asarray(along[index], np.float64) for index in (place, place + 1))
    return np.exp(left + share * (right - left))
