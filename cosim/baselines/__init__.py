"""Classical decoders, fitted and scored like the networks and counted like them."""

from cosim.baselines.registry import baseline_names, run_baseline
from cosim.baselines.types import BaselineResult

__all__ = ["BaselineResult", "baseline_names", "run_baseline"]
