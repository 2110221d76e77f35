"""What one bit of a layer's width draws on a machine: plain numbers, for which widths are learned.

A cost is the power that narrowing a layer's weights, or the signal it reads, from their width to two bits saves, shared
over the bits between: arithmetic, words of memory, and what is kept between decodes. Every layer is narrowed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile
from energy_models.pricing import estimate_machine
from energy_models.workload import LayerWork, Workload

NARROWEST = 2
"""Width to which a layer is narrowed [bits]."""


@dataclass(frozen=True, slots=True)
class BitCosts:
    """Nominal power of one bit, by layer [W].

    Parameters
    ----------
    weights : mapping of str to float
    activations : mapping of str to float
        Of the signal that a layer reads.
    """

    weights: Mapping[str, float]
    activations: Mapping[str, float]


def bit_costs(
    workload: Workload, profile: HardwareProfile, *, decode_rate_hz: float, layers: Iterable[str],
    signals: Mapping[str, tuple[str, ...]],
) -> BitCosts:
    """Return what a bit of each layer draws.

    Parameters
    ----------
    workload : Workload
        Of the network in the form whose widths are learned from.
    profile : HardwareProfile
    decode_rate_hz : float
        Decisions per second [Hz].
    layers : iterable of str
        Products whose weights are narrowed, by path.
    signals : mapping of str to tuple of str
        What puts each signal on its grid, by path, and the products that read it; it is charged to the first of them.

    Raises
    ------
    PriceError
        A machine without a price for some work, or to which no width of some layer makes a difference.
    """
    whole = _power_w(workload, profile, decode_rate_hz)
    narrowed = {name: _narrowed(workload, _of(name), _with_narrow_weights, "weight_bits") for name in layers}
    written: dict[str, list[str]] = {}
    for signal, readers in signals.items():
        for place, reader in enumerate(readers):
            written.setdefault(reader, []).extend([signal] if place == 0 else [])
    read = {name: _narrowed(workload, _of(name), _reading_narrow, "activation_bits", writers=own)
            for name, own in written.items()}  # fmt: skip

    def cost(found: tuple[Workload, int]) -> float:
        return (whole - _power_w(found[0], profile, decode_rate_hz)) / found[1] if found[1] > 0 else 0.0

    costs = BitCosts({name: cost(one) for name, one in narrowed.items()},
                     {name: cost(one) for name, one in read.items()})  # fmt: skip
    idle = [f"{kind} {', '.join(name for name, value in found.items() if not value > 0)}"
            for kind, found in (("weights of", costs.weights), ("the signals in front of", costs.activations))
            if any(not value > 0 for value in found.values())]  # fmt: skip
    if idle:
        raise PriceError(
            f"fewer bits save {profile.name} nothing: {'; '.join(idle)}. It works at fixed widths there, or they have "
            f"{NARROWEST} bits already",
            where="bit_costs", remedy="Learn widths for size (without a machine), or on a machine priced by width",
        )
    return costs


def _power_w(workload: Workload, profile: HardwareProfile, decode_rate_hz: float) -> float:
    """Return the machine's power, nominal [W]; that something does not fit its memory, fewer bits may mend."""
    found = estimate_machine(workload, profile, decode_rate_hz=decode_rate_hz)
    if unpriced := list(dict.fromkeys(what for layer in found.layers for what in layer.unpriced)):
        raise PriceError(f"{profile.name} has no price for {', '.join(unpriced)}", where="bit_costs",
                         remedy="Choose another machine, or another form to begin with")  # fmt: skip
    return sum(one.nominal for one in found.power_w.values())


def _of(name: str) -> Callable[[LayerWork], bool]:
    """Return whether a layer of a workload is one of a network, or a part of it."""
    return lambda layer: layer.name == name or layer.name.startswith(f"{name}.")


def _narrowed(
    workload: Workload, mine: Callable[[LayerWork], bool], narrow: Callable[[LayerWork], LayerWork], bits: str, *,
    writers: Sequence[str] = (),
) -> tuple[Workload, int]:
    """Return the workload with a layer's products narrowed, and by how many bits."""
    widths = [getattr(layer, bits) for layer in workload.layers if mine(layer) and layer.products is not None]
    written = [_of(writer) for writer in writers]

    def one(layer: LayerWork) -> LayerWork:
        if mine(layer) and layer.products is not None:
            return narrow(layer)
        if any(writes(layer) for writes in written):
            return replace(layer, output_bits=min(layer.output_bits, NARROWEST))
        return layer

    return replace(workload, layers=tuple(map(one, workload.layers))), max(widths, default=NARROWEST) - NARROWEST


def _with_narrow_weights(layer: LayerWork) -> LayerWork:
    return replace(layer, weight_bits=min(layer.weight_bits, NARROWEST))


def _reading_narrow(layer: LayerWork) -> LayerWork:
    """Return a layer whose operand is narrow, and so is what it keeps of it."""
    kept = {"state_bits": NARROWEST} if layer.state_bits == layer.activation_bits else {}
    return replace(layer, activation_bits=min(layer.activation_bits, NARROWEST), **kept)
