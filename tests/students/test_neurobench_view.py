"""What NeuroBench's definitions imply, by hand: batches, padding, recurrent cells, what it cannot see."""

from __future__ import annotations

import pytest
import snntorch
import torch
from torch import Tensor, nn

from energy_models.errors import DataError, StudentError
from students.neurobench import NeuroBenchRow, neurobench_row
from students.neurobench.run import SynapticOperations


def row(model: nn.Module, inputs: Tensor, batch_size: int = 4, wrapper: str = "TorchModel") -> NeuroBenchRow:
    return neurobench_row(model, inputs, batch_size=batch_size, wrapper=wrapper)  # type: ignore[arg-type]


def linear(*rows: tuple[float, ...]) -> nn.Linear:
    weight = torch.tensor(rows)
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = weight
    return layer


def test_the_split_depends_on_the_batch() -> None:
    # Two of four examples hold spikes only. All inputs and weights non-zero: 2 * 3 products each.
    model, x = nn.Sequential(linear((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))), torch.ones(4, 3)
    x[2:] *= 0.5
    assert row(model, x).synaptic_operations == SynapticOperations(dense=6.0, effective_macs=6.0, effective_acs=0.0)
    alone = row(model, x, batch_size=1)
    assert alone.synaptic_operations == SynapticOperations(dense=6.0, effective_macs=3.0, effective_acs=3.0)
    assert "0: 2 calls are AC and 2 MAC, which depends on batch_size" in alone.notes


def test_zeros_on_either_side_are_left_out_and_biases_cost_nothing() -> None:
    # Inputs 2, 0, 3 and weights (0, 1, 1), (1, 0, 1): of 6 products only 3 * 1, 2 * 1 and 3 * 1 have no zero.
    found = row(nn.Sequential(linear((0.0, 1.0, 1.0), (1.0, 0.0, 1.0))), torch.tensor([[2.0, 0.0, 3.0]]))
    assert found.synaptic_operations == SynapticOperations(dense=6.0, effective_macs=3.0, effective_acs=0.0)
    assert found.connection_sparsity == round(2 / 6, 4)


def test_padding_taps_are_not_dense() -> None:
    # 5 steps, 3 taps, one zero on both sides: 3 * 5 - 2 products of each of 2 x 4 channel pairs.
    found = row(nn.Sequential(nn.Conv1d(2, 4, 3, padding=1)), torch.rand(3, 2, 5) + 1)
    assert found.synaptic_operations.dense == 2 * 4 * (3 * 5 - 2)


def test_activation_sparsity_is_a_mean_over_batches() -> None:
    # ReLU leaves 1 zero of 2 in the first batch of two samples and none in the second of one: (2 * 1/2 + 1 * 0) / 3.
    x = torch.tensor([[1.0], [-1.0], [1.0]])
    assert row(nn.Sequential(nn.ReLU()), x, batch_size=2).activation_sparsity == pytest.approx(1 / 3)


def test_recurrent_biases_are_connections_and_linear_ones_are_not() -> None:
    # GRU 2 -> 3: 18 + 27 weights and 9 + 9 biases; 9 of them zero. Linear 3 -> 2: 6 weights, its zero biases unseen.
    gru, read = nn.GRU(2, 3), nn.Linear(3, 2)
    nn.init.zeros_(gru.bias_hh_l0)
    nn.init.zeros_(read.bias)
    nn.init.ones_(read.weight)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.read = gru, read

        def forward(self, x: Tensor) -> Tensor:
            return self.read(self.gru(x)[0])

    found = row(Net(), torch.rand(1, 4, 2))
    assert found.connection_sparsity == round(9 / 69, 4)
    assert found.synaptic_operations is None
    assert any("does not count GRU" in note for note in found.notes)
    assert found.as_results() == {"Footprint": 4 * (63 + 8), "ConnectionSparsity": round(9 / 69, 4)}


class Cells(nn.Module):
    def __init__(self, cell: nn.RNNCellBase, state: object) -> None:
        super().__init__()
        self.cell, self.state = cell, state

    def forward(self, x: Tensor) -> Tensor:
        self.cell(x, self.state)
        return x


@pytest.mark.parametrize(
    ("cell", "state", "dense", "effective"),
    [
        # RNN 2 -> 3: 2 * 3 + 3 * 3 products; one input of two is zero: 3 + 9.
        (nn.RNNCell(2, 3), torch.ones(1, 3), 15, 12),
        # LSTM, 4 gates: 4 * 15 products; each of 3 units f*c, i*g, o*tanh(c).
        (nn.LSTMCell(2, 3), (torch.ones(1, 3), torch.ones(1, 3)), 60 + 9, 48 + 9),
        # Its states count where they are not zero, even in Dense: 4 * 6 products, i*g and o*tanh(c).
        (nn.LSTMCell(2, 3), (torch.zeros(1, 3), torch.zeros(1, 3)), 24 + 6, 12 + 6),
        # GRU, 3 gates: 3 * 15; each unit r*h_n, (1 - z)*n, z*h.
        (nn.GRUCell(2, 3), torch.ones(1, 3), 45 + 9, 36 + 9),
    ],
)
def test_recurrent_cells(cell: nn.RNNCellBase, state: object, dense: int, effective: int) -> None:
    found = row(Cells(cell, state), torch.tensor([[0.0, 2.0]]))
    assert found.synaptic_operations == SynapticOperations(dense, effective, 0.0)


def test_a_cell_without_a_state_has_no_number() -> None:
    found = row(Cells(nn.LSTMCell(2, 3), None), torch.ones(1, 2))
    assert found.synaptic_operations is None


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(8, 8)
        self.left, self.right = nn.Sequential(layer), nn.Sequential(layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.right(self.left(x))


def test_a_layer_under_two_parents_counts_twice_as_there() -> None:
    # Two calls of 64 products each, and both parents see both.
    found = row(Shared(), torch.rand(2, 8) + 1)
    assert found.synaptic_operations.dense == 256
    assert "right.0: under 2 parents, counted 2 times" in found.notes


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(input=x)


def functional() -> nn.Module:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 3))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight)

    return Functional()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (ByName(), "SynapticOperations: read: TypeError: its input was given by keyword"),
        (nn.Linear(3, 2), "SynapticOperations: no Linear, Conv or recurrent layer was called"),
        (functional(), "the model (Functional) is not counted"),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))), "recomputed in every call"),
    ],
)
def test_where_neurobench_has_no_number_the_field_is_absent(model: nn.Module, says: str) -> None:
    found = row(model, torch.ones(2, 3))
    assert found.synaptic_operations is None
    assert found.activation_sparsity is None
    assert says in " ".join(found.notes)
    assert "SynapticOperations" not in found.as_results()


def test_products_outside_connection_layers_are_named() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend, self.read = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.read(self.attend(x, x, x)[0].mean(1))

    found = row(Attention(), torch.rand(2, 6, 8))
    assert found.synaptic_operations.dense == 24  # the read-out alone
    assert "attend (MultiheadAttention) is not counted" in found.notes
    assert "attend.out_proj is never called as a module: its products are not counted" in found.notes


def test_steps_of_a_spiking_model_and_its_state_restored() -> None:
    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drive, self.fire = linear((2.0, 0.0)), snntorch.Leaky(beta=0.5, init_hidden=True, output=True)

        def forward(self, now: Tensor) -> tuple[Tensor, Tensor]:
            return self.fire(self.drive(now))

    model = Step()
    nn.init.zeros_(model.drive.bias)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    # One spike in three steps, on the input with a weight: one accumulation a sample, one output spike of three.
    x = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]])
    found = row(model, x, wrapper="SNNTorchModel")
    assert found.synaptic_operations == SynapticOperations(dense=6.0, effective_macs=0.0, effective_acs=1.0)
    assert found.activation_sparsity == pytest.approx(2 / 3)
    assert model.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert not any(part._forward_pre_hooks or part._forward_hooks for part in model.modules())


def test_bad_calls_give_clear_errors() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(DataError, match="no samples"):
        row(model, torch.zeros(0, 3))
    with pytest.raises(StudentError, match="batch_size is 0"):
        row(model, torch.zeros(1, 3), batch_size=0)
    with pytest.raises(StudentError, match="unknown wrapper 'torch'"):
        row(model, torch.zeros(1, 3), wrapper="torch")
    with pytest.raises(StudentError, match="no steps"):
        row(model, torch.zeros(1, 3), wrapper="SNNTorchModel")
    with pytest.raises(StudentError, match=r"RuntimeError.*shape \(1, 4\)"):
        row(model, torch.zeros(1, 4))
