"""One function per counter: what it says of a network, per sample, as text. An absent peer is skipped with a reason."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from importlib.metadata import version
from types import ModuleType

import torch
from peer_nets import SAMPLES, Case, Totals
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from energy_models.workload import Workload
from students.counting import observe
from students.neurobench import Wrapper, neurobench_row

Results = dict[str, object]
RULES = ("dense_full", "dense_valid", "effective_input", "effective")


def missing(*names: str) -> str:
    """Return why a peer cannot run; empty where it can."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def installed(name: str) -> str:
    return f"{name} {version(name)}"


def ours(case: Case) -> tuple[Totals, Workload]:
    found = observe(case.model, case.inputs, name=case.name, mode="window", step_rate_hz=1.0, input_bits=32)
    totals = []
    for rule in RULES:
        products = [getattr(layer.products, rule) for layer in found.layers if layer.products is not None]
        totals.append((sum(p.multiply_accumulate.total for p in products), sum(p.accumulate.total for p in products)))
    return tuple(totals), found


def number(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def crash(text: object) -> str:
    return f"crash: {str(text).strip().splitlines()[0][:60]}"


def view_results(model: nn.Module, inputs: Tensor, batch_size: int, wrapper: Wrapper = "TorchModel") -> Results:
    return dict(neurobench_row(model, inputs, batch_size=batch_size, wrapper=wrapper).as_results())


def neurobench_results(
    model: nn.Module, inputs: Tensor, batch_size: int, wrapper: Wrapper = "TorchModel"
) -> tuple[Results, str]:
    """Return the results as reported, and what it printed of failures."""
    import snntorch
    from neurobench import models
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations

    loader = DataLoader(TensorDataset(inputs, torch.zeros(len(inputs))), batch_size=batch_size)
    wrapped = getattr(models, wrapper)(model)
    if wrapper == "TorchModel":
        wrapped.add_activation_module(snntorch.SpikingNeuron)
    metrics = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations]]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        results = Benchmark(wrapped, loader, [], [], metrics).run()
    return dict(results), said.getvalue()


def disagreement(view: Results, results: Results, said: str) -> str:
    """Return where a row differs from NeuroBench's; it must be absent where that reports a failure, and only there."""
    for name, value in results.items():
        # An activation sparsity of 0.0 also stands for "found nothing that activates".
        undefined = value is None or f"'{name}'" in said or (value == 0.0 and name == "ActivationSparsity")
        undefined |= name == "SynapticOperations" and isinstance(value, dict) and value["Dense"] == 0.0
        if name not in view and undefined:
            continue
        if name not in view or not close(view[name], value):
            return f"{name}: {view.get(name)} here, {value} there"
    return ""


def close(mine: object, theirs: object) -> bool:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return all(close(mine[key], theirs[key]) for key in theirs)
    return isinstance(mine, float | int) and isinstance(theirs, float | int) and abs(mine - theirs) < 1e-9


def neurobench_text(results: Results, said: str) -> str:
    failure = re.search(r"'SynapticOperations': (.*)", said)
    work = results["SynapticOperations"]
    if not isinstance(work, dict):
        return f"{work}, " + crash(failure.group(1) if failure else "?")
    dense, macs, acs = (number(work[key]) for key in ("Dense", "Effective_MACs", "Effective_ACs"))
    return f"{dense}; {macs} + {acs}"


def spikingjelly_modules() -> ModuleType:
    with contextlib.redirect_stderr(io.StringIO()):
        from spikingjelly.activation_based import op_counter
    return op_counter


def spikingjelly(case: Case) -> str:
    """Multiply-accumulates and synaptic operations."""
    op_counter = spikingjelly_modules()
    macs, synops = op_counter.MACCounter(), op_counter.SynOpCounter()
    try:
        with torch.no_grad(), op_counter.DispatchCounterMode([macs, synops]):
            case.model(case.inputs)
    except (AssertionError, RuntimeError, TypeError) as error:
        return crash(f"{type(error).__name__}: {error}")
    return " + ".join(number(counter.get_total() / SAMPLES) for counter in (macs, synops))


def flop_counter(case: Case) -> str:
    """Floating-point operations, halved."""
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            case.model(case.inputs)
    except (AssertionError, RuntimeError, TypeError) as error:
        return crash(f"{type(error).__name__}: {error}")
    return number(counter.get_total_flops() / 2 / SAMPLES)
