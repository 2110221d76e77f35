"""Architecture files: all problems at once, blocks by hand, state-space layers against their recurrence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from architecture_files import written
from torch import nn

from energy_models.errors import ProfileError, StudentError
from energy_models.workload import LayerWork, Workload
from students.architectures import architecture_workload, load_architecture, mixing, modules
from students.architectures.blocks import Attention
from students.architectures.build import build_network, parameter_count
from students.counting import observe
from students.layers.state_space import DiagonalStateSpace, SelectiveScan


def products(workload: Workload) -> dict[str, int]:
    return {layer.name: layer.products.dense_full.total for layer in workload.layers if layer.products is not None}


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(StudentError, match="Did you mean 'atcnet'"):
        load_architecture("atcnett")


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, '{ kind = "linear", outt = 3 }, { kind = "conv3d" }', "3")
    path.write_text(path.read_text().replace('source = "own"', 'source = "nobody"'))
    with pytest.raises(ProfileError) as caught:
        load_architecture(path)
    text = str(caught.value)
    assert "layers.0.linear.outt: unknown field (did you mean out" in text
    assert "layers.0.linear.out: is missing" in text
    assert "layers.1" in text
    assert "conv3d" in text
    assert "unit, bounds" not in text  # what a profile would be told


def test_a_source_without_a_record_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, '{ kind = "linear", out = 3 }', "3, 3")
    path.write_text(path.read_text().replace('source = "own"', 'source = "nobody"'))
    with pytest.raises(ProfileError, match="unknown source 'nobody'"):
        load_architecture(path)


def test_a_layer_that_does_not_fit_is_named(tmp_path: Path) -> None:
    pool = '{ kind = "pool", function = "average", kernel = [8] }'
    path = written(tmp_path, f'{{ kind = "repeat", times = 2, layers = [{pool}] }}', "3")
    with pytest.raises(StudentError, match=r"layers\[0\] \(repeat\)\[1\] \(pool\).*shape \(3, 1\)"):
        architecture_workload(path)


def test_an_answer_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, '{ kind = "linear", out = 4 }', "4")
    with pytest.raises(StudentError, match=r"\(3, 4\), described is \(4,\)"):
        architecture_workload(path)


def test_a_transformer_layer_by_hand(tmp_path: Path) -> None:
    """10 tokens of 8, 2 heads of 4, network of 16: 4 x 10 x 64 projections, 2 x 10 x 10 x 8, 2 x 10 x 8 x 16."""
    layers = '{ kind = "permute", order = [2, 1] }, { kind = "transformer_layer", heads = 2, feed_forward = 16 }'
    counts = products(architecture_workload(written(tmp_path, layers, "10, 8", channels=8)))
    assert sum(counts.values()) == 4 * 10 * 64 + 2 * 10 * 10 * 8 + 2 * 10 * 8 * 16


def test_a_conformer_layer_by_hand(tmp_path: Path) -> None:
    """Two networks, attention, pointwise 8 to 16 and 8 to 8, depthwise 3 taps on 10 steps."""
    turn = '{ kind = "permute", order = [2, 1] }'
    layers = f'{turn}, {{ kind = "conformer_layer", heads = 2, feed_forward = 16, kernel = 3 }}'
    counts = products(architecture_workload(written(tmp_path, layers, "10, 8", channels=8)))
    networks, attention = 2 * 2 * 10 * 8 * 16, 4 * 10 * 64 + 2 * 10 * 10 * 8
    assert sum(counts.values()) == networks + attention + 10 * 8 * 16 + 10 * 8 * 3 + 10 * 64


def test_a_tcn_block_by_hand(tmp_path: Path) -> None:
    """3 to 4 channels, 2 taps, causal: 10 x 4 x 3 x 2 + 10 x 4 x 4 x 2, and the 1x1 shortcut 10 x 4 x 3."""
    layers = '{ kind = "tcn_block", out = 4, kernel = 2, dilation = 2 }'
    assert sum(products(architecture_workload(written(tmp_path, layers, "4, 10"))).values()) == 240 + 320 + 120


def test_mamba_by_hand(tmp_path: Path) -> None:
    """5 tokens of 4; inner 8, 2 states, 3 taps, rank 1.

    In 5 x 4 x 16, taps 5 x 8 x 3, selection 5 x 8 x (1 + 2 + 2), step sizes 5 x 8, scan 5 x 2 x 8 x 2, out 5 x 8 x 4.
    """
    layers = '{ kind = "permute", order = [2, 1] }, { kind = "mamba", inner = 8, state = 2, kernel = 3, rank = 1 }'
    workload = architecture_workload(written(tmp_path, layers, "5, 4", channels=4, steps=5))
    assert workload.complete
    assert sum(products(workload).values()) == 320 + 120 + 200 + 40 + 160 + 160
    scan = next(layer for layer in workload.layers if layer.name.endswith("scan"))
    assert (scan.state_elements, scan.state_reads, scan.calls) == (16, 80, 5)
    assert {name: count.total for name, count in scan.operations.items()} == {"multiply": 240, "lookup": 80, "add": 40}


def test_graph_attention_by_hand(tmp_path: Path) -> None:
    """10 nodes of 8, 2 heads of 3: projection 10 x 8 x 6, two scores 2 x 10 x 6, mixture 2 x 10 x 10 x 3."""
    layers = '{ kind = "permute", order = [2, 1] }, { kind = "graph_attention", heads = 2, out = 3 }'
    workload = architecture_workload(written(tmp_path, layers, "10, 6", channels=8))
    assert workload.complete
    assert sum(products(workload).values()) == 480 + 120 + 600


@pytest.mark.parametrize(("kind", "gates"), [("gru", 3), ("lstm", 4)])
def test_recurrent_layers_by_hand(tmp_path: Path, kind: str, gates: int) -> None:
    """10 steps of 3 to 5 units in both directions: 2 x 10 x gates x (3 x 5 + 5 x 5), the last step kept."""
    layers = '{ kind = "permute", order = [2, 1] }, { kind = "%s", hidden = 5, directions = 2, output = "last" }'
    counts = products(architecture_workload(written(tmp_path, layers % kind, "10")))
    assert sum(counts.values()) == 2 * 10 * gates * 40


def test_rotary_positions_keep_lengths_and_change_with_distance_only(tmp_path: Path) -> None:
    """Turning by angles keeps each pair's length; a product of two depends on how far apart the two are."""
    block = Attention(kind="attention", heads=1, positions="rotary")
    layer = mixing.Attention(block, 6, 4, 4)
    layer.reset_parameters()
    turned = layer._turned(torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 6, 4))[0, 0]
    torch.testing.assert_close(turned.norm(dim=1), torch.full((6,), 30.0**0.5))
    torch.testing.assert_close(turned[0] @ turned[2], turned[3] @ turned[5])
    assert not torch.allclose(turned[0] @ turned[1], turned[0] @ turned[2])


def test_the_spectrum_is_the_fourier_transform() -> None:
    torch.manual_seed(0)
    layer, signal = modules.Spectrum(8), torch.randn(2, 8)
    layer.reset_parameters()
    torch.testing.assert_close(layer(signal)[:, :5], torch.fft.rfft(signal).abs(), rtol=1e-4, atol=1e-5)


def test_group_norm_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs, signal = modules.GroupNorm(2, 6), nn.GroupNorm(2, 6), torch.randn(2, 6, 3, 4)
    ours.reset_parameters()
    torch.testing.assert_close(ours(signal), theirs(signal))


@pytest.mark.parametrize(
    ("layers", "outputs", "parameters"),
    [
        ('{ kind = "pad", axis = 1, before = 2 }, { kind = "pad", axis = 2, after = 3 }', "5, 13", 0),
        ('{ kind = "flip", axis = 2 }, { kind = "scale", factor = 0.5 }', "3, 10", 0),
        ('{ kind = "learned_tokens", count = 2 }', "5, 10", 20),
        ('{ kind = "learned_offset", axes = [1], stored = 7 }', "3, 10", 7),
        ('{ kind = "embedding", entries = 6, size = 4 }', "3, 10, 4", 24),
        ('{ kind = "gate", axis = 2 }', "3, 5", 0),
    ],
)
def test_shapes_and_parameters(tmp_path: Path, layers: str, outputs: str, parameters: int) -> None:
    path = written(tmp_path, layers, outputs)
    if "embedding" in layers:
        path.write_text(path.read_text().replace("steps = 10", "steps = 10\ncodes = 6"))
    network = build_network(load_architecture(path))
    assert parameter_count(network) == parameters


@pytest.mark.parametrize(
    ("layers", "codes"),
    [
        ('{ kind = "embedding", entries = 6, size = 4 }', ""),
        ('{ kind = "linear", out = 4 }', "codes = 6"),
        ('{ kind = "embedding", entries = 5, size = 4 }', "codes = 6"),
    ],
)
def test_codes_go_into_a_table_that_holds_them(tmp_path: Path, layers: str, codes: str) -> None:
    path = written(tmp_path, layers, "3, 10, 4")
    path.write_text(path.read_text().replace("steps = 10", f"steps = 10\n{codes}"))
    with pytest.raises(ProfileError, match="codes"):
        load_architecture(path)


def test_learned_tokens_stand_in_front() -> None:
    layer = modules.LearnedTokens(2, 3)
    layer.reset_parameters()
    longer = layer(torch.ones(4, 5, 3))
    assert longer.shape == (4, 7, 3)
    assert torch.equal(longer[:, 2:], torch.ones(4, 5, 3))


def test_learned_queries_are_projected_before_deployment(tmp_path: Path) -> None:
    """4 queries of 10 tokens of 8: keys, values 2 x 10 x 64; scores and mixture 2 x 4 x 10 x 8; out 4 x 64."""
    layers = '{ kind = "permute", order = [2, 1] }, { kind = "attention", heads = 2, queries = 4 }'
    workload = architecture_workload(written(tmp_path, layers, "4, 8", channels=8))
    assert workload.complete
    assert sum(products(workload).values()) == 2 * 640 + 2 * 320 + 256


def test_density_one_replaces_every_zero(tmp_path: Path) -> None:
    """A rectified signal has zeros; the count does not depend on them."""
    layers = '{ kind = "activation", function = "relu" }, { kind = "linear", out = 5 }'
    linear = {layer.name: layer for layer in architecture_workload(written(tmp_path, layers, "3, 5")).layers}["linear"]
    assert linear.products is not None
    assert linear.products.effective.multiply_accumulate.total == 3 * 10 * 5
    assert linear.input_events is not None
    assert linear.input_events.total == 30


def test_the_diagonal_state_space_is_its_recurrence() -> None:
    torch.manual_seed(0)
    layer, signal = DiagonalStateSpace(2, 3), torch.randn(1, 2, 70)
    layer.reset_parameters()
    rate = (-layer.decay + 1j * layer.frequency) * layer.step.unsqueeze(-1)
    decay, read = torch.exp(rate).detach().numpy(), torch.view_as_complex(layer.read).detach().numpy()
    state, expected = np.zeros((2, 3), dtype=complex), []
    for now in signal[0].T.numpy():
        state = decay * state + now[:, None]
        expected.append(2 * (read * state).sum(1).real + now)
    by_steps = torch.tensor(np.array(expected).T).float()
    torch.testing.assert_close(layer(signal)[0].detach(), by_steps, rtol=1e-4, atol=1e-4)


def scanned(layer: nn.Module, signal: torch.Tensor) -> LayerWork:
    workload = observe(layer, signal, name="scan", mode="window", step_rate_hz=1.0, input_bits=32)
    assert workload.complete
    return workload.layers[0]


def test_state_space_counts_by_hand() -> None:
    """2 channels, 3 complex states, 7 steps: 7 x (2 x 3 x 6 + 2) sites, 7 x 2 x 3 additions, 12 state words."""
    work = scanned(nn.Sequential(DiagonalStateSpace(2, 3)), torch.ones(1, 2, 7))
    assert work.products is not None
    assert work.products.dense_full.total == 7 * 38
    assert work.operations["add"].total == 42
    assert (work.state_elements, work.state_reads) == (12, 84)


def test_the_selective_scan_is_its_recurrence() -> None:
    torch.manual_seed(0)
    layer = SelectiveScan(2, 3)
    layer.reset_parameters()
    signal, delta = torch.randn(1, 5, 2), torch.rand(1, 5, 2)
    into, out = torch.randn(1, 5, 3), torch.randn(1, 5, 3)
    state, expected = np.zeros((2, 3)), []
    for t in range(5):
        for c in range(2):
            for n in range(3):
                step = float(delta[0, t, c])
                state[c, n] = np.exp(step * -(n + 1)) * state[c, n] + step * float(into[0, t, n] * signal[0, t, c])
        expected.append((state @ out[0, t].numpy()) + signal[0, t].numpy())
    torch.testing.assert_close(layer(signal, delta, into, out)[0].detach(), torch.tensor(np.array(expected)).float())
