"""Contract suites: what every plug-in must do, whoever wrote it.

Each suite is one function that takes a registered name, or ``module:object``, and raises `ContractError` at the first
promise that is broken. A package that adds a plug-in calls them from its own tests.
"""

from cosim.testing.baselines import check_baseline
from cosim.testing.contract import ContractError
from cosim.testing.datasets import check_dataset
from cosim.testing.encoders import check_encoder
from cosim.testing.families import check_family
from cosim.testing.hardware import check_profile, check_site
from cosim.testing.methods import check_method
from cosim.testing.teachers import check_teacher

__all__ = [
    "ContractError", "check_baseline", "check_dataset", "check_encoder", "check_family", "check_method",
    "check_profile", "check_site", "check_teacher",
]  # fmt: skip
