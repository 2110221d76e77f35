"""Integer students, and the integers of any Brevitas network. Brevitas is imported here only, on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

from students.quantize.without_compiler import import_brevitas

if TYPE_CHECKING:
    from students.quantize.adopt import float_twin
    from students.quantize.calibration import (
        calibrate,
        least_squares_threshold,
        load_float_weights,
        signal_samples,
    )
    from students.quantize.integers import output_grid_of, quantisation_of
    from students.quantize.layers import QuantLayers
    from students.quantize.learned_widths import (
        free_signal_widths,
        free_widths,
        keep_in_range,
        width_of,
        width_parameters,
    )
    from students.quantize.modules import (
        INTEGER_PRODUCTS,
        SIGNAL_GRIDS,
        IntegerAveragePool,
        IntegerConv1d,
        IntegerLinear,
        IntegerReLU,
        Requantise,
    )
    from students.quantize.onnx_export import DIALECTS, Dialect, onnx_of
    from students.quantize.post_training import round_after_training
    from students.quantize.signals import grid_of, value_of
    from students.quantize.width_plan import layer_bits
    from students.quantize.widths import grid_layout

_FILES = {
    "adopt": ("float_twin",),
    "calibration": ("calibrate", "least_squares_threshold", "load_float_weights", "signal_samples"),
    "learned_widths": (
        "free_signal_widths", "free_widths", "keep_in_range", "width_of", "width_parameters",
    ),
    "integers": ("output_grid_of", "quantisation_of"),
    "layers": ("QuantLayers",),
    "modules": (
        "INTEGER_PRODUCTS", "SIGNAL_GRIDS", "IntegerAveragePool", "IntegerConv1d", "IntegerLinear", "IntegerReLU",
        "Requantise",
    ),
    "onnx_export": ("DIALECTS", "Dialect", "onnx_of"),
    "post_training": ("round_after_training",),
    "signals": ("grid_of", "value_of"),
    "width_plan": ("layer_bits",),
    "widths": ("grid_layout",),
}
_HOMES = {name: file for file, names in _FILES.items() for name in names}

__all__ = [
    "DIALECTS",
    "INTEGER_PRODUCTS",
    "SIGNAL_GRIDS",
    "Dialect",
    "IntegerAveragePool",
    "IntegerConv1d",
    "IntegerLinear",
    "IntegerReLU",
    "QuantLayers",
    "Requantise",
    "calibrate",
    "float_twin",
    "free_signal_widths",
    "free_widths",
    "grid_layout",
    "grid_of",
    "keep_in_range",
    "layer_bits",
    "least_squares_threshold",
    "load_float_weights",
    "onnx_of",
    "output_grid_of",
    "quantisation_of",
    "round_after_training",
    "signal_samples",
    "value_of",
    "width_of",
    "width_parameters",
]


def __getattr__(name: str) -> object:
    """Return what the door exports; Brevitas takes seconds to import, so only then."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_brevitas()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
