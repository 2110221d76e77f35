"""Small networks whose products were worked out by hand: complete, in any batch, in the order of the conventions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from counting_oracle import RULES
from small_networks import NETWORKS, Small
from test_observe_products import seen, signal

from energy_models.workload import Count, LayerWork, Workload

PARAMETERS = pytest.mark.parametrize("small", NETWORKS, ids=lambda small: small.name)


def totals(workload: Workload) -> dict[str, Count]:
    """Everything counted, by what it is, over all layers; per decode where it varies."""
    found: dict[str, Count] = {}
    for layer in workload.layers:
        counts = dict(layer.operations)
        for rule in RULES if layer.products else ():
            counts[f"{rule} mac"] = getattr(layer.products, rule).multiply_accumulate
            counts[f"{rule} ac"] = getattr(layer.products, rule).accumulate
        for name, count in counts.items():
            known = found.get(name)
            found[name] = count if known is None else Count(known.total + count.total, 0, count.decodes)
    return found


def dense(workload: Workload) -> int:
    return sum(layer.products.dense_full.total for layer in workload.layers if layer.products)


def test_there_are_forty_networks() -> None:
    assert len({small.name for small in NETWORKS}) == len(NETWORKS) >= 40


@PARAMETERS
def test_products_worked_out_by_hand(small: Small) -> None:
    found = seen(small.model, signal(1, 4, *small.shape))
    assert found.uncounted == ()
    assert dense(found) == 4 * small.products


@PARAMETERS
def test_the_conventions_include_one_another(small: Small) -> None:
    for layer in seen(small.model, signal(2, 3, *small.shape)).layers:
        if layer.products is not None:
            sites = [getattr(layer.products, rule).total for rule in RULES]
            assert sites == sorted(sites, reverse=True)


@PARAMETERS
def test_four_at_once_equal_four_one_by_one(small: Small) -> None:
    torch.manual_seed(0)
    inputs = signal(3, 4, *small.shape)
    together = totals(seen(small.model, inputs))
    apart = [totals(seen(small.model, one.unsqueeze(0))) for one in inputs]
    for name, count in together.items():
        assert count.total == sum(one[name].total if name in one else 0 for one in apart), name
    assert {name for one in apart for name, count in one.items() if count.total} <= set(together)


def without_ones(layer: LayerWork) -> LayerWork:
    """Axes of length 1 come and go with the batch where a model joins it with another axis."""
    inner, outer = (tuple(size for size in shape if size > 1) for shape in (layer.input_shape, layer.output_shape))
    return replace(layer, input_shape=inner, output_shape=outer)


@PARAMETERS
@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_changes_nothing(small: Small, batch_size: int) -> None:
    torch.manual_seed(0)
    inputs = signal(4, 4, *small.shape)
    parted, together = seen(small.model, inputs, batch_size=batch_size), seen(small.model, inputs, batch_size=4)
    assert (parted.uncounted, parted.products) == (together.uncounted, together.products)
    assert [without_ones(layer) for layer in parted.layers] == [without_ones(layer) for layer in together.layers]


@PARAMETERS
def test_totals_of_four_hold_those_of_each(small: Small) -> None:
    torch.manual_seed(0)
    inputs = signal(5, 4, *small.shape)
    together = seen(small.model, inputs).products
    alone = [seen(small.model, one.unsqueeze(0)).products for one in inputs]
    for rule in RULES:
        for kind in ("multiply_accumulate", "accumulate"):
            each = [getattr(getattr(one, rule), kind).total for one in alone]
            assert getattr(getattr(together, rule), kind) == Count.of(each)
