"""Effective widths: what the products of a decoder have, layer by layer, counted from its workload."""

from __future__ import annotations

from energy_models.workload import Workload

PIPELINE = "pipeline."  # names of layers that are preprocessing begin with it


def widths_by_layer(work: Workload) -> tuple[str, str]:
    """Return the widths of all products in the order in which they are computed, as ``8/4/8`` [bits].

    Preprocessing is left out.

    Parameters
    ----------
    work : Workload

    Returns
    -------
    weights : str
        ``-`` for a product of two signals, which has no stored weights.
    activations : str
    """
    products = [one for one in work.layers if one.products is not None and not one.name.startswith(PIPELINE)]
    return (
        "/".join(str(one.weight_bits) if one.weights else "-" for one in products),
        "/".join(str(one.activation_bits) for one in products),
    )
