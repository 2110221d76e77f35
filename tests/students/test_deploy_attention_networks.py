"""Networks of somebody's own with attention and norms of rows: integers, counts, C, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from deployed_networks import CODES, quantised, signals
from test_deploy_c import WINDOWS, check, compiled, vectors

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import agreement, lower, static_counts
from students.deploy.c_code import export_c
from students.deploy.rows import MatMul, Norm, Softmax
from students.models.build import build
from students.spec import StudentSpec, parse_form

NETWORKS = {
    "Transformer": {Norm: 2, MatMul: 2, Softmax: 1}, "ByHand": {Norm: 2, MatMul: 2, Softmax: 1},
    "LinearAttention": {Norm: 1, MatMul: 2, Softmax: 0}, "Heads": {Norm: 1, MatMul: 2, Softmax: 1},
}  # fmt: skip


@compiled
@pytest.mark.parametrize("form", ["w8a8", "w3a4 edge=8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_integers_counts_and_c(tmp_path: Path, name: str, form: str) -> None:
    model, _ = quantised(f"attention_networks:{name}", form, WINDOWS)
    graph = lower(model, WINDOWS, codes=CODES)
    kinds = [type(node) for node in graph.nodes]
    assert {kind: kinds.count(kind) for kind in (Norm, MatMul, Softmax)} == NETWORKS[name]
    found = agreement(model, graph, CODES.codes_of(signals(WINDOWS, 64, 9).numpy() * 2))
    assert found.largest <= 1, found
    assert found.differing <= 1e-5 * found.elements + 2, found
    for one in found.nodes:
        assert one.differing == 0 or not one.name.endswith((".steps", "softmax", "matmul")), one
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
        assert (one.weights, one.weight_bits) == (layers[one.name].weights, layers[one.name].weight_bits)
        assert one.accumulator_bits == layers[one.name].accumulator_bits
    check(export_c(graph, tmp_path, name="net", vectors=vectors(graph, WINDOWS)), "net")


@pytest.mark.parametrize("name", NETWORKS)
def test_eight_bits_stay_near_the_float_network(name: str) -> None:
    model, spec = quantised(f"attention_networks:{name}", "w8a8", WINDOWS)
    floating = build(spec.model_copy(update={"form": StudentSpec.model_fields["form"].default}))
    names = {one.replace(".layer.", "."): value for one, value in model.state_dict().items()}
    if name == "Heads":  # three layers of the integer network are one in torch's
        for kind in ("weight", "bias"):
            parts = [names[f"attention_{part}.{kind}"] for part in ("query", "key", "value")]
            names[f"attention.in_proj_{kind}"] = torch.cat(parts)
            names[f"attention.out_proj.{kind}"] = names[f"attention_out.{kind}"]
    floating.load_state_dict({one: names[one] for one in floating.state_dict()})
    inputs = signals(WINDOWS, 64, 5)
    with torch.inference_mode():
        wanted, found = floating.eval()(inputs), model(inputs)
    assert float((found - wanted).square().mean()) < 0.02 * float(wanted.var())


def test_what_has_no_integers_is_refused_by_name() -> None:
    refused = {
        "Masked": r"scaled_dot_product_attention\(\)", "Counted": r"'norm' \(InstanceNorm1d\)",
        "Watched": r"'attention' \(MultiheadAttention\) would stay in float: it has a mask, .*weights that are read",
    }  # fmt: skip
    for name, why in refused.items():
        spec = StudentSpec(family=f"attention_networks:{name}", shape=WINDOWS, seed=0)
        build(spec)
        with pytest.raises(StudentError, match=why):
            build(spec.model_copy(update={"form": parse_form("w4a4")}))
