"""Kinds of products by kernel and channels, and the engine that takes some of them."""

from __future__ import annotations

import dataclasses

import pytest
from energy_workloads import products, workload

from energy_models.hardware import ProgrammableCore, load_profile
from energy_models.mapping.styles.programmable_core import engine_takes, product_cycles
from energy_models.pricing import estimate
from energy_models.workload import Kind, LayerWork, input_channels, priced_as, product_kind


def layer(kind: Kind, kernel: tuple[int, ...], channels: int, *, bits: int = 8, macs: int = 4_800) -> LayerWork:
    taps = 1
    for size in kernel:
        taps *= size
    return LayerWork(
        name="l", kind=kind, arithmetic="integer", calls=1, input_shape=(channels,), output_shape=(64,), inputs=8,
        outputs=64, reduction=channels * taps, kernel=kernel, products=products(macs), weight_bits=bits,
        activation_bits=bits, output_bits=8, accumulator_bits=32,
    )


@pytest.mark.parametrize(
    ("kind", "kernel", "channels", "found"),
    [
        ("conv", (3, 3), 1, "stem"), ("conv", (3, 3), 3, "stem"), ("conv", (3, 3), 4, "conv"),
        ("conv", (10, 4), 1, "stem"), ("conv", (1, 64), 1, "temporal"), ("conv", (22, 1), 8, "temporal"),
        ("conv", (64,), 16, "temporal"), ("conv", (), 1, "conv"), ("depthwise", (3, 3), 1, "depthwise"),
        ("pointwise", (1, 1), 2, "pointwise"), ("linear", (), 1, "linear"),
    ],
)
def test_kind_of_products(kind: Kind, kernel: tuple[int, ...], channels: int, found: str) -> None:
    assert product_kind(layer(kind, kernel, channels)) == found


def test_channels_are_those_that_one_output_sums() -> None:
    assert input_channels(layer("conv", (3, 3), 5)) == 5
    assert input_channels(layer("conv", (), 5)) == 0


def test_a_kind_without_a_price_of_its_own_is_priced_as_a_convolution() -> None:
    assert priced_as("stem", {"conv"}) == priced_as("temporal", {"conv", "stem"}) == "conv"
    assert priced_as("stem", {"conv", "stem"}) == "stem"
    assert priced_as("linear", {"conv"}) == "linear"
    vega, wolf = (load_profile(name) for name in ("vega", "mr_wolf"))
    for profile in (vega, wolf):  # which price no stem
        core = profile.execution
        assert isinstance(core, ProgrammableCore)
        found = product_cycles(layer("conv", (3, 3), 3), core, 1.0)
        assert not isinstance(found, str)
        assert found.cost == "execution.cycles_per_product.integer.conv"


def test_a_stem_costs_what_a_stem_costs() -> None:
    profile = load_profile("cortex_m4f")
    core = profile.execution
    assert isinstance(core, ProgrammableCore)
    prices = core.cycles_per_product["integer"]
    stem, wide = (
        estimate(workload(layer("conv", (3, 3), channels)), profile, None, decode_rate_hz=1).cycles.nominal
        for channels in (3, 4)
    )
    assert stem - wide == pytest.approx(4_800 * (prices["stem"].value - prices["conv"].value))


def test_the_engine_of_gap9_by_hand() -> None:
    core = load_profile("gap9").execution
    assert isinstance(core, ProgrammableCore)
    engine = core.engine
    assert engine is not None
    taken = [layer("conv", (3, 3), 16), layer("conv", (3, 3), 3), layer("pointwise", (1, 1), 24),
             layer("depthwise", (3, 3), 1)]
    # sixteen channels side by side: three of them, or the last eight of 24, leave multipliers idle
    for one, path, padded in zip(
        taken, ("conv", "conv", "pointwise", "depthwise"), (4_800, 4_800 * 16 / 3, 4_800 * 32 / 24, 4_800), strict=True
    ):
        assert engine_takes(one, engine)
        found = product_cycles(one, core, 4_800)
        assert not isinstance(found, str)
        assert found.cost == f"execution.engine.cycles_per_product.{path}"
        assert found.count == pytest.approx(padded)
    left = [layer("conv", (5, 5), 16), layer("conv", (1, 64), 16), layer("conv", (), 16), layer("linear", (), 16),
            layer("conv", (3, 3), 16, bits=12), dataclasses.replace(layer("conv", (3, 3), 16), arithmetic="float")]
    for one in left:
        assert not engine_takes(one, engine)
        assert "engine" not in getattr(product_cycles(one, core, 1.0), "cost", "")
