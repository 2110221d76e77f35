"""The constants of a machine by its execution style: one model a style.

A new style is a model here, entered in `Execution`, and a file of its own in `energy_models.mapping.styles`. Each says
whether its costs contain the energy of memory accesses (`contains_memory`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from energy_models.quantities import (
    Cycles,
    CyclesPerOperation,
    Energy,
    EnergyPerBit,
    EnergyPerSquareBit,
    Frozen,
    Power,
    Ratio,
)
from energy_models.workload import Arithmetic, ProductKind

OperationName = Literal[
    "accumulate", "add", "multiply", "compare", "divide", "square_root", "lookup", "requantise", "leak", "reset",
]


class OperationCost(Frozen):
    """Energy of one operation on operands of widths a and b: ``fixed + per_bit (a+b)/2 + per_square_bit a b``.

    `max_bits` is the widest operand the unit takes; wider ones are not priced.
    """

    fixed: Energy | None = None
    per_bit: EnergyPerBit | None = None
    per_square_bit: EnergyPerSquareBit | None = None
    max_bits: int = Field(gt=0)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.fixed is None and self.per_bit is None and self.per_square_bit is None:
            raise ValueError("give at least one of fixed, per_bit, per_square_bit")
        return self


Costs = Mapping[Arithmetic, Mapping[OperationName, OperationCost]]


class Datapath(Frozen):
    """What every built-up datapath has: operations, and a factor on their energy for the clock tree and sequencing.

    `cycles_per_layer` are those of setting a layer up, once a decode (`energy_models.mapping.set_up`); absent where
    none are known.
    """

    contains_memory: ClassVar[bool] = False

    control_factor: Ratio
    cycles_per_layer: Cycles | None = None
    operations: Costs

    @model_validator(mode="after")
    def _factor(self) -> Self:
        if self.control_factor.low < 1:
            raise ValueError("control_factor multiplies the datapath energy: it cannot be below 1")
        return self


class RegisterDatapath(Datapath):
    """One whose registers are priced beside the operations, per bit moved."""

    register_read: EnergyPerBit
    register_write: EnergyPerBit


class WeightStationaryArray(Datapath):
    """Near-memory array: a tile of weights stays in `rows` x `columns` cells while activations stream past."""

    style: Literal["weight_stationary_array"]
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)


class OutputStationaryArray(RegisterDatapath):
    """Systolic array: each of `rows` x `columns` cells sums one output while activations and weights stream past.

    Register energies are per bit moved; `control_factor` is the clock tree and sequencing beside them.
    """

    style: Literal["output_stationary"]
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)


class InputBroadcast(RegisterDatapath):
    """SIMD unit: one activation is broadcast to `lanes` lanes, each of which holds `sums_per_lane` unfinished sums."""

    style: Literal["input_broadcast"]
    lanes: int = Field(gt=0)
    sums_per_lane: int = Field(gt=0)


class StreamingRing(RegisterDatapath):
    """Streaming unit: `multipliers` and an adder tree over ring buffers that keep the past; takes streams only."""

    style: Literal["streaming_ring"]
    multipliers: int = Field(gt=0)


class SpikeMessages(Frozen):
    """Costs of one spike sent to one layer: ``packet + hop hops`` [J]; `hops` is the mean distance in the network."""

    packet: Energy
    hop: Energy
    hops: Ratio
    cycles: CyclesPerOperation


class TimeStep(Frozen):
    """What keeps all neurons in the same time step, once per step, however silent it was."""

    energy: Energy
    cycles: CyclesPerOperation


class EventDriven(Datapath):
    """Event-driven core, built up: each input event fetches its row of synapses and updates the targets' state.

    Events of several bits are sent as one message with a ``payload``, which takes a multiplier, or ``repeated`` as so
    many single spikes, which takes none. A message costs the same whatever the bits of its payload: no source that was
    read has its energy by bits. Of the targets of an event, `lanes` are updated side by side: sums that stand in one
    word are read and written at once.
    """

    style: Literal["event_driven"]
    lanes: int = Field(1, gt=0)
    graded_events: Literal["payload", "repeated"] = "payload"
    control_per_event: Energy
    control_per_active_update: Energy
    control_per_idle_update: Energy
    messages: SpikeMessages
    step: TimeStep
    cycles_per_event: CyclesPerOperation
    cycles_per_update: CyclesPerOperation
    cycles_per_operation: CyclesPerOperation


class Synapses(Frozen):
    """Energy of one synaptic operation by how the connections are stored: full rows, lists, shared kernels.

    A machine without lists stores every connection in full rows; one without shared kernels takes no convolutions.
    """

    dense: Energy
    sparse: Energy | None = None
    convolutional: Energy | None = None


class EventTable(Frozen):
    """Event-driven core whose energies are published per event, memories and datapath inside them.

    Every neuron is accessed in every step; those with input current are updated too. Spikes are binary: graded
    events, delays and work outside synapses and neurons are not priced.
    """

    contains_memory: ClassVar[bool] = True
    style: Literal["event_table"]
    synapse: Synapses
    neuron_access: Energy
    neuron_update: Energy
    spike: Energy
    messages: SpikeMessages
    step: TimeStep
    cycles_per_event: CyclesPerOperation
    cycles_per_update: CyclesPerOperation
    cycles_per_spike: CyclesPerOperation


class EventCycles(Frozen):
    """Clocked spiking core: cycles per event and neuron, times what activity adds to the idle power.

    The first layer with products is the input's, the last one the read-out's, those between are recurrent. Spikes are
    binary: graded events, delays and work outside synapses and neurons are not priced.
    """

    contains_memory: ClassVar[bool] = True
    style: Literal["event_cycles"]
    active_power: Power
    cycles_per_input: CyclesPerOperation
    cycles_per_input_event: CyclesPerOperation
    cycles_per_recurrent_event: CyclesPerOperation
    cycles_per_readout_spike: CyclesPerOperation
    cycles_per_readout_event: CyclesPerOperation
    cycles_per_hidden_update: CyclesPerOperation
    cycles_per_hidden_spike: CyclesPerOperation
    cycles_per_readout_update: CyclesPerOperation


class ProductWidth(Frozen):
    """Products of operands up to `bits` wide take `factor` times the cycles of the table."""

    bits: int = Field(gt=0)
    factor: Ratio


class MatrixEngine(Frozen):
    """Engine beside the cores that takes integer layers of some kernels; a core passes it what it takes.

    Parameters
    ----------
    kernels : tuple of (int, int)
        Kernels that it takes, rows and columns.
    channels : int
        Input channels that it multiplies side by side: fewer leave multipliers idle, which is charged.
    max_bits : int
        Widest operand.
    cycles_per_product : mapping of kind to cycles
        Of a convolution, pointwise or depthwise layer whose channels fill the engine.
    """

    kernels: tuple[tuple[int, int], ...] = Field(min_length=1)
    channels: int = Field(gt=0)
    max_bits: int = Field(gt=0)
    cycles_per_product: Mapping[ProductKind, CyclesPerOperation]


class ProgrammableCore(Frozen):
    """Processor whose energy is its cycles times the energy of a cycle under a neural-network load.

    `product_widths` go from narrow to wide; the first that holds both operands counts, wider ones are not priced.

    `included_in_products` names the operations that the cycles of a product layer already contain (bias,
    requantisation, clipping of the measured kernels); they are charged apart in layers without products only.

    `cores` share the outputs of a layer among them; `cycles_per_product` are those of all together, each busy. A kind
    without cycles of its own has those of `energy_models.workload.product_kinds.LIKE`; an `engine` takes the layers
    that it can.
    """

    contains_memory: ClassVar[bool] = True
    style: Literal["programmable_core"]
    cores: int = Field(gt=0)
    active_power: Power
    product_widths: Mapping[Arithmetic, tuple[ProductWidth, ...]]
    cycles_per_product: Mapping[Arithmetic, Mapping[ProductKind, CyclesPerOperation]]
    cycles_per_operation: Mapping[Arithmetic, Mapping[OperationName, CyclesPerOperation]]
    included_in_products: tuple[OperationName, ...]
    cycles_per_layer: Cycles
    cycles_per_decode: Cycles
    engine: MatrixEngine | None = None


Execution = Annotated[
    WeightStationaryArray | OutputStationaryArray | InputBroadcast | StreamingRing
    | EventDriven | EventTable | EventCycles | ProgrammableCore,
    Field(discriminator="style"),
]
