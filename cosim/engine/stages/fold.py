"""One division of the examples into training, validation and test parts; written by the coordinator."""

from __future__ import annotations

from cosim.engine.stage import StageKind
from cosim.engine.stages.data import missing

FOLD = StageKind("fold", parents=("data",), work=missing, sources=("cosim.engine.stored_data",), failure="run")
