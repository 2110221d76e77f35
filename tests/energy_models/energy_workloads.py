"""Small workloads whose costs can be worked by hand."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Iterable
from pathlib import Path

from energy_models.hardware import LIMIT_NAMES, HardwareProfile, Site
from energy_models.quantities import parse_model
from energy_models.workload import Arithmetic, Conventions, Count, Kind, LayerWork, Products, Workload

DECODES = 4


def count(per_decode: int) -> Count:
    return Count.constant(per_decode, DECODES)


def in_turn(values: Iterable[float]) -> float:
    """A sum rounded after every addition, as `Band` adds; ``sum`` carries the rest along from Python 3.12 on."""
    return functools.reduce(operator.add, values, 0.0)


def products(macs: int, accumulates: int = 0) -> Conventions:
    """The same sites under all four conventions."""
    sites = Products(count(macs), count(accumulates))
    return Conventions(sites, sites, sites, sites)


def dense_layer(
    inputs: int, outputs: int, *, name: str = "fc", kind: Kind = "linear", positions: int = 1, weight_bits: int = 8,
    activation_bits: int = 8, arithmetic: Arithmetic = "integer", accumulator_bits: int = 32, events: int | None = None,
) -> LayerWork:
    """`positions` times a full product of `inputs` with an (inputs, outputs) matrix; `events` inputs are non-zero."""
    total = inputs * positions
    full = count(inputs * outputs * positions)
    live_sites = inputs * outputs * positions if events is None else events * outputs
    zero = count(0)
    binary = activation_bits == 1
    dense = Products(zero, full) if binary else Products(full, zero)
    live = Products(zero, count(live_sites)) if binary else Products(count(live_sites), zero)
    return LayerWork(
        name=name, kind=kind, arithmetic=arithmetic, calls=1, input_shape=(inputs,), output_shape=(outputs, positions),
        inputs=total, outputs=outputs * positions, reduction=inputs, products=Conventions(dense, dense, live, live),
        weights=inputs * outputs, weights_nonzero=inputs * outputs, weights_key=name, weight_bits=weight_bits,
        activation_bits=activation_bits, output_bits=activation_bits, accumulator_bits=accumulator_bits,
        input_events=count(total if events is None else events),
    )


def neurons(size: int, *, active: int, spikes: int, state_bits: int = 16) -> LayerWork:
    """One step of `size` leaky neurons, of which `active` get input and `spikes` fire."""
    return LayerWork(
        name="lif", kind="neuron", arithmetic="integer", calls=1, input_shape=(size,), output_shape=(size,),
        inputs=size, outputs=size, activation_bits=state_bits, output_bits=1, state_bits=state_bits,
        state_elements=size, state_reads=size, state_writes=size,
        operations={"leak": count(size), "compare": count(size), "add": count(active), "reset": count(spikes)},
        updates_active=count(active), updates_idle=count(size - active),
        input_events=count(active), output_events=count(spikes),
    )


def workload(*layers: LayerWork, mode: str = "stream", steps: int = 1, channels: int = 16) -> Workload:
    return Workload(
        name="by hand", mode=mode, decodes=DECODES, steps_per_decode=steps, channels=channels,  # type: ignore[arg-type]
        step_rate_hz=50.0, input_bits=8, layers=layers,
    )


def with_operations(layer: LayerWork, **operations: int) -> LayerWork:
    return dataclasses.replace(layer, operations={name: count(n) for name, n in operations.items()})


def quantity(value: float, unit: str, low: float | None = None, high: float | None = None) -> dict[str, object]:
    return {
        "value": value, "low": value if low is None else low, "high": value if high is None else high, "unit": unit,
        "basis": "derived", "source": "cacti7", "where": "by hand",
    }


def _memory(name: str, holds: list[str], **changes: object) -> dict[str, object]:
    return {
        "name": name, "capacity": quantity(1024, "byte"), "bank": quantity(256, "byte"), "word_bits": 32,
        "read": quantity(2, "pJ"), "write": quantity(3, "pJ"), "retention": quantity(5, "pW/bit"), "idle_banks": "off",
        "holds": holds,
        **changes,
    }


def toy_table(execution: dict[str, object], **changes: object) -> dict[str, object]:
    """A machine of round numbers: 1 MHz, 10 nW static, words of 32 bit, 2 pJ reads, 3 pJ writes, 5 pW/bit kept."""
    return {
        "name": "toy", "title": "Toy", "description": "Round numbers.", "node": quantity(65, "nm"),
        "supply": quantity(1, "V"), "temperature": quantity(300, "K"), "clock": quantity(1, "MHz"),
        "static": quantity(10, "nW"), "wake": {"energy": quantity(7, "pJ"), "time": quantity(2, "us")},
        "memories": [_memory("w", ["weights"]), _memory("d", ["activations", "state", "buffers"])],
        "execution": execution,
        **changes,
    }


def toy_site(**changes: object) -> Site:
    """A site of 1 kS/s at 12 bit, messages of 20 bit, 1 W allowed; nothing around the machine unless given."""
    absent = {"model": "absent", "reason": "not part of this sum"}
    table: dict[str, object] = {
        "name": "toy_site", "title": "Toy site", "description": "Round numbers.",
        "sampling": {
            "channels": quantity(16, "channel"), "rate": quantity(1, "kS/s"), "converter": quantity(12, "bit"),
        },
        "front_end": absent, "converter": absent, "radio": absent, "regulator": absent,
        "link": {"rate": quantity(1, "Mbit/s"), "message": quantity(20, "bit")}, "power_budget": quantity(1, "W"),
        "omitted": {name: "not in this sum" for name in LIMIT_NAMES if name not in {"link", "power_budget", *changes}},
        **changes,
    }
    return parse_model(table, Site, where="toy_site")


def _costs() -> dict[str, object]:
    """multiply a*b * 10 fJ; every other operation 1 fJ per bit, up to 32 bits."""
    square = {"max_bits": 32, "per_square_bit": quantity(10, "fJ/bit2")}
    line = {"max_bits": 32, "per_bit": quantity(1, "fJ/bit")}
    others = ("accumulate", "add", "compare", "leak", "reset", "requantise")
    return {"integer": {"multiply": square} | {name: line for name in others}}


def toy_array(**changes: object) -> HardwareProfile:
    execution: dict[str, object] = {
        "style": "weight_stationary_array", "rows": 8, "columns": 4, "control_factor": quantity(2, "1"),
        "operations": _costs(),
    }
    return parse_model(toy_table(execution, **changes), HardwareProfile, where="toy")


def toy_output_stationary(**changes: object) -> HardwareProfile:
    """8 rows x 4 columns; a register bit costs 1 fJ to read and 2 fJ to write."""
    return _with_registers({"style": "output_stationary", "rows": 8, "columns": 4}, **changes)


def toy_broadcast(*, lanes: int = 4, sums_per_lane: int = 2) -> HardwareProfile:
    return _with_registers({"style": "input_broadcast", "lanes": lanes, "sums_per_lane": sums_per_lane})


def toy_ring() -> HardwareProfile:
    return _with_registers({"style": "streaming_ring", "multipliers": 8})


def _with_registers(style: dict[str, object], **changes: object) -> HardwareProfile:
    execution: dict[str, object] = {
        **style, "control_factor": quantity(2, "1"), "register_read": quantity(1, "fJ/bit"),
        "register_write": quantity(2, "fJ/bit"), "operations": _costs(),
    }
    return parse_model(toy_table(execution, **changes), HardwareProfile, where="toy")


def toy_event(**changes: object) -> HardwareProfile:
    execution: dict[str, object] = {
        "style": "event_driven", "control_factor": quantity(2, "1"), "control_per_event": quantity(0.5, "pJ"),
        "control_per_active_update": quantity(0.4, "pJ"), "control_per_idle_update": quantity(0.3, "pJ"),
        "messages": _messages(), "step": {"energy": quantity(0.6, "pJ"), "cycles": quantity(5, "cycle/op")},
        "cycles_per_event": quantity(2, "cycle/op"), "cycles_per_update": quantity(3, "cycle/op"),
        "cycles_per_operation": quantity(1, "cycle/op"), "operations": _costs(),
    }
    return parse_model(toy_table(execution, **changes), HardwareProfile, where="toy")


def _messages() -> dict[str, object]:
    """A message of 1 pJ and two hops of 0.5 pJ, in 4 cycles."""
    return {
        "packet": quantity(1, "pJ"), "hop": quantity(0.5, "pJ"), "hops": quantity(2, "1"),
        "cycles": quantity(4, "cycle/op"),
    }


def toy_table_machine(**changes: object) -> HardwareProfile:
    """Energies per event: synapse 10, 8, 6 pJ; neuron 3 and 2 pJ; spike 5 pJ; message 2 pJ; step 0.6 pJ."""
    per = {name: quantity(value, "pJ") for name, value in (("dense", 10), ("sparse", 8), ("convolutional", 6))}
    execution: dict[str, object] = {
        "style": "event_table", "synapse": per, "neuron_access": quantity(3, "pJ"),
        "neuron_update": quantity(2, "pJ"), "spike": quantity(5, "pJ"), "messages": _messages(),
        "step": {"energy": quantity(0.6, "pJ"), "cycles": quantity(5, "cycle/op")},
        "cycles_per_event": quantity(2, "cycle/op"), "cycles_per_update": quantity(3, "cycle/op"),
        "cycles_per_spike": quantity(7, "cycle/op"),
    }
    return parse_model(toy_table(execution, **changes), HardwareProfile, where="toy")


def toy_core() -> HardwareProfile:
    execution: dict[str, object] = {
        "style": "programmable_core", "cores": 1, "active_power": quantity(3, "mW"),
        "product_widths": {
            "integer": [{"bits": 8, "factor": quantity(1, "1")}, {"bits": 12, "factor": quantity(3, "1")}],
        },
        "cycles_per_product": {"integer": {"linear": quantity(2, "cycle/MAC")}},
        "cycles_per_operation": {"integer": {"add": quantity(6, "cycle/op"), "compare": quantity(5, "cycle/op")}},
        "included_in_products": ["add"], "cycles_per_layer": quantity(100, "cycle"),
        "cycles_per_decode": quantity(50, "cycle"),
    }
    return parse_model(toy_table(execution), HardwareProfile, where="toy")


def profile_text(name: str) -> str:
    """Return the text of a shipped profile."""
    import energy_models.data

    return (Path(energy_models.data.__file__).parent / "profiles" / f"{name}.toml").read_text()
