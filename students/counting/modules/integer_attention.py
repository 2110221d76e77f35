"""Linear attention in integers: requantisations, products with both sums, a division a step, and the sums as state.

Of one step of width d, in the equations of ``docs/concepts/quantised_attention.md``:

    query, key, value   d requantisations each, of what the projection gave
    mixture.update      d^2 products of keys and values, of the activations' width; d additions to z
    mixture.read        d^2 + d products of queries with S and z, at the width of S; a division, d requantisations
    output              d requantisations

The halving of both sums, once in as many steps as they hold, is counted as nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from students.counting.axes import BatchAxisError, is_labelled, plain, steps_of
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.records import MULTIPLIER_BITS, Work
from students.kernels.attention_grid import MIXTURE_BITS


def count_integer_attention(tracer: Tracer, module: Any, signal: Tensor, output: object) -> None:
    """Count the steps of a layer; queries, keys and values that are zero are what effective counts leave out.

    The sums count as non-zero: a word of them is zero only where no key has ever answered.
    """
    info, width, path = tracer.read(signal), module.width, tracer.path
    axes = info.axes
    stepped = axes is not None and steps_of(axes[2]) is not None
    if (axes is not None and is_labelled(axes[2]) and not stepped) or (axes is None and tracer.batch > 1):
        raise BatchAxisError
    steps = 1 if stepped else signal.shape[2]
    query, key, value = (part.value.detach() for part in module.parts(signal))
    asked, kept, stored = ((part != 0).sum(dim=1, keepdim=True) for part in (query, key, value))
    summed = None if axes is None else (axes[0], plain(1), axes[2])
    grids, mixture = module.mixture.seen, module.mixture
    sums, totals, numerators = mixture.widths(None if stepped else steps)
    if info.producer is not None:
        tracer.recorder.requantised(info.producer, grids[0].bits)
    scales = max(info.scales // 3, 1)
    for name, grid in zip(("query", "key", "value"), grids, strict=True):
        _requantised(tracer, f"{path}.{name}", info, (width, steps), (info.bits(signal), grid.bits), scales)
    shared = Work(
        kind="recurrent", arithmetic="integer", input_shape=(3 * width,), output_shape=(width,), calls=steps,
        when=tracer.when(info), reduction=1, activation_bits=grids[1].bits, output_bits=sums, accumulator_bits=sums,
        counts={
            **_conventions(width**2 * steps, tracer.sums(kept * width, summed), tracer.sums(kept * stored, summed)),
            "input_events": tracer.sums((key != 0) | (value != 0), axes and (axes[0], plain(width), axes[2])),
            "op:add": width * steps,
        },
    )  # fmt: skip
    tracer.record(f"{path}.mixture.update", shared)
    read = tracer.sums(asked * (width + 1), summed)
    events = tracer.sums(query != 0, axes and (axes[0], plain(width), axes[2]))
    operations = {"op:divide": steps, "op:requantise": width * steps}
    counts = {**_conventions((width + 1) * width * steps, read, read), "input_events": events, **operations}
    work = replace(
        shared, counts=counts, reduction=width, activation_bits=sums, output_bits=MIXTURE_BITS,
        accumulator_bits=numerators,
    )  # fmt: skip
    tracer.record(f"{path}.mixture.read", work)
    for name, elements, bits in (("sums", width**2, sums), ("totals", width, totals)):
        held = replace(
            shared, input_shape=(0,), output_shape=(0,), counts={}, reduction=0, activation_bits=bits, output_bits=bits,
            accumulator_bits=0, state_bits=bits, state_elements=elements, state_reads=elements * steps,
            state_writes=elements * steps,
        )  # fmt: skip
        tracer.record(f"{path}.mixture.{name}", held)
    grid = module.output_grid
    _requantised(tracer, f"{path}.output", info, (width, steps), (MIXTURE_BITS, grid.bits), 1)
    after = None if axes is None else (axes[0], plain(width), axes[2])
    tracer.set_info(tensors_of(output)[0], Info(after, grid))


def _conventions(sites: int, by_input: Tensor, effective: Tensor) -> dict[str, int | Tensor]:
    found: dict[str, int | Tensor] = {
        "dense_full.mac": sites, "dense_valid.mac": sites, "effective_input.mac": by_input, "effective.mac": effective,
    }  # fmt: skip
    return found | {f"{rule}.ac": 0 for rule in ("dense_full", "dense_valid", "effective_input", "effective")}


def _requantised(  # noqa: PLR0917  a name, the signal, then the figures
    tracer: Tracer, name: str, info: Info, size: tuple[int, int], bits: tuple[int, int], scales: int
) -> None:
    width, steps = size
    work = Work(
        kind="quantise", arithmetic="integer", input_shape=(width,), output_shape=(width,), calls=steps,
        when=tracer.when(info), counts={"op:requantise": width * steps}, activation_bits=bits[0], output_bits=bits[1],
        constants=scales, constant_bits=MULTIPLIER_BITS,
    )  # fmt: skip
    tracer.record(name, work)
