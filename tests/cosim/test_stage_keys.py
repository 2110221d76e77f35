"""What a stage's name must change with: a result is never served for a question it does not answer."""

from __future__ import annotations

import pytest

from cosim.baselines.registry import baseline_names, load_baseline
from cosim.engine.files import content_digest
from cosim.engine.stages.registry import KINDS
from students.families import family_names, load_family

# Options left out of a study are not in the name of its stages, so a changed default must raise SCHEMAS:
# of undistilled, distilled, quantised and teacher for a family, of baseline for a baseline. Then renew the digest here.
TRAINED = ("teacher", "undistilled", "distilled", "quantised")
DEFAULTS = {
    "conformer": "7340b01c",
    "eegnet": "64496e00",
    "gru": "d413cac5",
    "lstm": "d413cac5",
    "mlp": "fa9a199e",
    "shallow": "f25b1224",
    "spiking_conv": "28db8d4f",
    "spiking_mlp": "3c53ed60",
    "bandpower_svm": "59e364b8",
    "cca": "45405d49",
    "csp_lda": "038545e3",
    "kalman": "abc45967",
    "majority": "7dcecb42",
    "ridge_lags": "391f443d",
    "shrinkage_lda": "815db4b9",
}


def found(name: str) -> str:
    if name in baseline_names():
        return content_digest([KINDS["baseline"].schema, load_baseline(name).Options().model_dump(mode="json")])
    schemas = [KINDS[kind].schema for kind in TRAINED]
    return content_digest([schemas, load_family(name).Options().model_dump(mode="json")])


@pytest.mark.parametrize("name", [*family_names(), *baseline_names()])
def test_a_changed_default_raises_the_schema(name: str) -> None:
    assert found(name)[:8] == DEFAULTS.get(name), "a default changed: raise SCHEMAS, then renew this"
