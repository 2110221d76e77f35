"""Preprocessing that is part of the deployed decoder: pure functions, recorded steps, exact work."""

from cosim.preprocessing.integers import ChainAgreement, chain_agreement, integer_chain
from cosim.preprocessing.operations import (
    Band,
    CommonAverageReference,
    Decimate,
    Operation,
    Resample,
    SquareRoot,
    Step,
    Widths,
    eeg_operations,
)
from cosim.preprocessing.pipeline import Processed, pipeline_work, process, recorded_steps
from cosim.preprocessing.post_filter import BesselFilter
from cosim.preprocessing.scaling import Scaler, fit_scaler

__all__ = [
    "Band",
    "BesselFilter",
    "ChainAgreement",
    "CommonAverageReference",
    "Decimate",
    "Operation",
    "Processed",
    "Resample",
    "Scaler",
    "SquareRoot",
    "Step",
    "Widths",
    "chain_agreement",
    "eeg_operations",
    "fit_scaler",
    "integer_chain",
    "pipeline_work",
    "process",
    "recorded_steps",
]
