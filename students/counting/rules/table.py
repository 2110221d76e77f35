"""All rules by operation name, and the operations known not to be countable, with the reason."""

from __future__ import annotations

from typing import Any

from students.counting.calls import Call, Rule
from students.counting.dispatch import Tracer
from students.counting.rules import (
    algebra,
    attention,
    complexes,
    embeddings,
    host_scalars,
    matrices,
    moves,
    norms,
    packed,
    pointwise,
    pooling,
    products,
    quantised,
    recurrent,
    reductions,
    shaping,
    spectral,
    transposed,
)  # fmt: skip

TOPICS = (
    shaping, moves, pointwise, reductions, pooling, norms, products, attention, matrices, transposed, recurrent, packed,
    embeddings, spectral, complexes, algebra, host_scalars, quantised,
)  # fmt: skip

ITERATIVE = "it iterates until it converges: how often depends on the numbers"
REASONS = {
    **dict.fromkeys(
        ("_linalg_eigh", "linalg_eig", "linalg_eigvals", "_linalg_eigvals", "_linalg_svd", "linalg_pinv",
         "linalg_matrix_exp", "linalg_lstsq"),
        ITERATIVE,
    ),
    "_fractional_max_pool": "its windows are drawn by chance",
    "fractional_max_pool2d": "its windows are drawn by chance",
    "fractional_max_pool3d": "its windows are drawn by chance",
    "nonzero": "how many there are depends on the numbers",
    "_unique2": "how many there are depends on the numbers",
    "grid_sampler_2d": "where it reads depends on the numbers",
    "grid_sampler_3d": "where it reads depends on the numbers",
}
"""Operations that are refused, and why."""


def _refused(reason: str) -> Rule:
    def refuse(tracer: Tracer, call: Call) -> Any:
        tracer.mark_uncounted(call.name, reason)
        return call.run()

    return refuse


def all_rules() -> dict[str, Rule]:
    """Return every rule by operation name; a name has one rule only."""
    table: dict[str, Rule] = {name: _refused(reason) for name, reason in REASONS.items()}
    for topic in TOPICS:
        table |= topic.rules()
    return table
