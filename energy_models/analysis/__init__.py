"""What estimates rest on and are compared by: uncertainty, sensitivity, break-even, raw streaming."""

from energy_models.analysis.raw_streaming import (
    Cheaper,
    RawStream,
    StreamingComparison,
    compare_raw_streaming,
    raw_stream,
)
from energy_models.analysis.sensitivity import Swing, tornado, total_order
from energy_models.analysis.spiking_break_even import BreakEven, break_even
from energy_models.analysis.streaming_odds import Crossover, StreamingDraws, crossover, streaming_draws
from energy_models.analysis.uncertainty import Z95, Comparison, Design, compare, quantity_draws, sample_designs, spread

__all__ = [
    "Z95", "BreakEven", "Cheaper", "Comparison", "Crossover", "Design", "RawStream", "StreamingComparison",
    "StreamingDraws", "Swing", "break_even", "compare", "compare_raw_streaming", "crossover", "quantity_draws",
    "raw_stream", "sample_designs", "spread", "streaming_draws", "tornado", "total_order",
]
