"""MAC-only accounts: products times one energy each, no memory, no control, no leakage, no time.

This is how MINDFUL prices a decoder and how most papers on spiking networks compare themselves. Such a figure is an
account of its own, printed beside ours and never mixed into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field

from energy_models.errors import PriceError, unknown_name
from energy_models.quantities.band import ZERO, Band, total
from energy_models.quantities.quantity import Energy, Quantity
from energy_models.quantities.sources import Source
from energy_models.quantities.toml_file import Frozen, read_model
from energy_models.workload.layers import LayerWork, Workload


class Account(Frozen):
    """Energy of one product and nothing else; None where the account has no such thing.

    Parameters
    ----------
    title : str
    multiply_accumulate : Quantity or None
        Per textbook product of a layer that is not fed by spikes.
    accumulate : Quantity or None
        Per synaptic event of a layer fed by spikes.
    update : Quantity or None
        Per neuron and step.
    """

    title: str = Field(min_length=1)
    multiply_accumulate: Energy | None = None
    accumulate: Energy | None = None
    update: Energy | None = None

    def prices(self, workload: Workload) -> bool:
        """Return whether the account has an energy for every product of the workload."""
        spiking = {_fed_by_spikes(layer) for layer in workload.layers if layer.products is not None}
        each = {True: self.accumulate, False: self.multiply_accumulate}
        return all(each[kind] is not None for kind in spiking)


class Quoted(Frozen):
    """What another tool gave for one of the networks of `energy_models.analysis.published_models.networks`."""

    network: str
    title: str = Field(min_length=1)
    energy: Energy


class Accounts(Frozen):
    """The shipped file of accounts."""

    accounts: Mapping[str, Account]
    quoted: tuple[Quoted, ...]
    sources: Mapping[str, Source] = Field(default_factory=dict[str, Source])


@cache
def shipped() -> Accounts:
    """Return the accounts and quoted figures that ship."""
    return read_model(Path(str(files("energy_models.data"))) / "accounts.toml", Accounts)


def load_account(name: str) -> Account:
    """Return a shipped account.

    Raises
    ------
    PriceError
        When there is none of this name; the nearest are listed.
    """
    known = shipped().accounts
    if name not in known:
        raise PriceError(f"unknown account {name!r}", remedy=unknown_name("accounts", name, known))
    return known[name]


def mac_only(workload: Workload, account: Account) -> Band:
    """Return the energy of one decode under a MAC-only account [J].

    A layer fed by spikes (inputs of one bit) is charged its synaptic events, any other its textbook products, padding
    and zeros included, as these accounts do. Filters and features of another cadence are left out, as they leave them.

    Raises
    ------
    PriceError
        When the account has no energy for what the network does.
    """
    return total(_layer(layer, account, workload) for layer in workload.layers if layer.cadence == "decode")


def ratio(ours: Band, other: Band) -> Band | None:
    """Return our estimate over another account's; None where that account charges nothing."""
    if other.low <= 0:
        return None
    return Band(ours.low / other.high, ours.nominal / other.nominal, ours.high / other.low)


def _fed_by_spikes(layer: LayerWork) -> bool:
    return layer.activation_bits == 1


def _layer(layer: LayerWork, account: Account, workload: Workload) -> Band:
    charged = ZERO
    if layer.products is not None and _fed_by_spikes(layer):
        charged += _charge(account.accumulate, "accumulate", layer.products.effective_input.mean, account, workload)
    elif layer.products is not None:
        sites = layer.products.dense_full.mean
        charged += _charge(account.multiply_accumulate, "multiply_accumulate", sites, account, workload)
    if account.update is not None:
        updates = sum(count.mean for count in (layer.updates_active, layer.updates_idle) if count is not None)
        charged += account.update.band.times(updates)
    return charged


def _charge(each: Quantity | None, name: str, count: float, account: Account, workload: Workload) -> Band:
    if count == 0:
        return ZERO
    if each is None:
        raise PriceError(
            f"account {account.title!r} has no energy per {name}", where=workload.name,
            remedy="Use an account that has one",
        )
    return each.band.times(count)
