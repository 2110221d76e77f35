"""Where a model is observed: its own device, another one, and none that holds no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
import torch
from small_networks import MASK, NETWORKS, Small
from test_observe_products import pruned, seen, signal
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from energy_models.errors import DataError, StudentError

CPU_OPERANDS = {"_pack_padded_sequence", "_pad_packed_sequence", "gru", "lstm", "index"}
"""Operations that take lengths or places from the CPU on any device."""

CPU_ONLY = {"covariance, Cholesky", "scatter-add", "linear attention", "selective scan", "rotary positions",
            "diagonal state space"}  # fmt: skip
"""Networks that make constants of their own on the CPU, whatever the device of their input."""
PORTABLE = [small for small in NETWORKS if small.name not in CPU_ONLY]


class TwoDevices(TorchDispatchMode):
    """Keeps apart, on a machine with a CPU only, the tensors that would be on another device; refuses to mix them.

    A result is where its operands are, and a new tensor on the CPU. Tensors without axes may be mixed.
    """

    def __init__(self, *tensors: Tensor) -> None:
        super().__init__()
        self.there: dict[int, StorageWeakRef] = {}
        self.put(*tensors)

    def put(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            reference = StorageWeakRef(tensor.untyped_storage())
            self.there[reference.cdata] = reference

    def has(self, tensor: Tensor) -> bool:
        known = self.there.get(tensor.untyped_storage()._cdata)
        return known is not None and not known.expired()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        operands = [one for one in tree_leaves((args, kwargs or {})) if isinstance(one, Tensor)]
        sides = {self.has(one) for one in operands if one.dim() and not one.is_meta}
        if len(sides) > 1 and name not in CPU_OPERANDS:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        out = func(*args, **(kwargs or {}))
        if any(map(self.has, operands)):
            self.put(*(one for one in tree_leaves(out) if isinstance(one, Tensor) and not one.is_meta))
        return out

    @contextmanager
    def moves(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Have `cpu`, and `to` with a device or tensor of the other side, move between the two."""
        original = Tensor.to

        def to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            out = original(tensor, *args, **kwargs)
            if args and (isinstance(args[0], torch.device) or (isinstance(args[0], Tensor) and self.has(args[0]))):
                out = out.detach().clone()
                self.put(out)
            return out

        def cpu(tensor: Tensor) -> Tensor:
            return torch.from_numpy(tensor.detach().numpy().copy())

        with monkeypatch.context() as patch:
            patch.setattr(Tensor, "to", to)
            patch.setattr(Tensor, "cpu", cpu)
            yield


class MadeThere(TorchFunctionMode):
    """Has tensors that a model makes on the device of another tensor made on the other side."""

    def __init__(self, devices: TwoDevices) -> None:
        super().__init__()
        self.devices = devices

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.zeros and isinstance((kwargs or {}).get("device"), torch.device):
            self.devices.put(out)
        return out


def observed_elsewhere(model: nn.Module, inputs: Tensor, monkeypatch: pytest.MonkeyPatch, **options: object) -> object:
    devices = TwoDevices(*model.parameters(), *model.buffers(), inputs, MASK)
    with devices, devices.moves(monkeypatch), MadeThere(devices):
        return seen(model, inputs, **options)


def test_the_two_devices_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = torch.ones(3), torch.ones(3)
    with TwoDevices(there) as devices:
        with pytest.raises(RuntimeError, match=r"add: .*same device"):
            here + there
        assert devices.has(there * 2)
        assert not devices.has(here * 2)
        with devices.moves(monkeypatch):
            assert not devices.has(there.cpu() + here)
            assert devices.has(here.to(there) + there)


@pytest.mark.parametrize("small", PORTABLE, ids=lambda small: small.name)
def test_no_operation_mixes_devices_and_the_counts_are_equal(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, inputs = pruned(deepcopy(small.model), 1), signal(1, 4, *small.shape)
    assert observed_elsewhere(model, inputs, monkeypatch) == seen(model, inputs)


def test_streams_do_not_mix_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(3, 5, 5), nn.ReLU(), nn.AvgPool1d(3)
    model = pruned(nn.Sequential(*layers), 1)
    inputs = signal(2, 2, 3, 30)
    elsewhere = observed_elsewhere(model, inputs, monkeypatch, mode="stream", warm_up_steps=7)
    assert elsewhere == seen(model, inputs, mode="stream", warm_up_steps=7)


def test_a_device_by_name_gives_the_counts_of_the_default() -> None:
    model, inputs = nn.Linear(6, 2), signal(1, 4, 3, 6)
    weight = model.weight
    assert seen(model, inputs, device="cpu") == seen(model, inputs) == seen(model, inputs, device=torch.device("cpu"))
    assert model.weight is weight


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_counts_what_the_cpu_counts() -> None:
    for small in PORTABLE:
        inputs = signal(1, 4, *small.shape)
        before = [one.device for one in small.model.parameters()]
        assert seen(small.model, inputs, device="cuda").products == seen(small.model, inputs).products, small.name
        assert [one.device for one in small.model.parameters()] == before


def test_meta_holds_no_numbers_to_count() -> None:
    with pytest.raises(StudentError, match=r"meta holds shapes and no numbers.*Give 'cpu'"):
        seen(nn.Linear(6, 2), signal(1, 4, 3, 6), device="meta")
    with pytest.raises(DataError, match=r"the inputs are on the device meta.*hold numbers"):
        seen(nn.Linear(6, 2), torch.zeros(4, 3, 6, device="meta"), device="cpu")
    with pytest.raises(StudentError, match=r"weight is on the device meta.*Load the weights"):
        seen(nn.Linear(6, 2, device="meta"), signal(1, 4, 3, 6), device="cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", 1.5])
def test_a_device_that_is_not_there_is_named(device: object) -> None:
    with pytest.raises(StudentError, match=rf"the device {device} cannot be used.*such as 'cpu'"):
        seen(nn.Linear(6, 2), signal(1, 4, 3, 6), device=device)
