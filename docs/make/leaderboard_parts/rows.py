"""One row for each decoder and machine: its work, energy and power with bands; ``docs/leaderboard.csv`` holds them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from energy_models.analysis import Design, sample_designs, spread
from energy_models.design import KIB, Choices, search
from energy_models.design import Task as DesignTask
from energy_models.errors import NoMachineError
from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import EnergyReport, estimate
from energy_models.workload import Workload
from leaderboard_parts.entries import Decoder, Leaderboard
from leaderboard_parts.networks import workload_of

DESIGNED = "designed"
DRAWS, SEED = 1024, 0
DIGITS, EXACT = 4, 15
COUNTS = ("macs", "acs", "other")
BITS_PER_BYTE = 8
NO_MACHINE = "no machine found"
CHOICES = Choices(
    supplies_v=(0.5, 0.6, 0.7), bank_bits=(KIB, 4 * KIB, 16 * KIB), word_bits=(32, 64), gated=(True,),
    weight_cells=("sram",), data_cells=("sram",),
)  # fmt: skip
"""Among what the own machine is searched: every template at 65 nm."""


@dataclass(frozen=True, slots=True)
class Row:
    """A decoder on a machine; `said` says why where powers, energies and latencies are None.

    They are None wherever the machine cannot run the decoder, as in every table of this project: where something does
    not fit, has no price, or takes more time than there is (too slow). A row that is incomplete has lower bounds.

    Parameters
    ----------
    task, decoder, network : str
    constants, stored_bytes, state_bytes : int
        Stored numbers, their bytes in 8-bit integers, and bytes of states that are kept between decodes.
    macs, acs, other : float
        Multiply-accumulates, accumulates and other operations of a decode.
    rate_hz : float
        Decodes a second [Hz].
    machine : str
    energy_j, energy_low_j, energy_high_j : float
        Energy of a decode, and its central 90 % [J].
    power_w, power_low_w, power_high_w : float
        Power of the decoder alone at the rate [W].
    latency_s : float
    area_m2 : float
        Silicon of the own machine; None for others, whose areas stand in their profiles [m^2].
    reason : str
        In two or three words why it cannot run there, or that its figures are incomplete; empty where it can.
    said : str
        The same with all figures.
    """

    task: str
    decoder: str
    network: str
    constants: int
    stored_bytes: int
    state_bytes: int
    macs: float
    acs: float
    other: float
    rate_hz: float
    machine: str
    energy_j: float | None = None
    energy_low_j: float | None = None
    energy_high_j: float | None = None
    power_w: float | None = None
    power_low_w: float | None = None
    power_high_w: float | None = None
    latency_s: float | None = None
    area_m2: float | None = None
    reason: str = ""
    said: str = ""


def decoder_rows(board: Leaderboard, decoder: Decoder) -> Iterator[Row]:
    """Yield the rows of one decoder, none where its network is not known."""
    workload = workload_of(decoder)
    if workload is None:
        return
    rate_hz = board.tasks[decoder.task].rate_hz
    for machine in board.machines:
        yield _priced(decoder, workload, rate_hz, machine, load_profile(machine))
    try:
        found = search((DesignTask(workload, rate_hz, 1.0 / rate_hz),), CHOICES)
    except NoMachineError as error:
        yield replace(_work(decoder, workload, rate_hz, DESIGNED), reason=NO_MACHINE, said=error.what)
    else:
        row = _priced(decoder, workload, rate_hz, DESIGNED, found.best.profile)
        yield replace(row, area_m2=found.best.area_m2)


def _work(decoder: Decoder, workload: Workload, rate_hz: float, machine: str) -> Row:
    live = [layer.products.effective for layer in workload.layers if layer.products is not None]
    state_bits = sum(layer.state_elements * layer.state_bits for layer in workload.layers)
    other = sum(count.mean for layer in workload.layers for count in layer.operations.values())
    return Row(
        decoder.task, decoder.name, _network(decoder), _constants(workload), workload.packed_bytes,
        -(-state_bits // BITS_PER_BYTE), sum(one.multiply_accumulate.mean for one in live),
        sum(one.accumulate.mean for one in live), other, rate_hz, machine,
    )  # fmt: skip


def _network(decoder: Decoder) -> str:
    if decoder.student is not None:
        return decoder.student.family
    return decoder.architecture or " and ".join(f"{inputs} x {outputs}" for inputs, outputs in decoder.synapses)


def _constants(workload: Workload) -> int:
    stored: dict[str, int] = {}
    for layer in workload.layers:
        key = layer.weights_key or layer.name
        stored[key] = max(stored.get(key, 0), layer.weights + layer.biases + layer.constants)
    return sum(stored.values())


def _priced(decoder: Decoder, workload: Workload, rate_hz: float, machine: str, profile: HardwareProfile) -> Row:
    report = estimate(workload, profile, None, decode_rate_hz=rate_hz)
    work = replace(
        _work(decoder, workload, rate_hz, machine), reason=reason_of(report, workload.delay_s), said=_said(report)
    )
    if report.infeasibilities:
        return work
    (points,) = sample_designs((Design(workload, profile, None, rate_hz),), draws=DRAWS, seed=SEED)
    energy, power = spread(points.decode_energy_j), spread(points.decoder_power_w)
    return replace(
        work, energy_j=report.decode_energy_j.nominal, energy_low_j=energy[0], energy_high_j=energy[2],
        power_w=report.decoder_power_w.nominal, power_low_w=power[0], power_high_w=power[2],
        latency_s=report.latency_s.nominal,
    )  # fmt: skip


def reason_of(report: EnergyReport, delay_s: float) -> str:
    """Return in a few words why a machine cannot run a decoder that waits so long [s] by itself; empty where it can."""
    if any(use.used_bits > use.capacity_bits for use in report.memories):
        return "does not fit"
    if any(layer.unpriced for layer in report.layers):
        return "not priced"
    if (report.latency_s.nominal - delay_s) * report.decode_rate_hz > 1.0:
        return "too slow"
    return "cannot run" if report.infeasibilities else "incomplete" if report.unaccounted else ""


def _said(report: EnergyReport) -> str:
    left = [one for one in report.unaccounted if not any(said in one for said in report.infeasibilities)]
    return "; ".join((*report.infeasibilities, *left))


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write the rows as CSV: counts exactly, physical quantities with four digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([one.name for one in fields(Row)])
        for row in rows:
            writer.writerow([_text(one.name, getattr(row, one.name)) for one in fields(Row)])


def _text(name: str, value: str | float | None) -> str:
    if value is None:
        return ""
    digits = EXACT if name in COUNTS else DIGITS
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [Row(**{one.name: _value(one.type, row[one.name]) for one in fields(Row)}) for row in table]


def _value(kind: object, text: str) -> Any:
    if kind == "float | None":
        return float(text) if text else None
    return int(text) if kind == "int" else float(text) if kind == "float" else text


def of_decoder(rows: Sequence[Row], decoder: Decoder) -> dict[str, Row]:
    """Return a decoder's rows by machine."""
    return {row.machine: row for row in rows if row.decoder == decoder.name and row.task == decoder.task}
