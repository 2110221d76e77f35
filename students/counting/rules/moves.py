"""Indexing, gathering, shuffling, overlapping: free moves, and additions where indices repeat."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from students.counting.axes import BatchAxisError
from students.counting.calls import Call, Rule, even_when_silent, moving, sizing, tensors_of
from students.counting.dispatch import Info, Tracer, known_move, moved_values
from students.counting.rules.charges import Signal, charge
from students.counting.rules.embeddings import places_of, read_table
from students.counting.rules.shaping import rules as shaping_rules

TABLES = ("gather", "index", "_unsafe_index", "index_select", "take")
MOVES = (
    "masked_select", "index_copy", "index_fill",
    "scatter", "tril", "triu", "diagonal", "diag_embed", "im2col", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle", "native_channel_shuffle", "repeat", "rot90", "as_strided", "block_diag",
    "max_unpool2d", "max_unpool3d", "select_scatter", "slice_scatter", "diagonal_scatter",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
)  # fmt: skip
OVERLAPS = ("col2im", "unfold_backward")
ACCUMULATES = ("scatter_add", "index_add")
CHECKS = ("_assert_async", "_linalg_check_errors")


def _moved(tracer: Tracer, call: Call) -> Any:
    """A move costs nothing. Where a result's size depends on the numbers, its decodes are lost."""
    named, values = call.named(), moved_values(tracer, call)
    if call.name in {"masked_select", "index"} and _sized_by_numbers(tracer, named) and tracer.batch > 1:
        raise BatchAxisError
    mutable = call.function._schema.is_mutable
    info = known_move(tracer, call, call.args[0], values) if mutable else None
    out = call.run()
    for tensor in tensors_of(out):
        tracer.set_info(tensor, info or known_move(tracer, call, tensor, values))
    return out


def _read(tracer: Tracer, call: Call) -> Any:
    """Numbers of a signal at some places: a move. Numbers of a constant at places the input says: a table."""
    table, places = call.named()["self"], [one for name in ("index", "indices") for one in places_of(call, name)]
    dynamic = [one for one in places if tracer.is_dynamic(one)]
    if tracer.is_dynamic(table) or not dynamic or any(one.dtype == torch.bool for one in places):
        return _moved(tracer, call)
    return read_table(tracer, call, places)


def _sized_by_numbers(tracer: Tracer, named: dict[str, Any]) -> bool:
    """True where a mask that depends on the input selects."""
    found = tensors_of((named.get("mask"), named.get("indices")))
    return any(one.dtype == torch.bool and tracer.is_dynamic(one) for one in found)


def _filled(tracer: Tracer, call: Call) -> Any:
    """A constant written over a part of a signal: the rest stays what it was."""
    known = tracer.info(call.args[0])
    out = call.run()
    tracer.set_info(out, Info(known.axes))
    return out


def _put(tracer: Tracer, call: Call) -> Any:
    return _accumulated(tracer, call) if call.named().get("accumulate", False) else _moved(tracer, call)


def _accumulated(tracer: Tracer, call: Call) -> Any:
    """One addition for every number moved onto a place that already holds one (scatter_add, index_add)."""
    named, values = call.named(), moved_values(tracer, call)
    if named.get("alpha", 1) != 1:
        raise BatchAxisError
    info = known_move(tracer, call, named["self"], values, sums=1)
    source: Tensor = next(named[name] for name in ("src", "source", "values") if name in named)
    places = torch.zeros_like(named["self"])
    ones = {name: torch.ones_like(source) for name in ("src", "source", "values") if name in named}
    adds = int(call.function(**{**named, "self": places, **ones}).sum())
    out = call.run()
    _charge_additions(tracer, call, (values[0], out), info, adds)
    return out


def _overlapped(tracer: Tracer, call: Call) -> Any:
    """Overlap-add: every number but the first that lands on a place is one addition."""
    source: Tensor = call.args[0]
    out = call.run()
    info = known_move(tracer, call, out, [source], sums=1)
    hits = call.function(torch.ones_like(source), *call.args[1:], **call.kwargs)
    _charge_additions(tracer, call, (source, out), info, int(hits.sum() - (hits > 0).sum()))
    return out


def _charge_additions(tracer: Tracer, call: Call, signals: tuple[Tensor, Tensor], info: Info, adds: int) -> None:
    source, out = signals
    if not tracer.contexts[-1].silent:
        charge(tracer, call, "elementwise", (Signal(source, tracer.info(source)), Signal(out, info)), {"add": adds})
    tracer.set_info(out, info)


def _checked(_: Tracer, call: Call) -> Any:
    """A check that raises on bad numbers is no part of a deployed decoder."""
    return call.run()


_KEPT = shaping_rules()["to"]


def _converted(tracer: Tracer, call: Call) -> Any:
    """A conversion between formats is free; from float to integer it truncates (one add), to truth one compare."""
    source = tensors_of((call.args, call.kwargs))[0]
    out = _KEPT(tracer, call)
    fraction = source.is_floating_point() or source.is_complex()
    if fraction and not (out.is_floating_point() or out.is_complex()) and not tracer.contexts[-1].silent:
        each = "compare" if out.dtype == torch.bool else "add"
        info = tracer.read(source)
        charge(tracer, call, "elementwise", (Signal(source, info), Signal(out, tracer.info(out))), {each: out.numel()})
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of moves by address, by operation name; they also follow shapes inside integer products."""
    groups: list[tuple[tuple[str, ...], Rule]] = [
        (MOVES, moving(_moved)),
        (TABLES, sizing("self")(moving(_read))),
        (OVERLAPS, _overlapped),
        (ACCUMULATES, _accumulated),
        (("index_put", "_index_put_impl"), _put),
        (("fill", "zero"), _filled),
        (CHECKS, _checked),
        (("to", "_to_copy", "type_as"), moving(_converted)),
    ]
    return {name: even_when_silent(rule) for names, rule in groups for name in names}
