"""Columns of results as a person reads them: one nominal value, its bounds beside it, units in the names."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from typing import Any

import pandas as pd

CANNOT_RUN = "does not fit the machine"
PRICE_NAMES = {
    "total_power_nominal_w": "power_w", "total_power_low_w": "power_low_w", "total_power_high_w": "power_high_w",
    "decoder_power_nominal_w": "decoder_power_w", "decoder_power_low_w": "decoder_power_low_w",
    "decoder_power_high_w": "decoder_power_high_w",
    "decode_energy_nominal_j": "decode_energy_j", "decode_energy_low_j": "decode_energy_low_j",
    "decode_energy_high_j": "decode_energy_high_j",
    "latency_nominal_s": "latency_s", "latency_low_s": "latency_low_s", "latency_high_s": "latency_high_s",
    "memory_used_bits": "memory_used_bits", "memory_capacity_bits": "memory_capacity_bits",
}  # fmt: skip
"""Columns of a price and their names in a table for people, in its order; ``power_w`` is the whole device's."""
BETWEEN = " | "
"""Stands between reasons in ``infeasibilities``."""
ANSWER = ("verdict", "binding_limit", "headroom")


def readable_prices(table: pd.DataFrame) -> pd.DataFrame:
    """Return the price columns of a table under readable names, the answer first.

    Power, energy and latency are empty where the machine cannot run the decoder: the priced part would mislead. Why it
    cannot stands last, in ``infeasibilities``, as text.
    """
    kept: Any = table[list(PRICE_NAMES)]
    prices: Any = kept.rename(columns=PRICE_NAMES)
    measured = [name for name in prices.columns if not name.startswith("memory_")]
    cannot: Any = table["verdict"] == CANNOT_RUN
    prices.loc[cannot.to_numpy(dtype=bool), measured] = float("nan")
    answer: Any = table[list(ANSWER)].copy()
    answer.loc[cannot.to_numpy(dtype=bool), "binding_limit"] = ""
    answer.loc[cannot.to_numpy(dtype=bool), "headroom"] = float("nan")
    reasons: Any = table["infeasibilities"].tolist()
    prices["infeasibilities"] = [BETWEEN.join(json.loads(text)) for text in reasons]
    return pd.concat([answer, prices], axis=1)
