"""An LSTM (Hochreiter and Schmidhuber 1997, Neural Comput. 9:1735), causal: every step is read out, or the last one."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.families.readout import recurrent_network
from students.families.registry import FamilyOptions, Mode
from students.layers import Layers
from students.spec import Shape

TITLE = "LSTM"
MODE: Mode = "stream"


class Options(FamilyOptions):
    """Width of the LSTM.

    Parameters
    ----------
    hidden : int
        Units of the one recurrent layer.
    dropout : float
        On the states that are read out.
    warmup_steps : int
        Regression only: first steps of a training segment whose error is left out, while the state fills.
    """

    hidden: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    warmup_steps: int = Field(default=5, ge=0)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window, or a causal estimate per step."""
    return recurrent_network(
        "lstm", shape, layers, hidden=options.hidden, dropout=options.dropout, warmup_steps=options.warmup_steps
    )
