"""Which forms a student can be trained in; every other one is refused, never approximated."""

from __future__ import annotations

from energy_models.errors import StudentError
from students.spec.form import Converted, Float32, Form, Quantised

LEAST_BITS, MOST_BITS = 2, 8
"""Widths that quantisation-aware training has grids for [bits]."""

LEAST_STATE_BITS, MOST_STATE_BITS = 4, 16
"""Widths of a neuron's membrane [bits]."""

TRAINABLE = (
    f"float32, and w{LEAST_BITS}a{LEAST_BITS} to w{MOST_BITS}a{MOST_BITS} with edge and in from {LEAST_BITS} to "
    f"{MOST_BITS}, of spiking networks also states from s{LEAST_STATE_BITS} to s{MOST_STATE_BITS}"
)


def check_trainable(form: Form) -> None:
    """Refuse a form that no student can be trained in.

    Raises
    ------
    StudentError
        Why it cannot, and what can be.
    """
    if reasons := _reasons(form):
        raise StudentError(
            f"form '{form}' cannot be trained: {', '.join(reasons)}", remedy=f"What can be: {TRAINABLE}"
        )


def _reasons(form: Form) -> list[str]:
    if isinstance(form, Float32):
        return []
    if isinstance(form, Converted):
        return ["no network is converted to spikes"]
    widths = {"activation": form.activation_bits, "edge": form.edge_bits, "input": form.input_bits}
    if isinstance(form.weight, int):
        widths = {"weight": form.weight, **widths}
    reasons = [f"{bits} {kind} bits" for kind, bits in widths.items() if not LEAST_BITS <= bits <= MOST_BITS]
    if form.state_bits is not None and not LEAST_STATE_BITS <= form.state_bits <= MOST_STATE_BITS:
        reasons.append(f"{form.state_bits} state bits")
    return reasons + [reason for reason, holds in _without_a_grid(form).items() if holds]


def _without_a_grid(form: Quantised) -> dict[str, bool]:
    return {
        f"{form.weight} weights": isinstance(form.weight, str),
        "widths of single layers": bool(form.overrides),
        "scales that are powers of two": form.scale != "float",
        "rounding without training": form.training == "ptq",
    }
