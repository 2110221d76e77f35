"""What a network does in one decode: its layers, their counts, and the JSON file that holds them."""

from energy_models.workload.bit_widths import MOST_BITS, at_widths
from energy_models.workload.count import Count
from energy_models.workload.decodes import over_one_decode, tile_over_decodes
from energy_models.workload.density import assume_dense
from energy_models.workload.firing import ALWAYS, Firing, firing_rates
from energy_models.workload.json_file import (
    answer_text,
    parse_workload,
    read_workload,
    text_digest,
    workload_digest,
    workload_text,
    write_workload,
)
from energy_models.workload.layers import (
    OPERATIONS,
    SCHEMA,
    Arithmetic,
    Cadence,
    Kind,
    LayerWork,
    Uncounted,
    WeightForm,
    Workload,
)
from energy_models.workload.product_kinds import ProductKind, input_channels, priced_as, product_kind
from energy_models.workload.products import CONVENTIONS, Conventions, Products
from energy_models.workload.spiking_layers import WEIGHT_BITS, dense_layer, neuron_layer, synapse_layer
from energy_models.workload.update import Learning, Optimiser, Recalibration, UpdateWork, update_work

__all__ = [
    "ALWAYS", "CONVENTIONS", "MOST_BITS", "OPERATIONS", "SCHEMA", "WEIGHT_BITS", "Arithmetic", "Cadence", "Conventions",
    "Count", "Firing", "Kind", "LayerWork", "Learning", "Optimiser", "ProductKind", "Products", "Recalibration",
    "Uncounted", "UpdateWork", "WeightForm", "Workload", "answer_text", "assume_dense", "at_widths", "dense_layer",
    "firing_rates", "input_channels", "neuron_layer", "over_one_decode", "parse_workload", "priced_as", "product_kind",
    "read_workload", "synapse_layer", "text_digest", "tile_over_decodes", "update_work", "workload_digest",
    "workload_text", "write_workload",
]
