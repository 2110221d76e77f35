"""Published cost models of decoders beside ours, named and sourced: products times a constant, published sums."""

from energy_models.analysis.published_models.mac_only import (
    MacOnlyModel,
    load_cost_model,
    mac_only_energy,
    ratio,
    shipped_cost_models,
)
from energy_models.analysis.published_models.networks import eegnet_int8, snn_22_32_4

__all__ = [
    "MacOnlyModel", "eegnet_int8", "load_cost_model", "mac_only_energy", "ratio", "shipped_cost_models",
    "snn_22_32_4",
]
