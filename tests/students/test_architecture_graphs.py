"""Blocks of networks on graphs of electrodes, and attention with normalised queries and keys, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from architecture_files import written
from torch.nn import functional

from energy_models.errors import StudentError
from students.architectures import architecture_workload, load_architecture, mixing, modules
from students.architectures.blocks import Attention
from students.architectures.build import build_network, outline, parameter_count


def test_a_graph_filter_is_its_polynomial_by_hand() -> None:
    """A chain of three nodes: L = [[1, -1, 0], [-1, 2, -1], [0, -1, 1]] with eigenvalues 0, 1, 3, so S = 2 L / 3 - 1.

    S = [[-1/3, -2/3, 0], [-2/3, 1/3, -2/3], [0, -2/3, -1/3]]; T_2 = 2 S S - 1.
    """
    graph = mixing.GraphFilter(3, 2, ((0, 1), (1, 2)))
    graph.reset_parameters()
    scaled = torch.tensor([[-1.0, -2.0, 0.0], [-2.0, 1.0, -2.0], [0.0, -2.0, -1.0]]) / 3
    wanted = torch.stack((torch.eye(3), scaled, 2 * scaled @ scaled - torch.eye(3)))
    torch.testing.assert_close(graph.polynomials, wanted)
    with torch.no_grad():
        graph.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
        signal = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(graph(signal), torch.einsum("k,kij,bjt->bit", graph.weight, wanted, signal))


def test_a_graph_filter_is_stored_as_one_table(tmp_path: Path) -> None:
    """Three learned weights become 3 x 3 stored numbers: 9 products in each of 10 steps."""
    path = written(tmp_path, '{ kind = "graph_filter", order = 2, edges = [[0, 1], [1, 2]] }', "3, 10")
    (row,) = architecture_workload(path).layers
    assert parameter_count(outline(load_architecture(path))) == 3
    assert row.products is not None
    assert (row.weights, row.products.dense_full.total) == (9, 90)


@pytest.mark.parametrize(("edges", "said"), [("[0, 3]", "an edge to node 3 of 3 nodes"), ("[1, 1]", "with itself")])
def test_edges_join_two_of_the_nodes(tmp_path: Path, edges: str, said: str) -> None:
    path = written(tmp_path, f'{{ kind = "graph_filter", order = 1, edges = [{edges}] }}', "3, 10")
    with pytest.raises(StudentError, match=said):
        outline(load_architecture(path))


def test_a_weighted_sum_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, '{ kind = "weighted_sum" }', "1, 10")
    network, signal = build_network(load_architecture(path)), torch.randn(1, 3, 10)
    linear = network.get_submodule("weighted_sum.parallel.branches.1.linear")
    with torch.inference_mode():
        weights = linear(signal.mean(2)).softmax(-1)
        torch.testing.assert_close(network(signal)[0, 0], weights[0] @ signal[0])
    rows = {row.name: row for row in architecture_workload(path).layers}
    total = sum(row.products.dense_full.total for row in rows.values() if row.products is not None)
    assert total == 3 * 3
    assert sum(row.operations["multiply"].total for row in rows.values() if "multiply" in row.operations) == 3 * 10


def test_queries_and_keys_are_normalised_in_each_head() -> None:
    block = Attention(kind="attention", heads=2, norm="layer_norm", bias=False)
    layer, tokens = mixing.Attention(block, 5, 8, 4).eval(), torch.randn(1, 5, 8)
    with torch.inference_mode():
        heads = [product(tokens).reshape(5, 2, 4).transpose(0, 1) for product in (layer.query, layer.key, layer.value)]
        query, key = (functional.layer_norm(one, (4,)) for one in heads[:2])
        mixed = (query @ key.transpose(1, 2) / 2).softmax(-1) @ heads[2]
        wanted = layer.out(mixed.transpose(0, 1).reshape(5, 8))
        torch.testing.assert_close(layer(tokens)[0], wanted)


def test_learned_tokens_stand_in_front_of_every_sequence() -> None:
    layer, signal = modules.LearnedTokens(2, 4), torch.randn(1, 3, 5, 4)
    layer.reset_parameters()
    found = layer(signal)
    assert found.shape == (1, 3, 7, 4)
    assert torch.equal(found[0, 1, :2], layer.tokens[0])
    assert torch.equal(found[:, :, 2:], signal)
