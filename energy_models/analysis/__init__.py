"""What estimates rest on and are compared by: uncertainty, sensitivity, break-even, raw streaming."""

from energy_models.analysis.raw_streaming import RawStream, StreamingComparison, compare_raw_streaming, raw_stream
from energy_models.analysis.sensitivity import Swing, tornado, total_order
from energy_models.analysis.spiking_break_even import BreakEven, break_even
from energy_models.analysis.uncertainty import Z95, Comparison, Design, compare, quantity_draws, sample_designs, spread

__all__ = [
    "Z95", "BreakEven", "Comparison", "Design", "RawStream", "StreamingComparison", "Swing", "break_even",
    "compare", "compare_raw_streaming", "quantity_draws", "raw_stream", "sample_designs", "spread", "tornado",
    "total_order",
]
