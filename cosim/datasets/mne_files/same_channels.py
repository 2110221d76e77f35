"""The channels that all files of a dataset give, in one order, and what is said about those left out."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.datasets.recordings import Channel
from energy_models.errors import DataError

NAMED = 12  # channels that a message lists

Sets = Sequence[tuple[str, tuple[Channel, ...]]]


def listed(names: Sequence[str]) -> str:
    """Return names as one text, the first ones of many."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def without_bad(sets: Sets, bad: dict[str, tuple[str, ...]]) -> tuple[Sets, list[str]]:
    """Return the channels of each file without those that any file marks as bad, and a note for each such file.

    Parameters
    ----------
    sets : sequence of (str, tuple of Channel)
        Name and channels of each file.
    bad : dict of str to tuple of str
        Bad channels by name of the file.

    Raises
    ------
    DataError
        If no channel is left.
    """
    present = {channel.name for _, channels in sets for channel in channels}
    marked = {name: [one for one in own if one in present] for name, own in bad.items()}
    leave = {one for own in marked.values() for one in own}
    kept = [(name, tuple(channel for channel in channels if channel.name not in leave)) for name, channels in sets]
    for name, channels in kept:
        if not channels:
            raise DataError(f"every channel is marked as bad: {listed(sorted(leave))}", where=name,
                            remedy="Set bad_channels = 'keep', or choose other channels.")
    notes = [f"channel {listed(own)} is marked as bad in {name} and was left out"
             for name, own in marked.items() if own]
    return kept, notes


def in_one_order(sets: Sets, differing: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of the channels every file gives, in the order of the first, and notes on those left out.

    Parameters
    ----------
    sets : sequence of (str, tuple of Channel)
        Name and channels of each file.
    differing : {'refuse', 'common'}
        What is done with files that do not hold the same channels.

    Raises
    ------
    DataError
        If files differ in channels and are refused, have none in common, or state one channel in two units.
    """
    _check_units(sets)
    first_name, first = sets[0]
    order = [channel.name for channel in first]
    every = {name: {channel.name for channel in channels} for name, channels in sets}
    common = set(order)
    for own in every.values():
        common &= own
    notes: list[str] = []
    for name, own in every.items():
        odd = sorted(own ^ set(order))
        if odd and differing == "refuse":
            raise DataError(f"{name} and {first_name} differ in channels: {listed(odd)}", where=name,
                            remedy="Choose channels that both have (option channels), leave one of the files out, or "
                                   "set differing_channels = 'common'.")
        if left := sorted(own - common):
            notes.append(f"channel {listed(left)} of {name} is not in every file and was left out")
    if not common:
        raise DataError("the files have no channel in common", where=f"{first_name} and others",
                        remedy="Leave some of the files out, or rename their channels.")
    return tuple(name for name in order if name in common), notes


def _check_units(sets: Sets) -> None:
    """Raise a `DataError` where a channel is in one unit in a file and in another in another file."""
    seen: dict[str, tuple[str, str]] = {}
    for name, channels in sets:
        for channel in channels:
            unit, where = seen.setdefault(channel.name, (channel.unit, name))
            if unit != channel.unit:
                raise DataError(f"channel {channel.name} is in {channel.unit}, but in {unit} in {where}", where=name,
                                remedy="State the unit of all files (option unit), or read them as two datasets.")
