"""Layers of somebody's own networks, lowered or refused by name: integers, counts, C, and scales that meet half-way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from deployed_networks import CODES, quantised, signals
from test_deploy_c import WINDOWS, check, compiled, vectors

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import agreement, lower, static_counts
from students.deploy.c_code import export_c
from students.deploy.fixed_point import fixed_point, matched, rows_matched
from students.deploy.graph import Join, Move, Multiply
from students.models.build import build
from students.spec import StudentSpec, parse_form


@compiled
@pytest.mark.parametrize("form", ["w8a8", "w4a3 edge=8"])
@pytest.mark.parametrize("name", ["Causal", "Gates", "Pieces"])
def test_integers_counts_and_c(tmp_path: Path, name: str, form: str) -> None:
    model, _ = quantised(f"layered_networks:{name}", form, WINDOWS)
    graph = lower(model, WINDOWS, codes=CODES)
    kinds = [type(node) for node in graph.nodes]
    assert {"Causal": Move, "Gates": Multiply, "Pieces": Join}[name] in kinds
    found = agreement(model, graph, CODES.codes_of(signals(WINDOWS, 64, 9).numpy() * 2))
    assert found.largest <= 1, found
    assert found.differing <= 1e-5 * found.elements + 2, found
    assert found.changed == found.tied
    work = observe(model, signals(WINDOWS, 2), name=name, mode="window", step_rate_hz=64.0, input_bits=CODES.bits)
    assert work.uncounted == ()
    layers = {layer.name: layer for layer in work.layers if layer.products is not None}
    counted = static_counts(graph)
    assert {one.name for one in counted} == set(layers)
    for one in counted:
        products = layers[one.name].products
        assert products is not None
        assert (one.dense_full, one.dense_valid) == (products.dense_full.mean, products.dense_valid.mean)
        assert one.accumulator_bits == layers[one.name].accumulator_bits
    check(export_c(graph, tmp_path, name="net", vectors=vectors(graph, WINDOWS)), "net")


def test_what_has_no_integers_is_refused_by_the_layer() -> None:
    refused = {
        "Up": r"'up' \(ConvTranspose1d\)", "Slopes": r"'act' \(PReLU\)", "Local": r"'local' \(LocalResponseNorm\)",
    }  # fmt: skip
    for name, why in refused.items():
        spec = StudentSpec(family=f"layered_networks:{name}", shape=WINDOWS, seed=0)
        build(spec)
        with pytest.raises(StudentError, match=why):
            build(spec.model_copy(update={"form": parse_form("w4a4")}))
    model, _ = quantised("layered_networks:Uneven", "w4a4", WINDOWS)
    with pytest.raises(StudentError, match="pool has no deployed form: its windows differ in size"):
        lower(model, WINDOWS, codes=CODES)


def test_a_multiplier_is_moved_where_a_float_decides_a_tie() -> None:
    """The ratio 127/254 and a little: code 127 comes to 63.5 and a little, which is 64 in exact arithmetic and in a
    float; a ratio a little below one half gives 63, where the guard's rounding would have given the even 64."""
    codes = np.arange(256)
    for ratio, wanted in ((0.5 * (1 + 2**-25), 64), (0.5 * (1 - 2**-25), 63)):
        constants = fixed_point(np.array(ratio), np.array(0.0), largest=255, limit=127, bits=26, where="x")
        exact = np.clip(np.rint(codes * ratio), -127, 127).astype(np.int64)
        assert exact[127] == wanted
        assert np.array_equal(np.clip(matched(constants, codes, exact, (-127, 127)).apply(codes), -127, 127), exact)
    impossible = np.full(256, 5)
    assert matched(constants, codes, impossible, (-127, 127)) is constants


def test_codes_of_a_converter_that_lie_half_way_round_as_a_float_does() -> None:
    """One row a channel: code 6 comes to 8.5 and 2^-20 more, or less; no other code is near half-way."""
    codes = np.arange(-32, 32)
    scale = np.full((2, 1), 1.2345)
    offset = 8.5 - 6 * scale + np.array([[2.0**-20], [-(2.0**-20)]])
    constants = fixed_point(scale, offset, largest=32, limit=127, bits=26, where="x")
    wanted = np.clip(np.rint((codes * scale + offset).astype(np.float32)), -127, 127).astype(np.int64)
    assert wanted[:, 38].tolist() == [9, 8]
    plain = np.clip(constants.apply(np.stack([codes, codes])), -127, 127)
    assert not np.array_equal(plain, wanted)
    found = rows_matched(constants, codes, wanted, (-127, 127))
    assert np.array_equal(np.clip(found.apply(np.stack([codes, codes])), -127, 127), wanted)
