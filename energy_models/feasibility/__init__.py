"""Whether an energy report keeps the limits of a site, and by how much."""

from energy_models.feasibility.battery import battery_life_s, battery_power_w
from energy_models.feasibility.limits import (
    CHECK_NAMES,
    LIMIT_VERDICTS,
    LimitCheck,
    LimitVerdict,
    check_limits,
    limit_quantities,
    limit_verdict,
)

__all__ = [
    "CHECK_NAMES", "LIMIT_VERDICTS", "LimitCheck", "LimitVerdict", "battery_life_s", "battery_power_w",
    "check_limits", "limit_quantities", "limit_verdict",
]
