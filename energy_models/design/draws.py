"""How surely a designed machine is the better one: kept machines priced on the same draws of their laws.

Machines share their laws, so that an error of a law moves them together: a constant is drawn once for all machines of a
node. Between nodes, whose factors have errors of their own, the draws of one law have half of their variance in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_models.analysis.uncertainty import quantity_draws
from energy_models.design.grid import Task
from energy_models.design.search import Designed
from energy_models.errors import PriceError
from energy_models.pricing import estimate_vectorised

NODE_CORRELATION = 0.5
"""Share of a law's variance that two nodes have in common; assumed, no data decide it."""
LEAKAGE = "wang2008"
"""Source of the one figure that logic, retention and memories awake leak by: its error is one."""
CLEAR = 0.65
"""Share of the draws from which a node or style is said to be better."""
QUANTILES = (0.05, 0.5, 0.95)
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WinShares:
    """In which share of the draws each machine draws least.

    Parameters
    ----------
    machines : tuple of float
        In the order given.
    nodes, styles : mapping
        Shares of all machines of a node [nm], and of a style.
    power_w : tuple of tuple of float
        5 %, 50 % and 95 % points of each machine's power [W].
    """

    machines: tuple[float, ...]
    nodes: Mapping[float, float]
    styles: Mapping[str, float]
    power_w: tuple[tuple[float, float, float], ...]

    @property
    def undecided(self) -> tuple[str, ...]:
        """What the laws do not decide: 'node' or 'style', where none wins in most draws."""
        shares = {"node": self.nodes.values(), "style": self.styles.values()}
        return tuple(name for name, found in shares.items() if max(found) < CLEAR)


def win_shares(machines: Sequence[Designed], tasks: Sequence[Task], *, draws: int = 1024, seed: int = 0) -> WinShares:
    """Return in which share of the draws each machine draws least for its tasks.

    Parameters
    ----------
    machines : sequence of Designed
    tasks : sequence of Task
        Those that the machines were searched for.
    draws : int
        1 or more.
    seed : int

    Raises
    ------
    PriceError
        Without machines, tasks or draws.
    """
    if not machines or not tasks or draws < 1:
        raise PriceError(
            f"{draws} draws of {len(machines)} machines for {len(tasks)} networks", where="machine design",
            remedy="Give at least one of each",
        )
    drawn = _Normals(draws, seed)
    powers = np.array([_powers(machine, tasks, drawn) for machine in machines])
    winners = np.argmin(powers, axis=0)
    shares = np.bincount(winners, minlength=len(machines)) / draws
    nodes: dict[float, float] = {}
    styles: dict[str, float] = {}
    for machine, share in zip(machines, shares, strict=True):
        node, style = machine.machine.node_nm, machine.machine.style
        nodes[node] = nodes.get(node, 0.0) + float(share)
        styles[style] = styles.get(style, 0.0) + float(share)
    points = np.quantile(powers, QUANTILES, axis=1).T
    return WinShares(
        tuple(float(share) for share in shares), nodes, styles,
        tuple((float(low), float(middle), float(high)) for low, middle, high in points),
    )


def _powers(machine: Designed, tasks: Sequence[Task], drawn: _Normals) -> Array:
    """Return the power of a machine for all of its tasks together at every draw [W]."""
    constants: dict[str, Array] = {}
    for path, quantity in machine.profile.quantity_at.items():
        if quantity.low < quantity.high:
            law = LEAKAGE if quantity.source == LEAKAGE else f"{path.partition('].')[2] or path}:{quantity.source}"
            constants[path] = quantity_draws(quantity, drawn.of(law, machine.machine.node_nm))
    found = [
        estimate_vectorised(
            task.workload, machine.profile, None, decode_rate_hz=task.decode_rate_hz, constants=constants
        ).decoder_power_w
        for task in tasks
    ]
    return np.sum(found, axis=0)


class _Normals:
    """Standard normal draws by law and node, each made once."""

    def __init__(self, draws: int, seed: int) -> None:
        self._draws, self._seed = draws, seed
        self._made: dict[str, Array] = {}

    def of(self, law: str, node_nm: float) -> Array:
        """Return the draws of a law at a node: a part of all nodes, and one of its own."""
        shared, own = self._named(law), self._named(f"{law} at {node_nm:g} nm")
        return np.sqrt(NODE_CORRELATION) * shared + np.sqrt(1.0 - NODE_CORRELATION) * own

    def _named(self, name: str) -> Array:
        if name not in self._made:
            generator = np.random.default_rng([self._seed, *name.encode()])
            self._made[name] = generator.standard_normal(self._draws)
        return self._made[name]
