"""Any family, form, seed and converter: the integer reference is the quantised student, the graph what is counted."""

from __future__ import annotations

import numpy as np
import pytest
from deployed_networks import quantised, signals
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_deploy_counts import FAMILIES, SHAPES, options_of

from students.counting import observe
from students.deploy import InputCodes, agreement, lower, static_counts
from students.families import load_family
from students.models.build import mode

WEIGHTS = [*(f"w{bits}a" for bits in range(2, 9)), "ternary-a", "binary-a"]
EXTRAS = ["", " edge=8", " in=6", " edge=3 in=5", " scale=power_of_two", " per=tensor"]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    which=st.sampled_from(FAMILIES), weight=st.sampled_from(WEIGHTS), activation=st.integers(2, 8),
    extra=st.sampled_from(EXTRAS), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_any_family_form_and_seed(
    which: tuple[str, str], weight: str, activation: int, extra: str, seed: int
) -> None:
    (family, task), state = which, f"s{4 + seed % 5}"
    assume(not (load_family(family).spiking and "power_of_two" in extra))  # a membrane's step is learned
    form = f"{weight}{activation}{state if load_family(family).spiking else ''}{extra}"
    shape = SHAPES[task]
    model, spec = quantised(family, form, shape, options_of(family, task), seed)
    chance, bits = np.random.default_rng(seed), 6 + seed % 10
    codes = InputCodes(
        bits, bool(seed % 2), chance.uniform(0.5, 2.0, shape.channels) * 6 / 2**bits, chance.normal(size=shape.channels)
    )
    graph = lower(model, shape, codes=codes)
    found = agreement(model, graph, codes.codes_of(signals(shape, 24, seed).numpy() * 2))
    # A step apart: of numbers of at most 8 bits one in 100,000, of the 16 bits of a membrane that is read out 30.
    narrow = [one for one in found.nodes if not load_family(family).spiking or one.kind == "accumulator"]
    assert all(one.largest <= 1 for one in narrow), found
    allowed = 3e-4 if load_family(family).spiking else 1e-5
    assert found.differing <= allowed * found.elements + 4, (form, found)
    if not load_family(family).spiking:
        assert found.changed == found.tied, found
    work = observe(
        model, signals(shape, 2), name=family, mode=mode(spec), step_rate_hz=shape.step_rate_hz, input_bits=bits
    )
    layers = {layer.name: layer for layer in work.layers if layer.products is not None}
    counted = static_counts(graph)
    assert [one.name for one in counted] == list(layers)
    for one in counted:
        layer = layers[one.name]
        assert layer.products is not None
        assert (one.dense_full, one.dense_valid) == (layer.products.dense_full.mean, layer.products.dense_valid.mean)
        assert (one.weights, one.weight_bits) == (layer.weights, layer.weight_bits)
        assert (one.activation_bits, one.accumulator_bits) == (layer.activation_bits, layer.accumulator_bits)
