"""What a network did, in words no machine appears in: the vocabulary shared by students and prices.

A `Workload` is a sum over `decodes` observed decodes. Counts are exact integers; means and standard errors are derived
on reading, never stored. See `docs/counting.md` for the definitions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from energy_models.quantities import html_table
from energy_models.workload.count import Count
from energy_models.workload.products import Conventions

SCHEMA = "cosim.workload/4"
BITS_PER_BYTE = 8

Kind = Literal[
    "conv", "depthwise", "pointwise", "linear", "recurrent", "attention", "matmul", "embedding",
    "neuron", "norm", "activation", "pool", "elementwise", "quantise", "filter", "feature",
]
Arithmetic = Literal["float", "integer"]
Cadence = Literal["decode", "sample"]
WeightForm = Literal["graded", "ternary", "binary"]

# Operations that are not weight x activation products. Each is priced apart; none is ever free by omission.
OPERATIONS = (
    "add",            # an addition outside a product (bias, residual, pooling sum, reference)
    "multiply",       # a multiplication outside a product (norm scale, gate, filter state)
    "compare",        # a comparison (ReLU, max pool, threshold)
    "divide",         # a division (average pool by a non power of two, normalisation)
    "square_root",
    "lookup",         # a non-linear function read from a table (sigmoid, tanh, exp, log, ELU, GELU)
    "requantise",     # multiply by scale, shift, round, clip to the next layer's grid
    "leak",           # multiply of a neuron's state by its decay
    "leak_shift",     # the same where the decay is 1 - 2^-k and the state an integer: a shift and a subtraction
    "reset",          # subtraction of the threshold after a spike
)


EVENT_COUNTS = ("input_events", "output_events", "input_units", "output_units", "updates_active", "updates_idle")


@dataclass(frozen=True, slots=True)
class LayerWork:
    """One layer's work, summed over the observed decodes.

    Parameters
    ----------
    name : str
        Path of the layer in the model, with a suffix where one module does two products (``gru.hidden``).
    kind : Kind
        What machines price apart.
    arithmetic : {'float', 'integer'}
        Number format of the products.
    calls : int
        Calls per decode (time steps, for a layer in a time loop).
    input_shape, output_shape : tuple of int
        Shapes of one call, without the batch axis.
    reduction : int
        Products per output element under ``dense_full`` (in_channels/groups x kernel taps).
    outputs, inputs : int
        Output and input elements per decode, over all calls.
    kernel : tuple of int
        Taps of a convolution along each spatial axis; empty for other layers, and in files that do not say.
    products : Conventions or None
        None for layers that hold no products (pooling, neurons, activations).
    operations : mapping of str to Count
        Others, by a name in `OPERATIONS`.
    weights, weights_nonzero, biases : int
        Stored elements; non-zeros are counted after quantisation.
    weights_key : str
        Layers that share storage share this key; it is stored once. Empty: nothing stored.
    weight_form : {'graded', 'ternary', 'binary'}
        ``ternary``: every stored weight is -1, 0 or 1 by its format; ``binary``: -1 or 1. Products are sign-adds.
    weight_bits, activation_bits, output_bits, accumulator_bits, bias_bits, state_bits : int
        Widths in bits; 0 where the layer has no such operand.
    constants, constant_bits : int
        Other stored constants (requantisation multipliers, decays, thresholds, tables) and their width [bits].
    input_events, output_events : Count
        Non-zero input and output elements per decode; spikes of a spiking layer.
    input_units, output_units : Count or None
        The same where a value says how often a neuron fired in a step, by value: k counts k. Else None.
    state_elements, state_reads, state_writes : int
        State words kept from one call, or decode, to the next (membranes, ring buffers); read and written per decode.
    updates_active, updates_idle : Count or None
        Neuron updates with and without input current in that step. None for non-neurons.
    decodes_per_call : int
        Stream only: decodes from one call to the next, for a layer behind a stride, which works in some of them only.
        `calls`, `inputs`, `outputs`, `state_reads` and `state_writes` are those of a decode in which it works; every
        `Count` is over all decodes.
    cadence : {'decode', 'sample'}
        ``decode``: done once per decode. ``sample``: done on every new input sample, however often a decision is asked
        for (filters); its counts are those of one decode's window, its power their energy over the window's duration.
    """

    name: str
    kind: Kind
    arithmetic: Arithmetic
    calls: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    inputs: int
    outputs: int
    reduction: int = 0
    products: Conventions | None = None
    operations: Mapping[str, Count] = field(default_factory=dict[str, Count])
    weights: int = 0
    weights_nonzero: int = 0
    biases: int = 0
    weights_key: str = ""
    weight_bits: int = 0
    activation_bits: int = 0
    output_bits: int = 0
    accumulator_bits: int = 0
    bias_bits: int = 0
    state_bits: int = 0
    input_events: Count | None = None
    output_events: Count | None = None
    input_units: Count | None = None
    output_units: Count | None = None
    state_elements: int = 0
    state_reads: int = 0
    state_writes: int = 0
    updates_active: Count | None = None
    updates_idle: Count | None = None
    cadence: Cadence = "decode"
    weight_form: WeightForm = "graded"
    constants: int = 0
    constant_bits: int = 0
    decodes_per_call: int = 1
    kernel: tuple[int, ...] = ()

    def per_active_decode(self) -> LayerWork:
        """Return the layer with its counts as they are, on average, in a decode in which it works."""
        times = self.decodes_per_call
        if times == 1:
            return self
        return dataclasses.replace(
            self,
            decodes_per_call=1,
            products=self.products and self.products.times(times),
            operations={name: count.times(times) for name, count in self.operations.items()},
            **{name: count.times(times) for name in EVENT_COUNTS if (count := getattr(self, name)) is not None},
        )


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Something the network did that could not be counted. Its presence marks every total incomplete."""

    layer: str
    operation: str
    reason: str


def _shown(layer: LayerWork) -> dict[str, object]:
    """Return a layer's row in a table for people."""
    products = layer.products
    return {
        "layer": layer.name, "kind": layer.kind, "bits w/a": f"{layer.weight_bits}/{layer.activation_bits}",
        "products (valid taps)": None if products is None else f"{products.dense_valid.mean:,.0f}",
        "effective": None if products is None else f"{products.effective.mean:,.0f}",
        "stored": layer.weights + layer.biases + layer.constants,
    }


@dataclass(frozen=True, slots=True)
class Workload:
    """All layers of one decoder, preprocessing included, summed over the observed decodes.

    Parameters
    ----------
    name : str
        What was observed.
    mode : {'window', 'stream'}
        Whether one decode processes a whole window or one new bin or sample with state kept between.
    decodes, channels : int
        Observed decodes; input channels.
    steps_per_decode : int
        Input samples (window) or bins (stream: 1) consumed by one decode, per channel.
    step_rate_hz : float
        Rate of the input samples or bins [Hz].
    input_bits : int
        Width of one input element as it reaches the first layer [bits].
    layers : tuple of LayerWork
    uncounted : tuple of Uncounted
    provenance : mapping of str to str
        Versions, spec hash, recordings observed.
    products : Conventions or None
        Sum over the layers decode by decode, whose errors include how layers vary together; None: layers alone given.
    warm_up_steps : int
        Steps at the start of each streamed segment that `layers` leave out: buffers and states were still filling.
    warm_up : tuple of LayerWork
        The same layers over those steps only; empty where there were none.
    delay_s, lag_s : float
        Longest wait from a step to its estimate, whatever the machine (a filter's block has to fill) [s]; and how far
        a causal filter after the decoder makes estimates lag that are there at once, which is in no latency [s].
    """

    name: str
    mode: Literal["window", "stream"]
    decodes: int
    steps_per_decode: int
    channels: int
    step_rate_hz: float
    input_bits: int
    layers: tuple[LayerWork, ...]
    uncounted: tuple[Uncounted, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict[str, str])
    products: Conventions | None = None
    warm_up_steps: int = 0
    warm_up: tuple[LayerWork, ...] = ()
    delay_s: float = 0.0
    lag_s: float = 0.0

    def __repr__(self) -> str:
        products = "" if self.products is None else f"{self.products.dense_valid.mean:,.0f} products a decode, "
        return (
            f"<Workload: {self.name}, {self.mode}, {len(self.layers)} layers, {products}{self.packed_bytes:,} bytes "
            f"stored, {self.channels} channels at {self.step_rate_hz:g} Hz{'' if self.complete else ', INCOMPLETE'}>"
        )

    def _repr_html_(self) -> str:
        return html_table(self.name, [_shown(layer) for layer in self.layers])

    @property
    def complete(self) -> bool:
        """True where nothing was left uncounted."""
        return not self.uncounted

    @property
    def window_s(self) -> float:
        """Time covered by the input of one decode [s]."""
        return self.steps_per_decode / self.step_rate_hz

    @property
    def weight_bits_total(self) -> int:
        """Stored weight, bias and other constant bits, shared storage once, packed without gaps."""
        return sum(self._stored().values())

    @property
    def packed_bytes(self) -> int:
        """Bytes that hold all stored constants, each layer's packed from a byte boundary on."""
        return sum(math.ceil(bits / BITS_PER_BYTE) for bits in self._stored().values())

    def _stored(self) -> dict[str, int]:
        """Return stored bits by storage; a layer with constants only is its own storage."""
        stored: dict[str, int] = {}
        for layer in self.layers:
            bits = layer.weights * layer.weight_bits + layer.biases * layer.bias_bits
            own = layer.constants * layer.constant_bits
            if layer.weights_key:
                stored[layer.weights_key] = max(bits, stored.get(layer.weights_key, 0))
            elif bits or own:
                own += bits
            if own:
                stored[f"{layer.name} (constants)"] = own
        return stored

    @property
    def bit_operations(self) -> float | None:
        """Bit operations of a decode (BOPs): valid products times weight bits times activation bits, over all layers.

        For a product of two signals both widths are the activation's. None where a layer with products has no widths.
        Preprocessing on every sample counts with its window. As in van Baalen et al., "Bayesian Bits" (2020).
        """
        total = 0.0
        for layer in self.layers:
            if layer.products is not None:
                other = layer.activation_bits if layer.kind == "attention" else layer.weight_bits
                bits = other * layer.activation_bits
                if not bits and layer.products.dense_valid.total:
                    return None
                total += layer.products.dense_valid.mean * bits
        return total

    @property
    def floating_point_operations(self) -> float:
        """Operations of a decode (FLOPs): two a valid product, and one for each other operation that is counted."""
        products = (layer.products.dense_valid.mean for layer in self.layers if layer.products is not None)
        others = (count.mean for layer in self.layers for count in layer.operations.values())
        return 2 * sum(products) + sum(others)

    @property
    def state_bits_total(self) -> int:
        """State bits kept between calls or decodes."""
        return sum(layer.state_elements * layer.state_bits for layer in self.layers)

    def replace(self, **changes: object) -> Workload:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
