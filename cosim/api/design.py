"""Machines sized to networks: the one of least power, those on the front, and how surely."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.api.arguments import rate_of
from cosim.api.works import Work, workload_of
from energy_models.design import Choices, Design, Designed, Task, Watch, WinShares, search, win_shares
from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, Site, load_site
from energy_models.quantities import html_table, prefixed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class DesignedMachine:
    """What a search found for one network, or for one machine that takes several.

    Parameters
    ----------
    tasks : tuple of Task
    found : Design
    shares : WinShares
        Of `found.contenders`: the machine of least power by node and style.
    """

    tasks: tuple[Task, ...]
    found: Design
    shares: WinShares

    @property
    def best(self) -> Designed:
        """The machine of least power."""
        return self.found.best

    @property
    def profile(self) -> HardwareProfile:
        """The machine of least power as an ordinary profile, for `cosim.estimate`."""
        return self.found.best.profile

    @property
    def answer(self) -> tuple[str, ...]:
        """The answer in a few lines: the machine, how surely its node and style, and what lies on the edge of a law."""
        best = self.best
        names = ", ".join(task.workload.name for task in self.tasks)
        lines = [
            f"{names}: {self._power_text(best)} on {best.profile.title} of {1e6 * best.area_m2:.2f} mm2, "
            f"{prefixed(max(best.latency_s), 's')} a decode; the decoder alone, nominal.",
            best.profile.description,
            f"{self.found.considered:,} machines priced, {self.found.feasible:,} hold every limit.",
        ]
        shares = self.shares
        nodes = ", ".join(f"{node:g} nm {share:.0%}" for node, share in shares.nodes.items())
        styles = ", ".join(f"{style.replace('_', ' ')} {share:.0%}" for style, share in shares.styles.items())
        lines.append(f"Least power in the draws of the laws: {nodes}; {styles}.")
        lines += [f"UNDECIDED: no {name} draws least in most of the draws." for name in shares.undecided]
        lines += [f"ON THE EDGE: {edge}." for edge in best.edges]
        return tuple(lines)

    def _power_text(self, one: Designed) -> str:
        """Return the power of each network on a machine, and what was made least where there are several."""
        each = " and ".join(prefixed(power, "W") for power in one.decoder_power_w)
        return each if len(one.decoder_power_w) == 1 else f"{each}, each alone (their sum was made least)"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a machine of the front: power, area, latency and what was chosen."""
        import pandas as pd

        return pd.DataFrame([_row(one) for one in self.found.front])

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, in SI."""
        return {
            "best": self._described(self.best), "front": [self._described(one) for one in self.found.front],
            "considered": self.found.considered, "feasible": self.found.feasible,
            "win_share": {
                "nodes_nm": {f"{node:g}": share for node, share in self.shares.nodes.items()},
                "styles": dict(self.shares.styles), "undecided": list(self.shares.undecided),
            },
        }

    def _described(self, one: Designed) -> dict[str, Any]:
        each = [
            {"workload": task.workload.name, "decode_rate_hz": task.decode_rate_hz, "decoder_power_w": power,
             "latency_s": latency}
            for task, power, latency in zip(self.tasks, one.decoder_power_w, one.latency_s, strict=True)
        ]
        profile = one.profile.model_dump(mode="json", exclude_none=True)
        return {**_row(one), "workloads": each, "edges": list(one.edges), "profile": profile}

    def __repr__(self) -> str:
        return f"<DesignedMachine: {self.answer[0]}>"

    def _repr_html_(self) -> str:
        return html_table(self.answer[0], [_row(one) for one in self.found.front])


def design(
    *works: Work,
    decode_rate_hz: float | str,
    site: str | Path | Site | None = None,
    deadline_s: float | None = None,
    choices: Choices | None = None,
    draws: int = 1024,
    seed: int = 0,
    watch: Watch | None = None,
) -> DesignedMachine:
    """Return the machine of least decoder power for a network, or one machine for several that run alone.

    Parameters
    ----------
    *works : Workload, path, name or trained student
        What `cosim.estimate` takes, in integers.
    decode_rate_hz : float or str
        Decisions per second [Hz].
    site : str, Path or Site, optional
        Gives the deadline of a decode, where it has one.
    deadline_s : float, optional
        Time that a decode may take [s]; if not given the site's, and at most the time between two decodes.
    choices : Choices, optional
        Nodes, supplies, styles, cells, memories and area among which to choose; all of 65 nm if not given.
    draws, seed : int
        Draws of the laws.
    watch : callable, optional
        ``watch(done, whole)`` is told how far the search is, in kinds of machines.

    Raises
    ------
    CosimError
        No network, one that computes in floating point, or no machine that holds the limits.
    """
    if not works:
        raise PriceError("no network to design for", where="cosim.design", remedy="Give at least one")
    rate_hz = rate_of(decode_rate_hz, where="cosim.design, decode_rate_hz")
    place = None if site is None else load_site(site)
    limit_s = _deadline_s(deadline_s, place, rate_hz)
    tasks = tuple(Task(workload_of(work, where="cosim.design"), rate_hz, limit_s) for work in works)
    return designed(tasks, choices or Choices(), draws=draws, seed=seed, watch=watch)


def designed(
    tasks: Sequence[Task], choices: Choices, *, draws: int, seed: int, watch: Watch | None = None
) -> DesignedMachine:
    """Return the machine of least power for some tasks, with the shares of the draws of its contenders."""
    found = search(tasks, choices, watch=watch)
    return DesignedMachine(tuple(tasks), found, win_shares(found.contenders, tasks, draws=draws, seed=seed))


def _deadline_s(deadline_s: float | None, site: Site | None, rate_hz: float) -> float:
    between = 1.0 / rate_hz
    if deadline_s is not None:
        if not deadline_s > 0:
            raise PriceError(f"{deadline_s} s", where="cosim.design, deadline_s", remedy="Give a time above zero")
        return min(deadline_s, between)
    if site is None or site.deadline is None:
        return between
    return min(site.deadline.band.nominal, between)


def _row(one: Designed) -> dict[str, object]:
    machine = one.machine
    return {
        "decoder_power_w": one.power_w, "area_m2": one.area_m2, "latency_s": max(one.latency_s),
        "style": machine.style, "node_nm": machine.node_nm, "supply_v": machine.supply_v,
        "clock_hz": one.profile.clock.band.nominal, "rows": int(machine.rows), "columns": int(machine.columns),
        "weight_cell": machine.weight_cell, "weight_bank_bits": machine.weight_bank_bits,
        "weight_word_bits": int(machine.weight_word_bits), "data_cell": machine.data_cell,
        "data_bank_bits": machine.data_bank_bits, "data_word_bits": int(machine.data_word_bits),
        "gated": machine.gated,
    }

