"""Published cost models beside ours: their own published figures, what they leave out, and that the page is current."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest
from energy_workloads import dense_layer, neurons, toy_array, workload
from published_models_page import accounts_page

from energy_models.analysis.published_models import (
    MacOnlyModel,
    eegnet_int8,
    load_cost_model,
    mac_only_energy,
    ratio,
    shipped_cost_models,
    snn_22_32_4,
)
from energy_models.errors import PriceError, WorkloadError
from energy_models.pricing import estimate
from energy_models.quantities import Band, quantities
from energy_models.workload import Workload, at_widths

PAGE = Path(__file__).parents[2] / "docs" / "published_models.md"


def test_the_page_in_docs_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == accounts_page(), "run docs/make/published_models_page.py"


@pytest.mark.parametrize(
    ("model", "microjoule"),
    # 11,745,984 products: x 0.1 = 1.17 uJ; x 0.23 = 2.70 uJ; x 4.6 = 54.0 uJ (research notes, same network)
    [("mindful", 1.17), ("horowitz_int8", 2.70), ("horowitz_fp32", 54.0)],
)
def test_eegnet_under_mac_only_models(model: str, microjoule: float) -> None:
    assert mac_only_energy(eegnet_int8(), load_cost_model(model)).nominal * 1e6 == pytest.approx(microjoule, rel=0.005)


@pytest.mark.parametrize(
    ("model", "nanojoule"),
    [
        ("horowitz_fp32", 37.4),  # 41,600 x 0.9 pJ
        ("seneca", 116.5),  # x 2.8
        ("reckon", 220),  # x 5.3
        ("odin", 528),  # x 12.7
        ("loihi", 981.8),  # x 23.6
        ("keras_spiking_loihi", 1419),  # x 27.1 + 3,600 x 81 pJ
    ],
)
def test_spiking_network_under_their_models(model: str, nanojoule: float) -> None:
    assert mac_only_energy(snn_22_32_4(), load_cost_model(model)).nominal * 1e9 == pytest.approx(nanojoule, rel=0.003)


def mlp(*sizes: int) -> Workload:
    return workload(*(dense_layer(i, o, name=f"fc{n}") for n, (i, o) in enumerate(pairwise(sizes))), mode="window")


def test_mindfuls_own_models() -> None:
    # its MLP as its settings count it, 2048-256-256-256-40: 524,288 + 65,536 + 65,536 + 10,240 = 665,600 products
    assert mac_only_energy(mlp(2048, 256, 256, 256, 40), load_cost_model("mindful")).nominal == pytest.approx(66.56e-9)
    # its DN-CNN, products = outputs x positions x inputs x taps, growth 30, reduction 0.6, pools of 3:
    # 60x36x128x3 + 30x36x60x3 + 30x36x90x3 + 72x36x120 + 30x12x72x3 + 30x12x102x3 + 79x12x132
    # + 30x4x79x3 + 30x4x109x3 + 40x4x139 = 829,440 + 194,400 + 291,600 + 311,040 + 77,760 + 110,160 + 125,136
    # + 28,440 + 39,240 + 22,240 = 2,029,456 products, 202.9 nJ; at its 2 kHz frames 0.406 mW
    layers = [
        (384, 60, 36), (180, 30, 36), (270, 30, 36), (120, 72, 36), (216, 30, 12), (306, 30, 12), (132, 79, 12),
        (237, 30, 4), (327, 30, 4), (139, 40, 4),
    ]
    found = workload(*(dense_layer(i, o, name=f"conv{n}", positions=p) for n, (i, o, p) in enumerate(layers)))
    energy_j = mac_only_energy(found, load_cost_model("mindful")).nominal
    assert energy_j == pytest.approx(202.9456e-9)
    assert energy_j * 2000 == pytest.approx(0.406e-3, rel=0.001)


def test_only_products_are_charged() -> None:
    layer = dense_layer(16, 6)
    base = mac_only_energy(workload(layer), load_cost_model("mindful")).nominal
    assert base == pytest.approx(96 * 0.1e-12)
    wider = dataclasses.replace(layer, weight_bits=4, accumulator_bits=20)  # widths, memory, state: nothing moves it
    filters = dataclasses.replace(layer, name="filters", kind="filter", cadence="sample")
    for other in ((wider,), (layer, neurons(6, active=6, spikes=0)), (layer, filters)):
        assert mac_only_energy(workload(*other), load_cost_model("mindful")).nominal == base


def test_the_ratio_holds_every_pair_of_ends() -> None:
    found = ratio(Band(2, 4, 9), Band(1, 2, 3))
    assert found == Band(2 / 3, 2, 9)
    assert ratio(Band(2, 4, 9), Band(0, 0, 0)) is None
    work = workload(dense_layer(16, 6))
    report = estimate(work, toy_array(), None, decode_rate_hz=1)
    times = ratio(report.decode_energy_j, mac_only_energy(work, load_cost_model("mindful")))
    assert times is not None
    assert times.nominal == report.decode_energy_j.nominal / (96 * 0.1e-12)


def test_what_an_account_does_not_price_is_an_error_not_a_zero() -> None:
    for name, work in (("seneca", eegnet_int8()), ("mindful", snn_22_32_4())):
        assert not load_cost_model(name).prices(work)
        with pytest.raises(PriceError, match="has no energy per"):
            mac_only_energy(work, load_cost_model(name))
    with pytest.raises(PriceError, match="mindful"):
        load_cost_model("mindfull")


def test_every_constant_of_an_account_has_its_place_in_a_source() -> None:
    found = list(quantities(shipped_cost_models()))
    assert len(found) > 15
    assert all(one.where for _, one in found)
    assert all(isinstance(model, MacOnlyModel) for model in shipped_cost_models().models.values())


def test_spikes_of_the_compared_network() -> None:
    work = snn_22_32_4()
    events = sum(layer.products.effective_input.mean for layer in work.layers if layer.products is not None)
    updates = sum(layer.updates_active.mean for layer in work.layers if layer.updates_active is not None)
    messages = sum(layer.input_events.mean for layer in work.layers if layer.products and layer.input_events)
    assert (events, updates, messages) == (41_600, 3_600, 2_700)


def test_widths_by_hand() -> None:
    layer = dataclasses.replace(dense_layer(100, 6, arithmetic="float"), biases=6, bias_bits=32)
    found = at_widths(workload(layer), weight_bits=4, activation_bits=8).layers[0]
    assert (found.weight_bits, found.activation_bits, found.output_bits) == (4, 8, 8)
    assert (found.accumulator_bits, found.bias_bits) == (19, 19)  # 4 + 8 + ceil(log2 100) = 4 + 8 + 7
    assert found.operations["requantise"].mean == 6
    assert found.products == layer.products
    with pytest.raises(WorkloadError, match="integer already"):
        at_widths(workload(dense_layer(4, 2)), weight_bits=4, activation_bits=8)
