"""Density 1: what can be said of made-up weights and inputs."""

from __future__ import annotations

import dataclasses

import pytest

from energy_models.errors import WorkloadError
from energy_models.workload import Conventions, Count, LayerWork, Products, WeightForm, Workload, assume_dense


def split(multiply: list[int], accumulate: list[int]) -> Products:
    return Products(Count.of(multiply), Count.of(accumulate))


def layer(form: WeightForm = "graded", name: str = "linear") -> LayerWork:
    """Two decodes: 10 sites in full, 8 on the signal, fewer with zeros."""
    products = Conventions(split([7, 6], [3, 4]), split([6, 5], [2, 3]), split([4, 3], [1, 2]), split([2, 1], [1, 1]))
    return LayerWork(
        name, "linear", "float", 1, (4,), (2,), inputs=4, outputs=2, products=products, weights=8, weights_nonzero=5,
        weights_key=name, input_events=Count.of([3, 2]), weight_form=form,
    )


def workload(*layers: LayerWork) -> Workload:
    return Workload("made up", "window", 2, 4, 1, 100.0, 32, layers, provenance={"torch": "2"})


def test_every_site_is_a_multiply_accumulate_on_the_signal() -> None:
    dense = assume_dense(workload(layer(), layer(name="next")))
    one = dense.layers[0]
    assert one.products is not None
    full, valid = Products(Count.constant(10, 2), Count(0, 0, 2)), Products(Count.constant(8, 2), Count(0, 0, 2))
    assert one.products == Conventions(full, valid, valid, valid)
    assert (one.weights_nonzero, one.input_events) == (8, Count.constant(4, 2))
    assert dense.products is not None
    assert dense.products.dense_full.multiply_accumulate == Count.constant(20, 2)
    assert dense.products.effective.multiply_accumulate == Count.constant(16, 2)
    assert dense.provenance["torch"] == "2"
    assert "assumed 1" in dense.provenance["density"]


@pytest.mark.parametrize("form", ["binary", "ternary"])
def test_stored_signs_still_need_no_multiplier(form: WeightForm) -> None:
    products = assume_dense(workload(layer(form))).layers[0].products
    assert products is not None
    assert products.effective == Products(Count(0, 0, 2), Count.constant(8, 2))


def test_it_changes_nothing_twice() -> None:
    dense = assume_dense(workload(layer()))
    assert assume_dense(dense) == dense


def test_spiking_layers_are_refused() -> None:
    spikes = Count.of([1, 1])
    spiking = dataclasses.replace(layer(), products=None, updates_active=spikes, updates_idle=spikes)
    with pytest.raises(WorkloadError, match="spikes"):
        assume_dense(workload(spiking))


def test_dense_counts_that_vary_are_refused() -> None:
    products = Conventions(*(split([7, 6], [3, 3]),) * 4)
    with pytest.raises(WorkloadError, match="differ from decode to decode"):
        assume_dense(workload(dataclasses.replace(layer(), products=products)))
