"""An option that is searched over a range: what a sampler may draw from, and a grid may step through."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

STEP_TOLERANCE = 1e-8  # of a step: how far high may miss the last one
MAX_STEPS = 1e7  # a step is then below what the tolerance tells apart


class OptionRange(BaseModel):
    """Every value of an option from `low` to `high`, both included.

    Parameters
    ----------
    low, high : float
    type : {'int', 'float'}
    log : bool
        Drawn evenly in the logarithm; `low` is then above zero.
    step : float or None
        Distance of neighbouring values; None: any value. A grid needs one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float
    high: float
    type: Literal["int", "float"]
    log: bool = False
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _sound(self) -> OptionRange:
        if not math.isfinite(self.high - self.low):
            raise ValueError(f"low {self.low:g} and high {self.high:g} are too far apart")
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range needs a low above zero, not {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError("a logarithmic range has no step: leave out one of 'log' and 'step'")
        if self.type == "int" and any(value % 1 for value in (self.low, self.high, self.step or 0)):
            raise ValueError("a range of type int has a low, a high and a step without decimals")
        if not math.isnan(self._steps) and not self._steps < MAX_STEPS:
            raise ValueError(f"a step of {self.step:g} makes {self._steps:.3g} values: take a larger one")
        if self.step is not None and abs(self._steps - round(self._steps)) > STEP_TOLERANCE:
            raise ValueError(f"high {self.high:g} cannot be reached from low {self.low:g} in steps of {self.step:g}")
        return self

    @property
    def _steps(self) -> float:
        return math.nan if self.step is None else (self.high - self.low) / self.step

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """Its lowest and its highest value."""
        return self._typed(self.low), self._typed(self.high)

    @property
    def count(self) -> int:
        """How many values there are, of a range with a step; otherwise its ends are counted."""
        return len(self.ends) if self.step is None else round(self._steps) + 1

    @property
    def values(self) -> tuple[int | float, ...]:
        """Every value, of a range with a step; otherwise its ends."""
        if self.step is None:
            return self.ends
        return tuple(self._typed(self.low + index * self.step) for index in range(self.count))

    def _typed(self, value: float) -> int | float:
        return int(value) if self.type == "int" else float(value)
