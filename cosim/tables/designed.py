"""Machines designed for the decoders of a run: searched once, kept beside the prices, loaded where nothing changed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import content_digest, read_json, to_json, write_atomically
from cosim.study.machine_design import DesignPlan
from cosim.study.schema import HardwarePlan
from energy_models.design import Task, search
from energy_models.errors import CosimError, NoMachineError, StudyError
from energy_models.hardware import HardwareProfile, load_site
from energy_models.pricing import estimate, model_digest
from energy_models.quantities import parse_model
from energy_models.workload import Workload

DESIGNED = "designed.json"
MACHINE = "designed"
"""Name of a designed machine in tables: each decoder's own, or that of the whole study."""
Structure = tuple[object, ...]


def designed_machines(
    root: Path, hardware: HardwarePlan, workloads: Mapping[str, Workload]
) -> dict[str, HardwareProfile]:
    """Return the machine designed for each workload of a run by the workload's digest; none of those in floating point.

    Decoders that differ in weights and zeros alone (seeds, folds) have one machine, sized to the busiest of them.

    Parameters
    ----------
    root : Path
        Folder of the run: what was found is kept in `DESIGNED`.
    hardware : HardwarePlan
    workloads : mapping of digest to Workload

    Raises
    ------
    CosimError
        No machine holds the limits of a decoder.
    """
    plan = hardware.design
    if plan is None:
        return {}
    taken = {digest: workload for digest, workload in workloads.items() if _in_integers(workload)}
    asked = content_digest(
        {"plan": hardware.model_dump(mode="json"), "model": model_digest(), "workloads": sorted(taken)}
    )
    known = _read(root / DESIGNED, asked)
    if known is None:
        known = _searched(plan, hardware, taken)
        tables = {digest: one.model_dump(mode="json", exclude_none=True) for digest, one in known.items()}
        write_atomically(root / DESIGNED, to_json({"asked": asked, "machines": tables}))
    return known


def designed_power_w(workloads: Sequence[Workload], hardware: HardwarePlan) -> float:
    """Return the mean power of the decoder of one configuration [W], on the machine sized to the busiest of them.

    Infinite where it computes in floating point, no machine holds the limits, or the machine cannot run all of them.

    Parameters
    ----------
    workloads : sequence of Workload
        One decoder, trained with several seeds and on several folds.
    hardware : HardwarePlan

    Raises
    ------
    StudyError
        Where the plan sizes no machines.
    """
    plan = hardware.design
    if plan is None:
        remedy = "Give a table [hardware.design]."
        raise StudyError("no machines are sized to decoders", where="hardware", remedy=remedy)
    if not all(map(_in_integers, workloads)):
        return math.inf
    tasks = [_task(workload, hardware) for workload in workloads]
    try:
        best = search([max(tasks, key=lambda task: _activity(task.workload))], plan.choices()).best
    except NoMachineError:
        return math.inf
    reports = [estimate(one.workload, best.profile, None, decode_rate_hz=one.decode_rate_hz) for one in tasks]
    if any(report.infeasibilities for report in reports):
        return math.inf
    return statistics.fmean(report.decoder_power_w.nominal for report in reports)


def _task(workload: Workload, hardware: HardwarePlan) -> Task:
    """Return a decoder at the study's rate, with the shortest deadline of its sites."""
    deadlines = [site.deadline.band.nominal for site in map(load_site, hardware.sites) if site.deadline]
    return Task(workload, hardware.decode_rate_hz, min([1.0 / hardware.decode_rate_hz, *deadlines]))


def _in_integers(workload: Workload) -> bool:
    return all(layer.arithmetic == "integer" for layer in workload.layers)


def _searched(
    plan: DesignPlan, hardware: HardwarePlan, workloads: Mapping[str, Workload]
) -> dict[str, HardwareProfile]:
    choices = plan.choices()
    tasks = {digest: _task(workload, hardware) for digest, workload in workloads.items()}
    if plan.one_machine == "per_study":
        if not tasks:
            return {}
        shared = _named(search(list(tasks.values()), choices).best.profile)
        return dict.fromkeys(tasks, shared)
    alike: dict[Structure, Task] = {}
    for task in tasks.values():
        structure = _structure(task.workload)
        if structure not in alike or _activity(task.workload) > _activity(alike[structure].workload):
            alike[structure] = task
    own: dict[Structure, HardwareProfile] = {}
    for structure, task in alike.items():
        try:
            own[structure] = _named(search([task], choices).best.profile)
        except NoMachineError as error:
            where = f"hardware.design, {task.workload.name}"
            raise NoMachineError(error.what, where=where, remedy=error.remedy) from error
    return {digest: own[_structure(task.workload)] for digest, task in tasks.items()}


def _structure(workload: Workload) -> Structure:
    """Return what a machine is sized to: the same for a decoder trained again, whatever its weights and zeros."""
    layers = tuple(
        (
            layer.kind, layer.calls, layer.cadence, layer.decodes_per_call, layer.input_shape, layer.output_shape,
            layer.weights, layer.biases, layer.state_elements, layer.weight_bits, layer.activation_bits,
            layer.accumulator_bits, layer.output_bits, layer.state_bits, layer.weight_form,
            frozenset(name for name, count in layer.operations.items() if count.total),
        )
        for layer in workload.layers
    )
    return workload.mode, workload.steps_per_decode, workload.channels, workload.input_bits, workload.delay_s, layers


def _activity(workload: Workload) -> float:
    """Return the work that differs between decoders of one structure: operations and products with non-zero inputs."""
    found = 0.0
    for layer in workload.layers:
        found += sum(count.mean for count in layer.operations.values())
        found += 0.0 if layer.products is None else layer.products.effective_input.mean
    return found


def _named(profile: HardwareProfile) -> HardwareProfile:
    return profile.model_copy(update={"name": MACHINE})


def area_by_workload(root: Path) -> dict[str, float]:
    """Return the silicon area of the machine sized to each workload of a run [m^2], by digest; none where unknown.

    Raises
    ------
    CosimError
        The file of designed machines is there, and damaged.
    """
    path = root / DESIGNED
    if not path.exists():
        return {}
    try:
        tables = cast("Mapping[str, Mapping[str, Any]]", read_json(path)["machines"])
        found = {digest: parse_model(table, HardwareProfile, where=str(path)).area for digest, table in tables.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise CosimError(
            "this file does not hold the machines that were designed", where=str(path),
            remedy="Price the run again with its [hardware.design]: they are searched anew.",
        ) from error
    return {digest: area.band.nominal for digest, area in found.items() if area is not None}


def _read(path: Path, asked: str) -> dict[str, HardwareProfile] | None:
    """Return the machines that were found for the same question; none if it was another one, or unreadable."""
    try:
        document = cast("Mapping[str, Any]", read_json(path))
        if document["asked"] != asked:
            return None
        tables = cast("Mapping[str, Mapping[str, Any]]", document["machines"])
        return {digest: parse_model(table, HardwareProfile, where=str(path)) for digest, table in tables.items()}
    except (CosimError, OSError, KeyError, TypeError, AttributeError):  # of another version, or damaged: searched again
        return None
