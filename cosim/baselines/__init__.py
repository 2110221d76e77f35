"""Classical decoders, fitted and scored like the networks and counted like them."""

from cosim.baselines.registry import baseline_names, load_baseline, run_baseline
from cosim.baselines.types import Baseline, BaselineResult

__all__ = ["Baseline", "BaselineResult", "baseline_names", "load_baseline", "run_baseline"]
