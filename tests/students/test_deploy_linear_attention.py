"""Linear attention in integers: by hand, the student against the graph, near the real one, halved sums, streams, C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from deployed_networks import CODES, quantised, round_scales, signals
from hypothesis import given, settings
from hypothesis import strategies as st
from test_deploy_c import check, compiled, vectors

from energy_models.errors import StudentError
from students.deploy import DeployedGraph, InputCodes, advance, agreement, decide, execute, first_past, lower
from students.deploy.attention import LinearAttention, run_attention
from students.deploy.c_code import export_c
from students.deploy.graph import Part
from students.deploy.ranges import Integers, Range
from students.kernels.attention_grid import fraction_bits, longest_run, mixed
from students.layers.linear_attention import attended
from students.quantize.linear_attention import IntegerLinearAttention
from students.spec import Shape

WINDOW = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STREAM = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
SHAPES = {"window": WINDOW, "stream": STREAM}
SMALL = {"width": 6, "hidden": 8}


def node_of(width: int, steps: int, bits: int, longest: int) -> LinearAttention:
    key, value, held = 2**bits - 1, 2 ** (bits - 1) - 1, min(steps, longest)
    most = held * key * value
    return LinearAttention(
        "mixture", "query", "key", "value", Range((width, steps), -32767, 32767), Range((width, width), -most, most),
        Range((width,), 0, held * key), Range((width,), -width * key * most, width * key * most), longest,
        fraction_bits(bits),
    )  # fmt: skip


def operands(width: int, steps: int, bits: int, seed: int, examples: int = 2) -> tuple[Integers, Integers, Integers]:
    """Return queries, keys and values; about half of the first two are zero, as behind a ReLU."""
    chance, high = np.random.default_rng(seed), 2**bits - 1
    size = (examples, width, steps)
    query, key = (np.maximum(chance.integers(-high, high + 1, size), 0) for _ in range(2))
    return query, key, chance.integers(-(high // 2), high // 2 + 1, size)


def by_torch(parts: tuple[Integers, Integers, Integers], node: LinearAttention) -> Integers:
    query, key, value = (torch.from_numpy(one).double() for one in parts)
    return mixed(query, key, value, longest=node.longest, fraction=node.fraction).numpy()


def test_two_steps_by_hand() -> None:
    """Width 2, 4 bits, fraction 12. Step 1: q = (2, 1), k = (3, 0), v = (5, -2): S = [[15, 0], [-6, 0]], z = (3, 0),
    d = 6 = 49152 / 2^13, r = round(2^31 / 49152) = 43691, S q = (30, -12); a shift of 31 - 13 - 12 = 6 gives
    round(30 * 43691 / 64) = 20480 = 5 * 2^12, -8192. Step 2: q = (1, 1), k = (1, 4), v = (1, 1):
    S = [[16, 4], [-5, 4]], z = (4, 4), d = 8 = 32768 / 2^12, r = 65536, S q = (20, -1), shift 7: 10240 = 2.5 * 2^12,
    -512 = -2^12 / 8. Step 3: no query and no key: 0."""
    query, key, value = (
        np.array([one]) for one in ([[2, 1, 0], [1, 1, 0]], [[3, 1, 0], [0, 4, 0]], [[5, 1, 7], [-2, 1, 7]])
    )
    node = node_of(2, 3, 4, 128)
    found, (sums, totals, taken) = run_attention(node, (query, key, value), node.first_state(1))
    assert found.tolist() == [[[20480, 10240, 0], [-8192, -512, 0]]]
    assert (sums.tolist(), totals.tolist(), taken.tolist()) == ([[[16, 4], [-5, 4]]], [[4, 4]], [[3]])
    assert by_torch((query, key, value), node).tolist() == found.tolist()


def test_how_many_steps_the_sums_hold() -> None:
    """8 bits: 2^31 - 1 over 255 * 127 is 66,311, of which 2^16; 32 features of 65,536 steps stay below 2^46 (2^44).
    Of 200 features 2^46 / (200 * 255 * 255 * 127) = 42,606 steps, 2^15. 2 bits: (2^31 - 1) / 3, 2^29."""
    assert longest_run(32, (255, 255, 127)) == 2**16
    assert longest_run(200, (255, 255, 127)) == 2**15
    assert longest_run(32, (3, 3, 1)) == 2**29
    with pytest.raises(StudentError, match="hold 85 steps"):
        longest_run(100_000, (255, 255, 127))


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 9), steps=st.integers(1, 300), bits=st.integers(2, 8), seed=st.integers(0, 10_000),
    longest=st.sampled_from([128, 256, 2**16]),
)  # fmt: skip
def test_the_student_computes_what_the_node_does_halved_or_not(
    width: int, steps: int, bits: int, seed: int, longest: int
) -> None:
    node, parts = node_of(width, steps, bits, longest), operands(width, steps, bits, seed)
    found, (sums, totals, _) = run_attention(node, parts, node.first_state(2))
    np.testing.assert_array_equal(found, by_torch(parts, node))
    assert int(np.abs(sums).max()) <= node.sums.highest
    assert int(totals.max()) <= node.totals.highest


@settings(max_examples=30, deadline=None)
@given(width=st.integers(1, 12), steps=st.integers(1, 120), bits=st.integers(2, 8), seed=st.integers(0, 10_000))
def test_the_division_is_that_of_reals(width: int, steps: int, bits: int, seed: int) -> None:
    """Sums are exact. The divisor's first 16 bits are off by less than 2^-15 of it, its reciprocal, of 16 bits at
    least, by half of 2^-15, and the result by half a step; a result is at most 2^15 steps: 1 + 0.5 + 0.5."""
    node, parts = node_of(width, steps, bits, 2**16), operands(width, steps, bits, seed)
    found = by_torch(parts, node)
    exact = attended(*(torch.from_numpy(one).double() for one in parts)).numpy() * 2.0**node.fraction
    assert float(np.abs(found - exact).max()) <= 2.0 + 1e-2  # the least divisor is 1, to which float adds 10^-6


@pytest.mark.parametrize("form", ["w8a8", "w4a4", "w2a4 edge=4 in=6", "ternary-a5"])
@pytest.mark.parametrize("task", SHAPES)
def test_scales_of_powers_of_two_agree_on_every_integer_of_attention(task: str, form: str) -> None:
    model, spec = quantised("ind", form, SHAPES[task], SMALL)
    round_scales(model)
    graph = lower(model, spec.shape, codes=CODES)
    found = agreement(model, graph, CODES.codes_of(signals(spec.shape, 30, 9).numpy() * 2))
    inside = [one for one in found.nodes if one.name.endswith((".mixture", ".output"))]
    assert len(inside) == 4
    assert all(one.differing == 0 for one in inside), inside
    assert found.differing <= 1e-5 * found.elements + 1, found  # batch norms are no powers of two
    assert found.changed == found.tied


@settings(max_examples=10, deadline=None)
@given(
    widths=st.tuples(st.integers(2, 8), st.integers(2, 8)), sizes=st.tuples(*[st.integers(1, 7)] * 3),
    steps=st.integers(8, 100), task=st.sampled_from(list(SHAPES)), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_any_shape_width_and_seed(
    widths: tuple[int, int], sizes: tuple[int, int, int], steps: int, task: str, seed: int
) -> None:
    channels, width, blocks = sizes
    shape = SHAPES[task].model_copy(update={"channels": channels, "steps": steps})
    options = {"width": width, "hidden": 5, "blocks": 1 + blocks % 2}
    model, _ = quantised("ind", f"w{widths[0]}a{widths[1]}", shape, options, seed)
    found = agreement(model, lower(model, shape, codes=CODES), CODES.codes_of(signals(shape, 8, seed).numpy() * 2))
    assert found.differing <= 1e-5 * found.elements + 1, found
    assert found.largest <= 1
    assert found.changed == found.tied
    assert all(one.differing == 0 for one in found.nodes if one.name.endswith(".mixture")), found


def test_a_stream_in_pieces_is_the_whole() -> None:
    model, spec = quantised("ind", "w4a4", STREAM, SMALL)
    graph = lower(model, spec.shape, codes=CODES)
    codes = CODES.codes_of(signals(STREAM, 3, 1).numpy() * 2)
    past, pieces = first_past(graph, 3), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 60)):
        found, past = advance(graph, codes[:, :, start:stop], past)
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), decide(graph, codes))


def alone(width: int, steps: int, bits: int, longest: int) -> DeployedGraph:
    """Return a graph whose converter gives queries, keys and values."""
    high = 2**bits - 1
    codes = InputCodes(bits + 1, signed=True, scale=np.array(1.0), offset=np.array(0.0))
    parts = [
        Part(name, "input", Range((width, steps), -high - 1, high), place * width)
        for place, name in enumerate(("query", "key", "value"))
    ]
    node, source = node_of(width, steps, bits, longest), Range((3 * width, steps), -high - 1, high)
    return DeployedGraph("regression", codes, source, (*parts, node), 1.0, 0.0, "", 26)


@compiled
@pytest.mark.parametrize("bits", [3, 8])
def test_halved_sums_are_those_of_the_reference_in_c(tmp_path: Path, bits: int) -> None:
    width, steps = 3, 300
    given_parts = operands(width, steps, bits, 1)
    codes = np.concatenate(given_parts, axis=1)
    graph = alone(width, steps, bits, 128)
    export = export_c(graph, tmp_path, vectors=codes)
    assert export.entry == "step"
    assert check(export, "decoder") == f"0 of {2 * steps * width} outputs differ\n"
    node = graph.nodes[-1]
    assert isinstance(node, LinearAttention)
    np.testing.assert_array_equal(execute(graph, codes)["mixture"], by_torch(given_parts, node))


@compiled
@pytest.mark.parametrize("form", ["w8a8", "w2a4 edge=4 in=6"])
@pytest.mark.parametrize("task", SHAPES)
def test_ind_is_bit_exact_in_c(tmp_path: Path, task: str, form: str) -> None:
    model, spec = quantised("ind", form, SHAPES[task], SMALL)
    graph = lower(model, spec.shape, codes=CODES)
    export = export_c(graph, tmp_path, vectors=vectors(graph, spec.shape))
    assert export.entry == ("step" if task == "stream" else "window")
    assert export.state_bytes > 0
    check(export, "decoder")


def test_gradients_are_those_of_the_float_attention_at_the_rounded_numbers() -> None:
    model, _ = quantised("ind", "w8a8", WINDOW, SMALL)
    attention = model.get_submodule("6.branch.2")
    assert isinstance(attention, IntegerLinearAttention)
    signal = torch.randn(2, 18, 20, generator=torch.Generator().manual_seed(0), requires_grad=True)
    query, key, value = attention.parts(signal)
    attention.mixture(query, key, value).sum().backward()
    mine = signal.grad
    again = signal.detach().clone().requires_grad_()
    attended(*(one.value for one in attention.parts(again))).sum().backward()
    assert mine is not None
    assert again.grad is not None
    assert torch.equal(mine, again.grad)
    assert float(mine.abs().max()) > 0


def test_numbers_that_are_none_stay_none() -> None:
    model, _ = quantised("ind", "w8a8", WINDOW, SMALL)
    signal = signals(WINDOW, 2)
    signal[0, 1, 40] = torch.nan
    with torch.inference_mode():
        outputs = model(signal)
    assert bool(outputs[0].isnan().any())
    assert bool(outputs[1].isfinite().all())
