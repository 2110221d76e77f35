"""Rules beside plain products: against every multiplication, or with the arithmetic in a comment."""

from __future__ import annotations

import pytest
import torch
from counting_oracle import linear, transposed
from hypothesis import given
from hypothesis import strategies as st
from small_networks import Applied
from test_observe_products import QUICK, added, pruned, seen, signal, sites
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from energy_models.workload import Count, LayerWork


def operations(layer: LayerWork) -> dict[str, float]:
    return {name: count.mean for name, count in layer.operations.items()}


def total(model: nn.Module, *shape: int) -> dict[str, float]:
    """Operations of one decode over all layers of a complete workload."""
    found = seen(model, torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)))
    assert found.uncounted == ()
    summed: dict[str, float] = {}
    for layer in found.layers:
        for name, mean in operations(layer).items():
            summed[name] = summed.get(name, 0.0) + mean
    return summed


@QUICK
@given(data=st.data())
def test_transposed_convolution_against_every_multiplication(data: st.DataObject) -> None:
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    axes, groups, seed = draw(1, 2), draw(1, 2), draw(0, 10**6)
    stride, dilation = tuple(draw(1, 3) for _ in range(axes)), tuple(draw(1, 2) for _ in range(axes))
    kernel, lengths = tuple(draw(1, 3) for _ in range(axes)), tuple(draw(2, 4) for _ in range(axes))
    extra = tuple(draw(0, max(stride[a], dilation[a]) - 1) for a in range(axes))
    padding = tuple(draw(0, dilation[a] * (kernel[a] - 1) // 2) for a in range(axes))
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d)[axes - 1]
    layer = kind(2 * groups, groups * draw(1, 2), kernel, stride, padding, extra, groups, True, dilation)
    model, inputs = pruned(layer, seed), signal(seed, 2, 2 * groups, *lengths)
    with torch.no_grad():
        outputs = tuple(model(inputs).shape[2:])
    weight = layer.weight.detach().numpy()
    true = [transposed(x, weight, stride, dilation, padding, outputs).as_tuple() for x in inputs.numpy()]
    found = seen(model, inputs).layers[0]
    assert sites(found) == added(true)
    assert found.operations["add"].mean == found.outputs  # one bias each


@QUICK
@given(data=st.data())
def test_filters_made_from_the_input_against_every_multiplication(data: st.DataObject) -> None:
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    seed, steps, kernel, padding = draw(0, 10**6), draw(4, 6), draw(1, 3), draw(0, 1)
    inputs = signal(seed, 2, 2, steps)

    def apply(x: torch.Tensor) -> torch.Tensor:
        filters = x[..., :kernel].reshape(-1, 1, kernel)
        return functional.conv1d(x.reshape(1, -1, steps), filters, padding=padding, groups=len(filters))

    mac = fed = both = valid = 0
    for row in inputs.reshape(-1, steps).tolist():
        for start in range(-padding, steps + padding - kernel + 1):
            for tap in range(kernel):
                if 0 <= start + tap < steps:
                    a, b = row[start + tap], row[tap]
                    hard = not ({a, b} & {-1.0, 0.0, 1.0})
                    valid, mac, fed, both = valid + 1, mac + hard, fed + (a != 0), both + (a != 0 and b != 0)
    found = seen(Applied(apply), inputs)
    products = found.layers[0].products
    assert found.complete
    assert products is not None
    assert products.dense_valid.multiply_accumulate.total == mac
    assert [products.dense_valid.total, products.effective_input.total, products.effective.total] == [valid, fed, both]


@QUICK
@given(seed=st.integers(0, 10**6), lengths=st.lists(st.integers(1, 5), min_size=3, max_size=3))
def test_packed_sequences_are_charged_their_own_steps(seed: int, lengths: list[int]) -> None:
    layer = pruned(nn.GRU(2, 3, 2, batch_first=True, bidirectional=True), seed)

    def apply(x: torch.Tensor, rnn: nn.Module) -> torch.Tensor:
        packed = pack_padded_sequence(x, torch.tensor(lengths[: len(x)]), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=5)[0]

    inputs = signal(seed, 3, 5, 2)
    found = seen(Applied(apply, layer), inputs)
    assert found.complete
    alone = [seen(Applied(lambda x, rnn: rnn(x)[0], layer), one[None, :n]).layers
             for one, n in zip(inputs, lengths, strict=True)]  # fmt: skip
    for place, work in enumerate(found.layers):
        assert sites(work) == added([sites(layers[place]) for layers in alone])
        for name, count in work.operations.items():
            assert count == Count.of([layers[place].operations[name].total for layers in alone])
        assert work.calls == 5


def test_lengths_that_come_from_the_input_are_counted_too() -> None:
    # 9 rows x (2 + 3) a step: sequences of 4 and 2 steps.
    def apply(x: torch.Tensor, rnn: nn.Module) -> torch.Tensor:
        lengths = (x.abs().sum(-1) > 0).sum(-1)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=4)[0]

    inputs = torch.ones(2, 4, 2)
    inputs[1, 2:] = 0
    found = seen(Applied(apply, nn.GRU(2, 3, batch_first=True)), inputs)
    assert found.complete
    assert sum(layer.products.dense_full.total for layer in found.layers if layer.products) == 45 * (4 + 2)


def test_a_projected_state_is_what_the_next_step_reads() -> None:
    layer = nn.LSTM(2, 4, proj_size=3, batch_first=True)
    x = signal(3, 1, 1, 2)
    work = {one.name: one for one in seen(layer, x).layers}
    assert sites(work["lstm.input"]) == linear(x.numpy(), layer.weight_ih_l0.detach().numpy()).as_tuple()
    assert work["lstm.hidden"].products.effective_input.total == 0  # the first state is zero
    assert work["lstm.projection"].products.dense_full.total == 3 * 4
    assert work["lstm.hidden"].state_elements == 3 + 4


@pytest.mark.parametrize(
    ("operation", "shape", "expected"),
    [
        # 8 points, real: half of 2 x 8 x 3 and of 3 x 8 x 3.
        (torch.fft.rfft, (8,), {"multiply": 24, "add": 36}),
        # 8 complex points back: the real half, and 8 scalings by 1 / 8.
        (lambda x: torch.fft.irfft(torch.fft.rfft(x)), (8,), {"multiply": 24 + 24 + 8, "add": 72}),
        # 6 = 2 x 3 points, real: half of 4 x 6 x (2 + 3) each.
        (torch.fft.rfft, (6,), {"multiply": 60, "add": 60}),
        # 3 magnitudes of complex numbers.
        (lambda x: torch.view_as_complex(x).abs(), (3, 2), {"multiply": 6, "add": 3, "square_root": 3}),
        # 3 complex squares as products: 4 multiplications, 2 additions each.
        (lambda x: torch.view_as_real(torch.view_as_complex(x) * torch.view_as_complex(x)), (3, 2),
         {"multiply": 12, "add": 6}),
        # 2 x 2 image, windows of 2 x 2 of a 3 x 3 image: 16 numbers onto 9 places.
        (lambda x: functional.fold(functional.unfold(x.unsqueeze(1), 2), 3, 2), (3, 3), {"add": 7}),
        # windows of 3 with a border of 1 over 4: 2, 3, 3, 2 numbers; divided by 2, 3, 3, 2.
        (lambda x: functional.avg_pool1d(x, 3, 1, 1, count_include_pad=False), (1, 4),
         {"add": 6, "multiply": 2, "divide": 2}),
        # the same with the border counted: divided by 3 each.
        (lambda x: functional.avg_pool1d(x, 3, 1, 1), (1, 4), {"add": 6, "divide": 4}),
        # 5 in windows of 2, the last of 1.
        (lambda x: functional.max_pool1d(x, 2, ceil_mode=True), (1, 5), {"compare": 2}),
        # 5 into 3: 0-1, 1-3, 3-4: 2, 3 and 2 numbers.
        (lambda x: functional.adaptive_avg_pool1d(x, 3), (1, 5), {"add": 4, "multiply": 2, "divide": 1}),
        # 5 numbers sorted: 5 x 3 compares.
        (lambda x: x.sort(-1).values, (5,), {"compare": 15}),
        # 4 outputs of linear interpolation.
        (lambda x: functional.interpolate(x, scale_factor=2, mode="linear"), (1, 2), {"add": 8, "multiply": 4}),
        # 4 numbers among 3 boundaries: 2 compares each.
        (lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])), (4,), {"compare": 8}),
        # 3 x 3: 3 roots, 3 divisions, (27 - 3) / 6 = 4 products; and the sum with the unit matrix, 9.
        (lambda x: torch.linalg.cholesky(x.mT.new_zeros(3, 3) + 0 * x + 9 * torch.eye(3)), (3, 3),
         {"square_root": 3, "divide": 3, "multiply": 4 + 9, "add": 4 + 9 + 9}),
        # row norm of 4 in 2 groups of 2 x 3: 12 numbers, 2 rows; 3 x 12 - 2, affine 12 more.
        (nn.GroupNorm(2, 4), (4, 3), {"add": 34 + 12, "multiply": 36, "divide": 6, "square_root": 2}),
        # gated: half of 4.
        (nn.GLU(), (4,), {"lookup": 2, "multiply": 2}),
        # 4 roundings, 4 remainders by 3: a division, a rounding, a product, a difference.
        (lambda x: x.round(), (4,), {"add": 4}),
        (lambda x: x.remainder(3.0), (4,), {"divide": 4, "add": 8, "multiply": 4}),
        # 2 rows of 3 read, and added up.
        (nn.Sequential(Applied(lambda x: (x > 0).long()), nn.EmbeddingBag(2, 3, mode="sum")), (2,),
         {"compare": 2, "lookup": 6, "add": 3}),
        # 3 x 3 scores in 2 dimensions: scale 6, mask 9, softmax of 3 rows: 2 x 3 - 1 additions each.
        (lambda x: functional.scaled_dot_product_attention(x, x, x, torch.ones(3, 3).tril().bool()), (3, 2),
         {"multiply": 6, "add": 9 + 15, "compare": 6, "lookup": 9, "divide": 9}),
    ],
)  # fmt: skip
def test_operations_by_hand(operation: object, shape: tuple[int, ...], expected: dict[str, int]) -> None:
    model = operation if isinstance(operation, nn.Module) else Applied(operation)  # type: ignore[arg-type]
    assert total(model, *shape) == expected


def test_stored_rows_and_reads_of_an_embedding() -> None:
    model = nn.Sequential(Applied(lambda x: (x > 0).long()), nn.Embedding(2, 3))
    work = seen(model, torch.randn(2, 4)).layers[-1]
    assert (work.kind, work.weights, work.weights_key) == ("embedding", 6, "1.weight")
    assert operations(work) == {"lookup": 12.0}


@pytest.mark.parametrize(
    "moved",
    [
        lambda x: x[:, [2, 0]], lambda x: x[:, torch.tensor([True, False, True])], lambda x: x.tril(),
        lambda x: x.gather(1, x.argsort(1) % 3), lambda x: x.repeat(1, 2, 1), lambda x: x.rot90(1, (1, 2)),
        lambda x: x.diagonal(dim1=1, dim2=2), lambda x: functional.pixel_shuffle(x.reshape(-1, 4, 3, 1), 2),
    ],
)  # fmt: skip
def test_moves_keep_decodes_apart(moved: object) -> None:
    # What follows a move is counted per decode: the non-zero numbers of each example.
    inputs = signal(7, 5, 3, 4)
    found = seen(Applied(lambda x: moved(x) * 2.0 @ torch.eye(moved(x).shape[-1])), inputs)  # type: ignore[operator]
    assert found.complete
    kept = [int((moved(one.unsqueeze(0)) != 0).sum()) for one in inputs]  # type: ignore[operator]
    assert found.layers[-1].input_events == Count.of(kept)


def test_a_complex_operation_without_a_rule_is_listed() -> None:
    found = seen(Applied(lambda x: torch.view_as_complex(x).tanh().abs()), torch.randn(1, 3, 2))
    assert [gap.operation for gap in found.uncounted] == ["tanh"]
