"""Preprocessing that is part of the deployed decoder: pure functions, recorded steps, exact work."""

from cosim.preprocessing.integers import ChainAgreement, chain_agreement, integer_chain
from cosim.preprocessing.operations import (
    Band,
    CommonAverageReference,
    Decimate,
    Logarithm,
    Operation,
    Rectify,
    Resample,
    Square,
    SquareRoot,
    Step,
    Widths,
    band_power_operations,
    eeg_operations,
)
from cosim.preprocessing.pipeline import Processed, operations_of, pipeline_work, process, recorded_steps
from cosim.preprocessing.post_filter import BesselFilter
from cosim.preprocessing.scaling import Scaler, fit_scaler

__all__ = [
    "Band",
    "BesselFilter",
    "ChainAgreement",
    "CommonAverageReference",
    "Decimate",
    "Logarithm",
    "Operation",
    "Processed",
    "Rectify",
    "Resample",
    "Scaler",
    "Square",
    "SquareRoot",
    "Step",
    "Widths",
    "band_power_operations",
    "chain_agreement",
    "eeg_operations",
    "fit_scaler",
    "integer_chain",
    "operations_of",
    "pipeline_work",
    "process",
    "recorded_steps",
]
