"""Builds a described network again with other channels or widths, and counts it: nothing of it is trained."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from cosim.engine.stored_data import PIPELINE
from cosim.workloads.network_source import ARCHITECTURE_SUFFIX, Network
from cosim.workloads.network_workload import USELESS_WARNING, Observation, network_workload
from energy_models.errors import StudentError, WorkloadError
from energy_models.workload import Uncounted, Workload, at_widths, read_workload
from students.architectures import architecture_names, architecture_workload, load_architecture, with_channels
from students.architectures.schema import LARGEST_INPUT, Architecture
from students.families import load_family
from students.models import build, load_student
from students.models.build import mode
from students.models.store import SPEC
from students.spec import Float32, Quantised, Shape, StudentSpec, parse_form

EXAMPLES = 4
"""Made-up inputs on which a network is calibrated and observed."""
REMEDY = (
    "Give what can be built again: the name of an architecture, a family, or the folder of a saved student. Any other "
    "network takes other widths only: vary weight_bits and activation_bits, which assumes them"
)


def family_student(name: str, *, channels: int, steps: int, outputs: int, step_rate_hz: float) -> StudentSpec:
    """Return the description of a float student of a family, for the first task that the family has.

    Raises
    ------
    StudentError
        No such family.
    """
    tasks = load_family(name).tasks
    task = "classification" if "classification" in tasks else next(iter(tasks))
    shape = Shape(task=task, channels=channels, steps=steps, outputs=outputs, step_rate_hz=step_rate_hz)
    return StudentSpec(family=name, shape=shape, seed=0)


def rebuilt_workload(
    source: object, *, channels: int | None = None, bits: int | None = None, where: str
) -> Workload:
    """Return the work of a network built again, on made-up inputs.

    Parameters
    ----------
    source : str, Path or StudentSpec
        Name or file of an architecture, folder of a saved student, or the description of a student.
    channels : int, optional
        Instead of its own.
    bits : int, optional
        Of weights and activations: an architecture's are assumed, a student is built in the form ``w<bits>a<bits>``,
        or float32 for 32.
    where : str
        Call and argument, for messages.

    Raises
    ------
    WorkloadError
        Something that cannot be built again.
    StudentError
        Channels that its layers do not take, or widths that it has no form for.
    """
    if channels is not None and not 1 <= channels <= LARGEST_INPUT:
        raise StudentError(f"{channels} channels", where=f"{where}, channels", remedy=f"Give 1 to {LARGEST_INPUT:,}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=USELESS_WARNING)
        return _rebuilt(source, channels, bits, where)


def _rebuilt(source: object, channels: int | None, bits: int | None, where: str) -> Workload:
    if isinstance(source, StudentSpec):
        return _student(source, None, channels, bits)
    text = str(source)
    if isinstance(source, str | Path) and (Path(source) / SPEC).is_file():
        before = Path(source) / PIPELINE
        pipeline = read_workload(before) if before.is_file() else None
        return _student(load_student(Path(source))[1], pipeline, channels, bits)
    if isinstance(source, str | Path) and (text in architecture_names() or text.endswith(ARCHITECTURE_SUFFIX)):
        return _architecture(load_architecture(source), channels, bits)
    asked = [name for name, value in (("channels", channels), ("bits", bits)) if value is not None]
    raise WorkloadError(
        f"{source!r:.60} cannot be built again with other channels or bits", where=", ".join([where, *asked[:1]]),
        remedy=REMEDY,
    )


def _architecture(described: Architecture, channels: int | None, bits: int | None) -> Workload:
    own = described.input.channels
    counted = architecture_workload(with_channels(described, channels or own))
    if channels is not None and channels != own:
        note = f"{channels} channels, where the described network has {own}"
        counted = counted.replace(provenance={**counted.provenance, "rebuilt": note})
    return counted if bits is None else at_widths(counted, weight_bits=bits, activation_bits=bits)


def _student(spec: StudentSpec, pipeline: Workload | None, channels: int | None, bits: int | None) -> Workload:
    form = spec.form if bits is None else parse_form("float32" if bits == 32 else f"w{bits}a{bits}")
    shape = spec.shape if channels is None else spec.shape.model_copy(update={"channels": channels})
    again = spec.model_copy(update={"form": form, "shape": shape})
    same = pipeline is not None and shape == spec.shape
    network = Network(
        again.label, _network(again), (shape.channels, shape.steps), shape.step_rate_hz, mode(again),
        input_bits=None if pipeline is None else pipeline.input_bits,
        pipeline_work=pipeline.layers if pipeline is not None and same else (),
    )
    how = Observation(None, None, None, None, None, decodes=EXAMPLES, seed=spec.seed, warm_up_steps=0)
    counted = network_workload(network, how)
    gaps = counted.uncounted
    if pipeline is not None and not same:
        reason = f"counted for {spec.shape.channels} channels, not for {shape.channels}"
        gaps = (*gaps, Uncounted(layer="pipeline", operation="preprocessing", reason=reason))
    return counted.replace(
        uncounted=gaps, provenance={**counted.provenance, "rebuilt": "built anew, not trained: densities are not data"}
    )


def _network(spec: StudentSpec) -> nn.Module:
    """Return an untrained student; the grids of a quantised one are calibrated on noise."""
    if not isinstance(spec.form, Quantised):
        return build(spec).eval()
    from students.models import quantised_from_float  # it imports Brevitas, which float students do not need

    generator = torch.Generator().manual_seed(spec.seed)
    noise = torch.randn((EXAMPLES, spec.shape.channels, spec.shape.steps), generator=generator)
    before = build(spec.model_copy(update={"form": Float32()})).eval()
    return quantised_from_float(spec, before, noise).eval()
