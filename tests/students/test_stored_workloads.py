"""Workloads that ship as data, so that prices need no torch, are what counting gives today."""

from __future__ import annotations

import pytest

from energy_models.analysis.published_models.networks import stored_path
from energy_models.workload import read_workload
from students.architectures.count import architecture_workload


@pytest.mark.parametrize("name", ["eegnet_8_2", "ind_wavelets_64"])
def test_a_stored_workload_is_what_is_counted(name: str) -> None:
    stored, counted = read_workload(stored_path(name)), architecture_workload(name)
    assert stored.replace(provenance={}) == counted.replace(provenance={}), (
        f"cosim workload {name} --json {stored_path(name).name}"
    )
    assert stored.provenance["architecture_digest"] == counted.provenance["architecture_digest"]
