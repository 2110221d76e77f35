"""Products of all layers together, decode by decode, preprocessing included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from energy_models.workload import CONVENTIONS, Conventions, Count, LayerWork
from students.counting.records.work import conventions_of


def total_products(
    sites: Mapping[str, Count], pipeline: Sequence[LayerWork], decodes: int
) -> tuple[Conventions | None, str]:
    """Return the products of all layers summed decode by decode, and why there is no such sum, where there is none.

    A count that is the same in every decode is added exactly. Two that vary are known by their totals and squares, and
    the squares of their sum need to be known decode by decode.

    Parameters
    ----------
    sites : mapping of str to Count
        Of the model, by convention and class, as ``dense_full.mac``.
    pipeline : sequence of LayerWork
        Over as many decodes.
    decodes : int

    """
    nothing = Count(0, 0, decodes)
    totals = {f"{rule}.{kind}": nothing for rule in CONVENTIONS for kind in ("mac", "ac")} | dict(sites)
    for layer in pipeline:
        if layer.products is None:
            continue
        for rule in CONVENTIONS:
            part = getattr(layer.products, rule)
            for kind, count in (("mac", part.multiply_accumulate), ("ac", part.accumulate)):
                what = f"{rule}.{kind}"
                joint = _joint(totals[what], count)
                if joint is None:
                    return None, (
                        f"no total: {what} of {layer.name!r} varies from decode to decode, as that of other layers "
                        "does, and how they vary together is not known; the totals of each layer are"
                    )
                totals[what] = joint
    return conventions_of(totals, decodes), ""


def _joint(one: Count, other: Count) -> Count | None:
    """Return the count of both together; None where both vary."""
    if _is_constant(other):
        return one.plus(other.total // other.decodes)
    return other.plus(one.total // one.decodes) if _is_constant(one) else None


def _is_constant(count: Count) -> bool:
    return count.squares * count.decodes == count.total**2
