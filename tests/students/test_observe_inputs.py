"""What a model may be called with: one signal or several, by position or keyword, tokens; and bad ones."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from small_networks import Applied
from test_observe_products import seen, signal
from torch import Tensor, nn

from energy_models.errors import CosimError, DataError, StudentError
from energy_models.workload import Workload

X = torch.zeros(2, 3, 6)


class Conditioned(nn.Module):
    """An EEG signal, the number of a subject, and a gain by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.subjects = nn.Linear(6, 2), nn.Embedding(5, 2)

    def forward(self, eeg: Tensor, subject: Tensor, gain: Tensor | None = None) -> dict[str, Tensor]:
        out = self.read(eeg) + self.subjects(subject).unsqueeze(1)
        return {"scores": out if gain is None else out * gain}


def operations(workload: Workload) -> dict[str, Mapping[str, float]]:
    return {layer.name: {what: count.mean for what, count in layer.operations.items()} for layer in workload.layers}


def test_two_signals_by_position_and_by_keyword() -> None:
    torch.manual_seed(0)
    model, eeg, subject = Conditioned(), signal(1, 4, 3, 6), torch.tensor([0, 4, 1, 1])
    found = seen(model, (eeg, subject))
    assert found.complete
    # 3 rows x 2 outputs: a bias addition each, then the subject's offset; 2 numbers are looked up.
    assert operations(found) == {"read": {"add": 6.0}, "subjects": {"lookup": 2.0}, "add": {"add": 6.0}}
    assert (found.channels, found.steps_per_decode, found.decodes) == (3, 6, 4)
    assert seen(model, {"eeg": eeg, "subject": subject}) == found
    with pytest.raises(DataError, match="that signal first"):
        seen(model, {"subject": subject, "eeg": eeg})
    assert seen(model, {"eeg": eeg, "subject": subject}, batch_size=1) == found
    louder = operations(seen(model, {"eeg": eeg, "subject": subject, "gain": torch.full((4, 1, 1), 2.5)}))
    assert louder["mul"] == {"multiply": 6.0}


def test_tokens_are_read_and_counted() -> None:
    model = nn.Sequential(nn.Embedding(10, 6), nn.Flatten(), nn.Linear(24, 2))
    found = seen(model, torch.tensor([[0, 3, 3, 9], [1, 2, 3, 4], [9, 9, 9, 9]]), input_bits=4)
    assert found.complete
    assert operations(found)["0"] == {"lookup": 24.0}
    assert found.products is not None
    assert found.products.dense_full.mean == 48
    assert found.layers[0].activation_bits == 4


def test_tokens_stream_one_decode_a_step() -> None:
    found = seen(
        nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 2)), torch.zeros(2, 5, dtype=torch.int64), mode="stream"
    )
    assert found.complete
    assert found.decodes == 10
    assert found.products is not None
    assert found.products.dense_full.mean == 12


def test_a_second_signal_runs_along_the_steps_or_is_the_same_in_each() -> None:
    class Gated(nn.Module):
        def forward(self, x: Tensor, gate: Tensor) -> Tensor:
            return x * gate

    for gate in (torch.randn(2, 1, 7), torch.randn(2, 3, 1)):
        found = seen(Gated(), (torch.randn(2, 3, 7), gate), mode="stream")
        assert found.complete
        assert operations(found) == {"mul": {"multiply": 3.0}}
    with pytest.raises(StudentError, match="Put the steps on the last axis"):
        seen(Gated(), (torch.randn(2, 3, 7), torch.randn(2, 7, 1)), mode="stream")


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (X.numpy(), r"inputs are a ndarray.*torch\.as_tensor"),
        ([X], "inputs are a list"),
        ((X, X.numpy()), "inputs hold a ndarray"),
        ((), "inputs are an empty tuple"),
        ({}, "inputs are an empty dict"),
        ({1: X}, "mapping from no keywords.*argument of the model's forward"),
        (X.to_sparse(), "inputs are a sparse_coo tensor.*Give dense tensors"),
        (X.to("meta"), "inputs are on the device meta.*Give tensors that hold numbers"),
        (X[:0], "nothing to observe in inputs of shape"),
        (torch.zeros(5), "nothing to observe"),
        ((X, torch.zeros(3)), r"unequal numbers of examples: \(2, 3, 6\) float32, \(3,\) float32"),
        ((X, torch.full((2, 1), torch.inf)), "2 input values are not finite.*Drop or repair"),
    ],
)
def test_inputs_of_no_use_say_why_and_the_remedy(inputs: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        seen(nn.Linear(6, 2), inputs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (torch.zeros(2, 3, 5), r"in 1: the model raised RuntimeError on inputs of shape \(2, 3, 5\) float32"),
        (X.double(), r"in 1: .*\(2, 3, 6\) float64.*number format"),
        (X.long(), r"in 1: .*\(2, 3, 6\) int64.*number format"),
        ({"eeg": X}, r"TypeError on inputs of shape eeg \(2, 3, 6\) float32.*unexpected keyword argument 'eeg'"),
        ((X, X), "the model raised TypeError"),
    ],
)
def test_inputs_a_model_cannot_take_name_the_layer_and_what_was_given(inputs: object, says: str) -> None:
    with pytest.raises(StudentError, match=says):
        seen(nn.Sequential(nn.Identity(), nn.Linear(6, 2)), inputs)  # type: ignore[arg-type]


def test_tokens_out_of_the_table_name_the_table() -> None:
    with pytest.raises(StudentError, match=r"in 0: the model raised IndexError.*int64"):
        seen(nn.Sequential(nn.Embedding(4, 2)), torch.full((1, 3), 7))


def not_finite(number: float) -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 2), nn.BatchNorm1d(3))
    model.get_parameter("0.weight").data[1, :2] = number
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (not_finite(torch.nan), r"2 of the 12 values of 0\.weight are not finite.*load weights"),
        (not_finite(torch.inf), r"2 of the 12 values of 0\.weight are not finite"),
        (nn.Sequential(nn.Linear(6, 2, device="meta")), r"0\.weight is on the device meta.*Load the weights"),
        (nn.Sequential(nn.LazyLinear(2)), r"lazy layer has no weights yet: 0\.weight"),
        (nn.Linear, "the model is a type.*not its class"),
        (Applied(lambda x: None), "returned a NoneType that holds no tensor"),  # type: ignore[arg-type]
    ],
)
def test_models_of_no_use_say_why_and_the_remedy(model: nn.Module, says: str) -> None:
    with pytest.raises(StudentError, match=says):
        seen(model, X)


def test_a_mask_of_minus_infinities_is_no_broken_weight() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))

        def forward(self, x: Tensor) -> Tensor:
            return (x @ x.mT + self.get_buffer("mask")).softmax(-1)

    assert seen(Masked(), torch.randn(2, 3, 6)).complete


ERRORS = (ZeroDivisionError, AssertionError, RecursionError, MemoryError, StopIteration, KeyError, OSError, Exception)


@pytest.mark.parametrize("error", ERRORS)
def test_whatever_a_model_raises_names_its_layer(error: type[Exception]) -> None:
    def fail(x: Tensor) -> Tensor:
        raise error("no such montage")

    model = nn.Sequential(nn.Linear(6, 2), nn.Sequential(Applied(fail)))
    with pytest.raises(StudentError, match=rf"in 1\.0: the model raised {error.__name__}.*no such montage") as caught:
        seen(model, X)
    assert isinstance(caught.value.__cause__, error)


def test_errors_of_this_project_come_through_as_they_are() -> None:
    class RefusedError(CosimError):
        pass

    def fail(x: Tensor) -> Tensor:
        raise RefusedError("as it is", where="here", remedy="none")

    with pytest.raises(RefusedError, match="as it is"):
        seen(Applied(fail), X)
