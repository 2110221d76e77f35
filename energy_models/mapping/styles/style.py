"""What an execution style is: how its machines count, place and price the work of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from energy_models.hardware import Costs, Datapath
from energy_models.mapping.action_counts import ActionCounts
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.passes import Passes, at_stored_widths, streamed_passes
from energy_models.quantities import Number
from energy_models.workload import LayerWork, Workload

E = TypeVar("E")
"""The model of a style's constants in `energy_models.hardware.execution`."""

class Executes(Protocol):
    """What executes: the model of a profile, or the free choices of very many machines of one style."""

    @property
    def style(self) -> str:
        """Name of the style."""
        ...


ActPrices = tuple[tuple[Literal["compute", "state", "control"], tuple[str, ...]], ...]
"""Causes of an act's energy, each with the paths of the constants that are multiplied."""


def no_sums_in_memory(layer: LayerWork, execution: object) -> Number:
    """Return 0: unfinished sums stay in registers."""
    return 0


def refuses_nothing(workload: Workload) -> tuple[str, ...]:
    """Return no reason: machines of the style take any workload."""
    return ()


def nothing_per_decode(workload: Workload) -> tuple[ActionCounts, ...]:
    """Return no counts: all work belongs to layers."""
    return ()


def no_operation_costs(execution: object) -> Costs:
    """Return no costs: operations are inside other costs."""
    return {}


def datapath_costs(execution: Datapath) -> Costs:
    """Return the costs of operations of a machine that is built up from its parts."""
    return execution.operations


@dataclass(frozen=True, slots=True)
class RegisterPrices:
    """Paths of the constants that price a bit read from, and written to, the registers of a datapath."""

    read: str = "execution.register_read"
    write: str = "execution.register_write"


@dataclass(frozen=True, slots=True)
class Style(Generic[E]):
    """One execution style; its equations stand at the head of the file that defines it.

    Parameters
    ----------
    name : str
        Text of `style` in a profile's table ``[execution]``.
    count : callable
        From layers (counts per active decode), constants and placement to the action counts of each layer in a decode.
    passes : callable
        From layers, in order, to the passes over memory in which machines of the style do them.
    sums_in_memory : callable
        From a layer with products and the constants to its unfinished sums of one call that are in memory at once.
    refuses : callable
        From a workload to the reasons why no machine of the style runs it, each to be read after the machine's name.
    per_decode : callable
        From a workload to the action counts of work that belongs to no layer, once a decode.
    operation_costs : callable
        From the constants of a profile to the costs of operations.
    act_prices : mapping of act to ActPrices
        What each act of `ActionCounts.control` costs.
    registers : RegisterPrices or None
        What register accesses cost; None where they are inside other costs.
    cycle_power : str
        Path of the power drawn during every counted cycle, the whole energy of the work; '' where cycles cost nothing.
    """

    name: str
    count: Callable[[Sequence[LayerWork], E, WordWidths], tuple[ActionCounts, ...]]
    passes: Passes = streamed_passes
    sums_in_memory: Callable[[LayerWork, E], Number] = no_sums_in_memory
    refuses: Callable[[Workload], tuple[str, ...]] = refuses_nothing
    per_decode: Callable[[Workload], tuple[ActionCounts, ...]] = nothing_per_decode
    operation_costs: Callable[[Any], Costs] = no_operation_costs
    act_prices: Mapping[str, ActPrices] = field(default_factory=dict[str, ActPrices])
    registers: RegisterPrices | None = None
    cycle_power: str = ""


def each_layer(
    count_layer: Callable[[LayerWork, E, WordWidths], ActionCounts],
) -> Callable[[Sequence[LayerWork], E, WordWidths], tuple[ActionCounts, ...]]:
    """Return the count of all layers where each is counted alone, its outputs as wide as its stream stores them."""

    def count(layers: Sequence[LayerWork], execution: E, placement: WordWidths) -> tuple[ActionCounts, ...]:
        stored = at_stored_widths(layers, streamed_passes)
        return tuple(count_layer(layer, execution, placement) for layer in stored)

    return count
