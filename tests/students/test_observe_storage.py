"""Every parameter and buffer that a counted operation reads is stored once, at its true width: all by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brevitas.nn as qnn
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from energy_models.workload import LayerWork, Workload
from students.counting import observe


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Given(nn.Module):
    """A forward of its own over named parameters and buffers."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **stored: Tensor | nn.Module) -> None:
        super().__init__()
        for name, one in stored.items():
            if isinstance(one, nn.Parameter | nn.Module):
                setattr(self, name, one)
            else:
                self.register_buffer(name, one)
        self.does = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.does(self, x)


def parameter(*shape: int, seed: int = 1) -> nn.Parameter:
    return nn.Parameter(normal(*shape, seed=seed))


def seen(model: nn.Module, x: Tensor, batch_size: int = 32) -> Workload:
    work = observe(model, x, name="m", mode="window", step_rate_hz=1.0, input_bits=32, batch_size=batch_size)
    assert work.complete, work.uncounted
    return work


def layer(work: Workload, name: str) -> LayerWork:
    return next(one for one in work.layers if one.name == name)


def constants(work: Workload) -> dict[str, tuple[int, int]]:
    return {one.name: (one.constants, one.constant_bits) for one in work.layers if one.constants}


def test_a_gain_and_an_offset_multiplied_and_added_by_hand() -> None:
    """One word a channel and one for all: 6 + 1 words of 32 bits, 28 bytes, whatever they are broadcast to."""
    model = Given(lambda m, x: x * m.gain[:, None] + m.offset, gain=parameter(6), offset=parameter(1))
    work = seen(model, normal(4, 6, 10))
    assert constants(work) == {"mul": (6, 32), "add": (1, 32)}
    assert work.packed_bytes == 28


def test_true_widths_of_buffers() -> None:
    """Half precision is 16 bits wide: 6 words are 12 bytes; 3 integers of 8 bits are 3."""
    model = Given(
        lambda m, x: (x * m.gain).float() + m.codes.repeat(2),
        gain=normal(6).half(), codes=torch.tensor([3, 5, 7], dtype=torch.int8),
    )  # fmt: skip
    work = seen(model, normal(4, 6))
    assert constants(work) == {"mul": (6, 16), "add": (3, 8)}
    assert work.packed_bytes == 12 + 3


@pytest.mark.parametrize("slopes", [1, 6])
def test_slopes_of_a_prelu(slopes: int) -> None:
    work = seen(nn.Sequential(nn.PReLU(slopes)), normal(4, 6, 10), batch_size=1)
    assert constants(work) == {"0": (slopes, 32)}


def test_layer_scale_beside_what_it_scales() -> None:
    """x + g * (W x + b): 8 * 8 weights, 8 biases, 8 gains."""
    model = Given(lambda m, x: x + m.g * m.fc(x), g=parameter(8), fc=nn.Linear(8, 8))
    work = seen(model, normal(4, 8))
    assert constants(work) == {"mul": (8, 32)}
    assert work.packed_bytes == (64 + 8 + 8) * 4


def test_a_learned_position_embedding_is_as_long_as_the_signal() -> None:
    """A table of 20 places, of which a signal of 7 steps reads 7: 7 * 5 words."""
    model = Given(lambda m, x: x.mT + m.position[: x.shape[-1]], position=parameter(20, 5))
    assert constants(seen(model, normal(3, 5, 7))) == {"add": (35, 32)}


def test_a_position_embedding_of_places_written_out() -> None:
    """An embedding of constant places is no look-up at run time: its table is read where it is added."""
    model = Given(lambda m, x: x.mT + m.table(torch.arange(7)), table=nn.Embedding(7, 5))
    assert constants(seen(model, normal(3, 5, 7))) == {"add": (35, 32)}


def test_a_table_read_step_by_step_adds_up() -> None:
    """Each of 6 steps adds its own row of 4 of a table of 6 rows, twice: 24 words, in one layer of 12 calls."""

    def steps(m: Any, x: Tensor) -> Tensor:
        for _ in range(2):
            x = torch.stack([one + m.table[place] for place, one in enumerate(x.unbind(1))], 1)
        return x

    work = seen(Given(steps, table=parameter(6, 4)), normal(5, 6, 4), batch_size=2)
    assert constants(work) == {"add": (24, 32)}
    assert layer(work, "add").calls == 12


def _rows(x: Tensor) -> Tensor:
    return x.argmax(1)


@pytest.mark.parametrize(
    "read",
    [
        lambda m, x: m.table[_rows(x)],
        lambda m, x: torch.index_select(m.table, 0, _rows(x)),
        lambda m, x: F.embedding(_rows(x), m.table),
        lambda m, x: torch.gather(m.table, 0, _rows(x)[:, None].expand(-1, 3)),
    ],
    ids=["index", "index_select", "embedding", "gather"],
)
def test_a_table_is_an_embedding_however_it_is_read(read: Callable[[Any, Tensor], Tensor]) -> None:
    """5 rows of 3 words, one row a decode: 3 look-ups; 15 stored words of 32 bits."""
    work = seen(Given(read, table=parameter(5, 3)), normal(4, 5))
    table = layer(work, "table")
    assert (table.kind, table.weights, table.weight_bits, table.constants) == ("embedding", 15, 32, 0)
    assert table.operations["lookup"].mean == 3
    assert work.packed_bytes == 60


def test_columns_of_a_table_keep_decodes_apart() -> None:
    """Columns of (4, 5) chosen by 4 decodes land on the last axis: a product behind it is counted for each decode."""
    model = Given(
        lambda m, x: torch.index_select(m.table, 1, _rows(x)).t() @ m.out, table=parameter(4, 5), out=parameter(4, 2)
    )
    together, apart = (seen(model, normal(4, 5), batch_size=size) for size in (4, 1))
    assert layer(together, "out").products == layer(apart, "out").products
    assert layer(together, "out").calls == layer(apart, "out").calls == 1


def test_a_table_of_two_indices() -> None:
    """One number of a (5, 5) table a decode: one look-up, 25 words."""
    model = Given(lambda m, x: m.table[_rows(x), _rows(-x)], table=parameter(5, 5))
    table = layer(seen(model, normal(4, 5)), "table")
    assert (table.operations["lookup"].mean, table.weights) == (1, 25)


def test_an_output_weight_tied_to_an_embedding_is_stored_once() -> None:
    """The table of 5 rows of 3 is read by index and multiplied with, in either order: 15 words, 60 bytes."""
    first = Given(lambda m, x: m.table[_rows(x)] @ m.table.t(), table=parameter(5, 3))
    assert seen(first, normal(4, 5)).packed_bytes == 60
    last = Given(lambda m, x: m.table[_rows(F.linear(x, m.table))], table=parameter(5, 3))
    assert seen(last, normal(4, 3)).packed_bytes == 60
    gained = Given(lambda m, x: F.linear(x * m.table[0], m.table), table=parameter(5, 3))
    assert constants(seen(gained, normal(4, 3))) == {}  # its first row is among the weights


def test_a_parameter_of_two_layers_is_stored_with_the_first() -> None:
    model = Given(lambda m, x: (x * m.gain).relu() + m.gain, gain=parameter(6))
    assert constants(seen(model, normal(4, 6))) == {"mul": (6, 32)}


def test_overlapping_slices_share_their_words() -> None:
    """Words 0 to 3 and 2 to 5 of 8 are six words: four where they are read first, two more after."""
    model = Given(lambda m, x: (x * m.gain[:4]) + m.gain[2:6], gain=parameter(8))
    assert constants(seen(model, normal(4, 4))) == {"mul": (4, 32), "add": (2, 32)}


def test_what_is_made_before_the_signal_comes_counts_as_it_meets_it() -> None:
    """softplus(a) of 6 is 6 words, a matrix a b^T made of 6 + 4 words is 24; made in every call, stored once."""

    def forward(m: Any, x: Tensor) -> Tensor:
        for _ in range(3):
            x = x * F.softplus(m.a)
        return x[:, :, None] + m.a[:, None] * m.b

    work = seen(Given(forward, a=parameter(6), b=parameter(4)), normal(5, 6), batch_size=2)
    assert constants(work) == {"mul": (6, 32), "add": (24, 32)}


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_what_is_repeated_for_each_example_is_stored_once(batch_size: int) -> None:
    """Learned queries (2, 8) and a token (1, 8): 16 and 8 words in any batch; the last batch of 5 by 2 is smaller."""

    def forward(m: Any, x: Tensor) -> Tensor:
        x = torch.cat([m.token.expand(len(x), 1, 8), x], 1)
        queries = F.linear(m.queries.expand(len(x), 2, 8), m.maps).view(-1, 2, 2, 4).transpose(1, 2)
        return (queries * 0.5) @ x.view(len(x), -1, 2, 4).permute(0, 2, 3, 1)

    model = Given(forward, token=parameter(1, 1, 8), queries=parameter(1, 2, 8), maps=parameter(8, 8))
    work = seen(model, normal(5, 3, 8), batch_size=batch_size)
    assert constants(work) == {"cat": (8, 32)}
    assert layer(work, "matmul").weights == 16  # the mapped queries; the map itself is not deployed
    assert work.packed_bytes == 24 * 4


def test_a_batch_norm_folded_and_not() -> None:
    """Folded into 3 -> 4 taps 1: 12 weights and 4 biases. Alone on 3 channels: 3 scales and 3 offsets."""
    folded = seen(nn.Sequential(nn.Conv1d(3, 4, 1, bias=False), nn.BatchNorm1d(4)), normal(4, 3, 10))
    alone = seen(nn.Sequential(nn.BatchNorm1d(3)), normal(4, 3, 10))
    assert constants(folded) == constants(alone) == {}
    assert (folded.packed_bytes, alone.packed_bytes) == (16 * 4, 6 * 4)


def test_a_learned_first_state_is_stored_with_its_layer() -> None:
    """A GRU of 3 to 4: 3 * 4 * (3 + 4) weights, 2 * 12 biases, and 4 words of the first state."""
    model = Given(
        lambda m, x: m.cell(x, m.start.expand(1, len(x), 4).contiguous())[0],
        cell=nn.GRU(3, 4, batch_first=True), start=parameter(1, 1, 4),
    )  # fmt: skip
    work = seen(model, normal(5, 7, 3))
    assert constants(work) == {"cell.hidden": (4, 32)}
    assert work.packed_bytes == (84 + 24 + 4) * 4


def test_places_and_states_are_no_constants_and_a_mask_is_one_bit_an_element() -> None:
    """An order of channels and a buffer that takes up the signal store no words; a truth value is one bit."""

    def forward(m: Any, x: Tensor) -> Tensor:
        m.kept = 0.5 * m.kept + x[:, m.order].mean(0)
        return x.masked_fill(m.mask == 0, 0.0) + m.kept

    model = Given(forward, mask=torch.tensor([1, 0, 1]), order=torch.tensor([2, 0, 1]), kept=torch.zeros(3))
    assert constants(seen(model, normal(1, 3))) == {"masked_fill": (3, 1)}


def test_constants_of_two_widths_in_one_layer_are_kept_apart() -> None:
    """x + a x y with a of 32 bits and y of 16: three words each."""
    model = Given(lambda m, x: torch.addcmul(x, m.a, m.b), a=normal(3), b=normal(3).double())
    work = seen(model, normal(4, 3).double())
    assert constants(work) == {"addcmul": (3, 32), "addcmul.stored": (3, 64)}


def test_a_stream_and_its_warm_up_hold_the_same_constants() -> None:
    model = Given(lambda m, x: x * m.gain[:, None], gain=parameter(3))
    work = observe(
        model, normal(2, 3, 10), name="m", mode="stream", step_rate_hz=1.0, input_bits=32, warm_up_steps=4
    )  # fmt: skip
    assert [one.constants for one in (*work.layers, *work.warm_up)] == [3, 3]


def test_quantised_scales_offsets_and_gates_are_stored_once() -> None:
    """Two multipliers of 4 bytes; 72 weights of 8 bits and 6 biases of 32; 6 scales of 8 bits and 6 offsets of 32."""
    affine = nn.Sequential(
        qnn.QuantIdentity(return_quant_tensor=True), qnn.QuantConv1d(4, 6, 3), qnn.QuantIdentity(),
        qnn.QuantScaleBias(6, bias=True, runtime_shape=(1, -1, 1)),
    )  # fmt: skip
    affine(normal(3, 4, 10))
    assert seen(affine.eval(), normal(3, 4, 10)).packed_bytes == 4 + (72 + 24) + 4 + (6 + 24)
    gates = Given(lambda m, x: m.cell(x)[0], cell=qnn.QuantLSTM(4, 5, batch_first=True))
    gates(normal(3, 10, 4))
    work = seen(gates.eval(), normal(3, 10, 4))
    assert sum(one.biases for one in work.layers) == 4 * 5
    assert not [name for name in constants(work) if name.endswith(".add")]


def test_storage_that_no_layer_accounts_for_is_listed() -> None:
    """A convolution that looks ahead in a stream is not counted: neither are its 3 * 3 * 5 weights and 3 biases."""
    model = nn.Sequential(nn.Conv1d(3, 3, 5, padding=2))
    work = observe(model, normal(2, 3, 20), name="m", mode="stream", step_rate_hz=1.0, input_bits=32)
    found = [(one.layer, one.reason) for one in work.uncounted if one.operation == "storage"]
    assert found == [("0", "read with the signal and stored nowhere: 0.weight (45 words), 0.bias (3 words)")]
    assert work.packed_bytes == 0


def test_what_one_layer_loses_another_may_store() -> None:
    """Of 45 weights of a convolution that is not counted 3 are gains too, and stored there; their sum is a word."""
    model = Given(
        lambda m, x: F.conv1d(x, m.taps, padding=2)[..., :20] + m.taps.sum() * x + m.taps[:, 0, :1] * x,
        taps=parameter(3, 3, 5),
    )
    work = observe(model, normal(2, 3, 20), name="m", mode="stream", step_rate_hz=1.0, input_bits=32)
    assert constants(work) == {"mul": (1 + 3, 32)}
    assert "taps (42 words)" in next(one.reason for one in work.uncounted if one.operation == "storage")
