"""Which forms a student can be trained in; every other one is refused, never approximated."""

from __future__ import annotations

from energy_models.errors import StudentError
from students.spec.form import Converted, Float32, Form, LayerBits, Quantised

LEAST_BITS, MOST_BITS = 2, 8
"""Widths that there are grids for [bits]."""

LEAST_STATE_BITS, MOST_STATE_BITS = 4, 16
"""Widths of a neuron's membrane [bits]."""

TRAINABLE = (
    f"float32, and w{LEAST_BITS}a{LEAST_BITS} to w{MOST_BITS}a{MOST_BITS}, ternary and binary with edge and in from "
    f"{LEAST_BITS} to {MOST_BITS}, each layer apart where wanted, trained or rounded after training (ptq, gptq), of "
    f"spiking networks also states from s{LEAST_STATE_BITS} to s{MOST_STATE_BITS}"
)


def check_trainable(form: Form) -> None:
    """Refuse a form that no student can be made in.

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
        return ["spikes are not trained: train a quantised student, then convert it (cosim convert, cosim.convert)"]
    widths = {"input": form.input_bits} | ({} if form.edge_bits is None else {"edge": form.edge_bits})
    reasons = [_range(bits, kind) for kind, bits in widths.items()]
    if form.input_bits > MOST_BITS:
        reasons[0] += " (their sums are not exact in float32; wider codes of a converter are put on this grid)"
    if form.state_bits is not None and not LEAST_STATE_BITS <= form.state_bits <= MOST_STATE_BITS:
        reasons.append(f"{form.state_bits} state bits")
    if any(bits.state_bits is not None for _, bits in form.overrides):
        reasons.append("states of single layers")
    if form.state_bits is not None and form.scale == "power_of_two":
        reasons.append("membranes on a grid of powers of two")
    for layer in (_base(form), *(bits for _, bits in form.overrides)):
        reasons += [_range(layer.weight, "weight")] if isinstance(layer.weight, int) else []
        reasons += [_range(layer.activation_bits, "activation")]
    if form.training == "gptq" and _has_coarse_weights(form):
        reasons.append("ternary or binary weights have no grid that GPTQ rounds to")
    return list(dict.fromkeys(reason for reason in reasons if reason))


def _range(bits: int, kind: str) -> str:
    return "" if LEAST_BITS <= bits <= MOST_BITS else f"{bits} {kind} bits"


def _base(form: Quantised) -> LayerBits:
    return LayerBits(weight=form.weight, activation_bits=form.activation_bits, state_bits=form.state_bits)


def _has_coarse_weights(form: Quantised) -> bool:
    return any(isinstance(bits.weight, str) for bits in (form, *(bits for _, bits in form.overrides)))
