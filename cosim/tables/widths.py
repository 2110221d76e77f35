"""What a workload says in words: the widths of its products, how often its neurons fire, how late its estimates are."""

from __future__ import annotations

from energy_models.workload import Workload, firing_rates

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


def firing_text(work: Workload) -> str:
    """Return the rates of all layers of neurons, as ``layer 0.12, layer 0 (never fires)``; empty where there are none.

    A rate is the share of neurons and steps with an event.

    Parameters
    ----------
    work : Workload
    """
    shown = ((one, one.warning.removeprefix(f"{one.layer} ")) for one in firing_rates(work.layers))
    return ", ".join(f"{one.layer} {one.rate:.3g}" + (f" ({why})" if why else "") for one, why in shown)


def lag_text(work: Workload) -> str:
    """Return how far the estimates lag behind what is decoded, in words; empty where they do not.

    Parameters
    ----------
    work : Workload
    """
    if not work.lag_s:
        return ""
    return (
        f"estimates lag {work.lag_s * 1e3:.3g} ms behind what is decoded (group delay of the filter after the "
        "decoder): in the score, not in the latency and held against no deadline"
    )
