"""A small sound study as a document, and what is said of a broken one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cosim.study.check import check_study
from energy_models.errors import StudyError

TINY: dict[str, Any] = {
    "study": {"name": "tiny", "title": "Tiny", "seeds": [0]},
    "dataset": {"name": "synthetic_eeg", "options": {"trials": 12}},
    "split": {"method": "leave_one_group_out", "group": "run"},
    "students": [{"label": "EEGNet", "family": "eegnet", "forms": ["float32", "w4a4"]}],
    "hardware": {"profiles": ["cortex_m4f"], "sites": ["headset_commodity"], "decode_rate_hz": 1.0},
}


def broken(**sections: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TINY), **sections}


def message(document: dict[str, Any]) -> str:
    with pytest.raises(StudyError) as caught:
        check_study(document, where="tiny.toml")
    return str(caught.value)
