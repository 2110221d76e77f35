"""Scaled dot-product attention, without a table of its scores where no weight can be zero or one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from students.counting.calls import Call, Rule
from students.counting.dispatch import Info, Tracer
from students.counting.rules.charges import Signal, charge
from students.counting.rules.pointwise import charge_softmax
from students.counting.rules.products import record_matmul

SPREAD = 14.0
"""Two scores that differ by less give weights that float32 can tell from 1: ``1 - w >= exp(-14) / 2 > 2^-23``.

Among n scores of a row, n - 1 of them make up the rest, so that their logarithm may be added. The smallest weight,
``exp(-14) / n^2``, is far above the smallest float.
"""
ROWS = 128
"""Rows of scores looked at together: they stay in a processor's cache."""


def _attention(tracer: Tracer, call: Call) -> Any:
    """Attention as its textbook steps: scale, scores, mask, softmax, values.

    The scale is charged on the queries, the smaller tensor. A mask, whether float, boolean or causal, is one addition
    a score (of zero or minus infinity); a masked score is computed and is a dense site, its weight of zero makes its
    value no effective one. Grouped queries share keys and values: each head's products are its own.
    """
    named = call.named()
    query, key, value = named["query"], named["key"], named["value"]
    mask, scale = named.get("attn_mask"), named.get("scale")
    factor = query.shape[-1] ** -0.5 if scale is None else float(scale)
    plain = mask is None and not named.get("enable_gqa", False)
    if plain and _is_spread(tracer, (query, key, value), factor, named.get("is_causal", False)):
        return _without_scores(tracer, call, named, factor)
    if named.get("is_causal", False):
        mask = query.new_full((query.shape[-2], key.shape[-2]), -torch.inf).triu(1)
    if mask is not None and mask.dtype == torch.bool and not tracer.is_dynamic(mask):
        added = query.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
        tracer.stored.same_words(added, mask)
        mask = added
    with tracer:
        if mask is not None and mask.dtype == torch.bool:
            mask = query.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
        if named.get("enable_gqa", False):
            groups = query.shape[-3] // key.shape[-3]
            key, value = (one.repeat_interleave(groups, dim=-3) for one in (key, value))
        scores = (query * factor) @ key.mT
        scores = scores if mask is None else scores + mask
        return scores.softmax(-1) @ value


def _is_spread(tracer: Tracer, signals: tuple[Tensor, Tensor, Tensor], factor: float, causal: bool) -> bool:
    """True where every weight of every row lies between 0 and 1, whatever the order its row is added up in.

    No score is larger than the longest query times the longest key (Cauchy and Schwarz); where that is not enough,
    the scores are looked at, some rows at a time.
    """
    query, key, value = signals
    alike = query.dtype in {torch.float32, torch.float64} and query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    sized = query.dim() > 2 and query.numel() and key.shape[-2] > 1
    if not (alike and sized and all(map(tracer.is_dynamic, signals))):
        return False
    others = 1 if causal else key.shape[-2] - 1  # the second query of a causal row sees two keys
    largest = (SPREAD + math.log(others)) / max(abs(factor), torch.finfo(torch.float32).tiny)
    centred = key - key.mean(-2, keepdim=True)  # what all scores of a row share changes no weight
    longest = [float(torch.linalg.vector_norm(one, dim=-1).max()) for one in (query, centred)]
    return 2 * longest[0] * longest[1] < largest or _widest(query, centred, largest) < largest


def _widest(query: Tensor, key: Tensor, enough: float) -> float:
    """Return the widest spread of a row of ``query @ key^T``, or the first found that is not below `enough`."""
    found = 0.0
    for rows, columns in zip(query.flatten(0, -3), key.flatten(0, -3), strict=True):
        for some in rows.split(ROWS):
            scores = some @ columns.T
            found = max(found, float((scores.amax(-1) - scores.amin(-1)).max()))
            if not found < enough:
                return math.inf
    return found


def _without_scores(tracer: Tracer, call: Call, named: dict[str, Any], factor: float) -> Any:
    """Count attention whose weights are known to be graded: each value is weighted by every query that sees it."""
    query, key, value = named["query"], named["key"], named["value"]
    causal, out = bool(named.get("is_causal", False)), call.run()
    with tracer:
        scaled, turned = query * factor, key.mT
    scores = query.new_empty(()).expand(*query.shape[:-1], key.shape[-2])  # a shape: its numbers are never read
    weights = query.new_empty(()).expand(scores.shape)
    record_matmul(tracer, _part(call, "matmul"), scaled, turned, scores)
    info = tracer.read(scores)
    if causal:
        masked = query.new_empty(()).expand(scores.shape)
        after = Info(info.axes)
        charge(
            tracer, _part(call, "add"), "elementwise", (Signal(scores, info), Signal(masked, after)),
            {"add": math.prod(scores.shape)},
        )  # fmt: skip
        tracer.set_info(masked, after)
        scores = masked
    charge_softmax(tracer, _part(call, "softmax"), scores, weights, -1)
    queries, keys = scores.shape[-2:]
    seen = torch.full((keys,), queries)
    graded = seen
    if causal:
        seen = (queries - torch.arange(keys)).clamp(min=0)
        graded = seen.clone()
        graded[0] -= 1  # the first query sees one key, whose weight is 1
    hits = tuple(one.to(query.device) for one in (seen, graded))
    record_matmul(tracer, _part(call, "matmul"), weights, value, out, hits=(hits[0], hits[1]))
    return out


def _part(call: Call, name: str) -> Call:
    return Call(call.function, name, (), {})


def rules() -> dict[str, Rule]:
    """Return the rule of attention, by operation name."""
    return {"scaled_dot_product_attention": _attention}
