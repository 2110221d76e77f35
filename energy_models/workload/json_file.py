"""Workloads as files: versioned JSON, validated on reading, written whole or not at all. See `docs/counting.md`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from energy_models.errors import WorkloadError
from energy_models.quantities import parse_json, read_text, write_failure, write_whole
from energy_models.workload.count import Count
from energy_models.workload.layers import EVENT_COUNTS, OPERATIONS, SCHEMA, LayerWork, Workload
from energy_models.workload.migrations import MIGRATIONS, migrated
from energy_models.workload.products import Conventions, Products

_SHOWN_PROBLEMS = 12
_TIMES = ("delay_s", "lag_s")  # written only where they are not 0
MOST_ELEMENTS = 2**53
"""Of the shape of one call: prices are floats, which hold whole numbers exactly up to here."""
SLOWEST_HZ, FASTEST_HZ = 1e-12, 1e15
"""Of input samples or bins: outside of these, windows and energies per second leave the range of floats."""
TOTALS = "totals"
"""What `answer_text` adds: derived from the rest, and left out on reading."""
_RULES = tuple(field.name for field in dataclasses.fields(Conventions))

# Strict: text or a fraction never becomes a count.
_WORKLOAD = TypeAdapter(Workload)


def write_workload(workload: Workload, path: str | Path) -> None:
    """Write a workload as JSON, whole or not at all.

    Parameters
    ----------
    workload : Workload
    path : Path
        Its folder must exist.

    Raises
    ------
    WorkloadError
        A workload that contradicts itself, or a file that cannot be written.
    """
    path = Path(path)
    _check(workload, str(path))
    text = workload_text(workload)
    try:
        write_whole(path, text)
    except OSError as error:
        raise WorkloadError(
            f"the workload cannot be written ({write_failure(error)})", where=str(path),
            remedy="Free some space, or choose a folder that exists and may be written",
        ) from error


def workload_text(workload: Workload) -> str:
    """Return a workload as the JSON text that `read_workload` reads."""
    return json.dumps(_document(workload), indent=1, allow_nan=False) + "\n"


def answer_text(workload: Workload) -> str:
    """Return the same with what people ask for first: products, FLOPs, BOPs and storage of a decode.

    `read_workload` reads it too.
    """
    document = _document(workload)
    totals = {**_totals(workload), "layers": [
        {"layer": layer.name, **_operations(workload.replace(layers=(layer,)))} for layer in workload.layers
    ]}  # fmt: skip
    return json.dumps({"schema": SCHEMA, TOTALS: totals, **document}, indent=1, allow_nan=False) + "\n"


def _totals(workload: Workload) -> dict[str, Any]:
    products = workload.products
    sums = {} if products is None else {f"products_{rule}": getattr(products, rule).mean for rule in _RULES}
    effective = None if products is None else products.effective
    kinds = {} if effective is None else {
        "multiply_accumulates_effective": effective.multiply_accumulate.mean,
        "accumulates_effective": effective.accumulate.mean,
    }  # fmt: skip
    return {
        "complete": workload.complete, **sums, **kinds, **_operations(workload),
        "stored_bytes": workload.packed_bytes, "state_bits": workload.state_bits_total,
    }  # fmt: skip


def _operations(workload: Workload) -> dict[str, float | None]:
    return {
        "floating_point_operations": workload.floating_point_operations, "bit_operations": workload.bit_operations
    }


def read_workload(path: str | Path) -> Workload:
    """Return the workload in a file.

    Raises
    ------
    WorkloadError
        No such file, and as `parse_workload`.
    """
    where = str(path)
    text = read_text(Path(path), error=WorkloadError, remedy="Name a file that cosim workload --json wrote")
    return parse_workload(text, where=where)


def parse_workload(text: str, *, where: str) -> Workload:
    """Return the workload of a JSON text.

    Parameters
    ----------
    text : str
        As `workload_text` gives it.
    where : str
        What messages call the text's place.

    Raises
    ------
    WorkloadError
        Not JSON, a schema that `MIGRATIONS` does not lead from, or fields that are missing, unknown, of the wrong type
        or contradictory; all problems of a text at once, by dotted path.
    """
    remedy = "The file was cut short or edited: write it again"
    return _decode(parse_json(text, where=where, error=WorkloadError, remedy=remedy), where)


def workload_digest(workload: Workload) -> str:
    """Return a content hash: equal for equal work, whatever the provenance."""
    return _digest(_document(workload))


def text_digest(text: str, *, where: str) -> str:
    """Return `workload_digest` of a JSON text as it was written, also where its schema is an older one.

    Raises
    ------
    WorkloadError
        Not JSON, or no workload.
    """
    remedy = "The file was cut short or edited: write it again"
    document = parse_json(text, where=where, error=WorkloadError, remedy=remedy)
    if not isinstance(document, dict):
        raise WorkloadError("not a workload", where=where, remedy=remedy)
    return _digest(cast(dict[str, Any], document))


def _digest(document: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in document.items() if name != "provenance"}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _document(workload: Workload) -> dict[str, Any]:
    """Return a workload as it is written; one without a wait, or a lag, as before there was such a field."""
    fields = {name: _plain(value) for name, value in _fields(workload)}
    for name in _TIMES:
        if not fields[name]:
            del fields[name]
    return {"schema": SCHEMA, **fields}


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if dataclasses.is_dataclass(value):
        return {name: _plain(inner) for name, inner in _fields(value)}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in cast(tuple[Any, ...], value)]
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in cast(Mapping[str, Any], value).items()}
    return value


def _decode(document: Any, where: str) -> Workload:
    if not isinstance(document, dict) or "schema" not in document:
        raise WorkloadError("not a workload: it has no 'schema'", where=where, remedy=f"Expected schema {SCHEMA!r}")
    content = migrated(cast(dict[str, Any], document))
    schema = content.pop("schema")
    content.pop(TOTALS, None)
    if schema != SCHEMA:
        raise WorkloadError(
            f"schema {schema!r} is not the one this version reads",
            where=where,
            remedy=f"Observe again with this version, which writes {SCHEMA!r} and reads {', '.join(MIGRATIONS)} too",
        )
    try:
        workload = _WORKLOAD.validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise _all_at_once(problems, where) from error
    _check(workload, where, [*_differences(content, _document(workload), "")])
    return workload


def _differences(given: Any, known: Any, path: str) -> Iterator[str]:
    """Yield fields of a file that no workload has, and those it lacks."""
    if isinstance(given, dict) and isinstance(known, dict):
        left, right = cast(dict[str, Any], given), cast(dict[str, Any], known)
        for name in sorted((left.keys() | right.keys()) - {"schema"}):
            place = f"{path}.{name}".lstrip(".")
            if name not in right:
                yield f"{place}: unknown field"
            elif name not in left:
                yield f"{place}: missing"
            else:
                yield from _differences(left[name], right[name], place)
    elif isinstance(given, list) and isinstance(known, list):
        pairs = zip(cast(list[Any], given), cast(list[Any], known), strict=False)
        for index, (one, other) in enumerate(pairs):
            yield from _differences(one, other, f"{path}.{index}")


def _all_at_once(problems: list[str], where: str) -> WorkloadError:
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    return WorkloadError(f"{shown}{more}", where=where, remedy="Mend these fields, or observe the decoder again")


def _check(workload: Workload, where: str, found: list[str] | None = None) -> None:
    """Raise one error that lists every contradiction."""
    problems = list(found or ())
    for name in ("decodes", "steps_per_decode", "channels", "input_bits"):
        if getattr(workload, name) < 1:
            problems.append(f"{name}: must be at least 1")
    if not SLOWEST_HZ <= workload.step_rate_hz <= FASTEST_HZ:
        problems.append(f"step_rate_hz: must be positive, from {SLOWEST_HZ:g} to {FASTEST_HZ:g}")
    for name in _TIMES:
        if not (math.isfinite(getattr(workload, name)) and getattr(workload, name) >= 0):
            problems.append(f"{name}: must be finite and not below 0")
    names = [layer.name for layer in workload.layers]
    for index, layer in enumerate(workload.layers):
        place = f"layers.{index} ({layer.name})"
        if names.count(layer.name) > 1:
            problems.append(f"{place}: this name is used twice")
        problems += [f"{place}.{problem}" for problem in _layer_problems(layer, workload.decodes)]
    for index, layer in enumerate(workload.warm_up):
        place = f"warm_up.{index} ({layer.name})"
        problems += [f"{place}.{problem}" for problem in _layer_problems(layer, None)]
    if workload.products is not None:
        problems += [f"products.{problem}" for problem in _sum_problems(workload.products, workload.layers)]
    if (workload.warm_up_steps > 0) != bool(workload.warm_up):
        problems.append("warm_up: layers and warm_up_steps are given together or not at all")
    if problems:
        raise _all_at_once(problems, where)


def _sum_problems(products: Conventions, layers: tuple[LayerWork, ...]) -> Iterator[str]:
    for rule in _RULES:
        for part in ("multiply_accumulate", "accumulate"):
            whole: Count = getattr(getattr(products, rule), part)
            yield from _count_problems(whole, f"{rule}.{part}")
            parts = [getattr(getattr(layer.products, rule), part).total for layer in layers if layer.products]
            if whole.total != sum(parts):
                yield f"{rule}.{part}: {whole.total}, but the layers sum to {sum(parts)}"


def _layer_problems(layer: LayerWork, decodes: int | None) -> Iterator[str]:
    """Yield what is wrong with a layer whose counts are sums over so many decodes; None: over any number."""
    for name, value in _fields(layer):
        if isinstance(value, int) and value < 0:
            yield f"{name}: negative"
        if isinstance(value, Count):
            yield from _count_problems(value, name)
    for name, count in _counts(layer):
        if decodes is not None and count.decodes != decodes:
            yield f"{name}: over {count.decodes} decodes, but the workload is over {decodes}"
    for name in ("input_shape", "output_shape"):
        shape: tuple[int, ...] = getattr(layer, name)
        if min(shape, default=0) < 0:
            yield f"{name}: an axis below 0"
        elif math.prod(shape) > MOST_ELEMENTS:
            yield f"{name}: {len(shape)} axes of more than 2^53 elements, which no layer makes in a call"
    for name, count in layer.operations.items():
        if name not in OPERATIONS:
            yield f"operations.{name}: unknown operation (known: {', '.join(OPERATIONS)})"
        yield from _count_problems(count, f"operations.{name}")
    if layer.decodes_per_call < 1:
        yield "decodes_per_call: must be at least 1"
    if layer.weights_nonzero > layer.weights:
        yield "weights_nonzero: more than weights"
    if any(taps < 1 for taps in layer.kernel):
        yield "kernel: an axis without a tap"
    if layer.products is not None:
        yield from _product_problems(layer.products)
        if any(getattr(layer.products, rule).total for rule in _RULES):
            yield from _size_problems(layer)


def _counts(layer: LayerWork) -> Iterator[tuple[str, Count]]:
    """Yield every count of a layer with the place where it stands."""
    for name in EVENT_COUNTS:
        if (count := getattr(layer, name)) is not None:
            yield name, count
    yield from ((f"operations.{name}", count) for name, count in layer.operations.items())
    if layer.products is not None:
        for rule in _RULES:
            sites: Products = getattr(layer.products, rule)
            yield f"products.{rule}.multiply_accumulate", sites.multiply_accumulate
            yield f"products.{rule}.accumulate", sites.accumulate


def _size_problems(layer: LayerWork) -> Iterator[str]:
    """Yield the sizes that a layer with products lacks: prices divide by them and take axes of them."""
    for name in ("calls", "inputs", "outputs", "reduction"):
        if not getattr(layer, name):
            yield f"{name}: 0, but the layer has products: it must be at least 1"
    for name in ("input_shape", "output_shape"):
        if min(getattr(layer, name), default=0) == 0:
            yield f"{name}: no axis, or one of no elements, but the layer has products: [1] is one number"


def _product_problems(products: Conventions) -> Iterator[str]:
    sites: list[Products] = [getattr(products, rule) for rule in _RULES]
    for rule, one in zip(_RULES, sites, strict=True):
        yield from _count_problems(one.multiply_accumulate, f"products.{rule}.multiply_accumulate")
        yield from _count_problems(one.accumulate, f"products.{rule}.accumulate")
    for upper, lower, rule in zip(sites, sites[1:], _RULES[1:], strict=False):
        if lower.total > upper.total:
            yield f"products.{rule}: more than the convention before it, which includes it"


def _count_problems(count: Count, place: str) -> Iterator[str]:
    if count.decodes < 1 or min(count.total, count.squares) < 0:
        yield f"{place}: negative, or of no decode"
    elif count.squares * count.decodes < count.total**2:
        yield f"{place}: sum of squares too small for its total"


__all__ = ["parse_workload", "read_workload", "text_digest", "workload_digest", "workload_text", "write_workload"]
