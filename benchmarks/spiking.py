"""Spiking decoders beside quantised, sparse, recurrent and classical ones: ``benchmarks/spiking.py [--part NAME]``.

Each part is one set of recordings with the split, sizes and rates of a shipped study and no teacher, but for the one of
few labels. It trains every decoder with 2 seeds (``--seeds 5`` adds three), runs quantised perceptrons and EEGNets with
spikes (``cosim.convert``), and archives scores, differences and workloads in ``docs/results/spiking``. What was
interrupted goes on where it stopped. Then ``docs/spiking.md`` is made again; ``--reprice`` makes the page alone.
Recordings are read from the folder that ``COSIM_DATA`` names.
"""

from __future__ import annotations

import argparse
import math
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import cosim
from cosim.engine.files import read_json, to_json, write_atomically
from cosim.engine.local_store import LocalStore
from cosim.engine.prediction_file import read_predictions
from cosim.engine.run_folder import POINTS
from cosim.engine.store import StageKey
from cosim.evaluation.held_out import SeedTable, paired_difference
from cosim.evaluation.predictions import pool
from cosim.study.check import check_study
from cosim.tables.archive import write_archive
from cosim.tables.held_out import provenance_of
from energy_models.workload import write_workload
from students.families import load_family

ROOT = Path(__file__).resolve().parents[1]
ARCHIVES = ROOT / "docs" / "results" / "spiking"
AGAINST = "against_float.json"
CONVERTED = "converted"
EXAMPLES = 16
"""Held-out examples on which a converted student is run and counted."""

PRICED = {"spikes": {"weight": 0.1}}
INTEGERS = ["float32", "w4a4"]
SPARSE = [*INTEGERS, "ternary-a4"]
FEWER = ("w4a3", "w4a2")
"""Forms of 7 and of 3 time steps a layer instead of 15."""
VELOCITY = {"epochs": 120, "batch_size": 8, "learning_rate": 5e-3, "patience": 25}
ONE_BIT = {"epochs": 80, "batch_size": 4, "learning_rate": 5e-3, "patience": 20}
QUANTISED = {"epochs": 20, "batch_size": 8, "learning_rate": 1e-3, "patience": 8}


def _student(label: str, family: str, forms: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"label": label, "family": family, "forms": list(forms), **more}


def _velocity(fewer: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the decoders of velocity, trained as in the shipped studies, and forms of fewer time steps."""
    delay = {"training": VELOCITY, "quantised_training": QUANTISED}
    raw = {"inputs": "raw", "training": ONE_BIT, "quantised_training": QUANTISED}
    return [
        _student("MLP", "mlp", [*SPARSE, *fewer], **delay),
        _student("Delay net", "spiking_delay", INTEGERS, **delay),
        _student("Delay net, priced", "spiking_delay", INTEGERS, training={**VELOCITY, **PRICED},
                 quantised_training={**QUANTISED, **PRICED}),
        _student("One-bit LIF", "spiking_mlp", [*INTEGERS, "w8a8s8"], options={"dropout": 0.2}, **raw),
        _student("SNN_Streaming", "snn_streaming", INTEGERS, **raw),
        _student("GRU-32", "gru", INTEGERS, options={"hidden": 32}, **delay),
        _student("LSTM-32", "lstm", INTEGERS, options={"hidden": 32}, **delay),
    ]  # fmt: skip


def _pruned() -> list[dict[str, Any]]:
    """Return perceptrons of velocity without and with weights set to zero by magnitude while they are trained."""
    def pruned(share: float) -> dict[str, Any]:
        stay = {"share": share, "start": 0, "end": 0}
        return _student(f"MLP, {share:.0%} pruned", "mlp", INTEGERS, training={**VELOCITY, "pruning": {"share": share}},
                        quantised_training={**QUANTISED, "pruning": stay})  # fmt: skip

    whole = _student("MLP", "mlp", SPARSE, training=VELOCITY, quantised_training=QUANTISED)
    return [whole, *map(pruned, (0.5, 0.75, 0.9))]


def _windows(eegnet: Mapping[str, Any], spiking: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the decoders of windows of EEG."""
    priced = {**spiking, "training": {**spiking["training"], **PRICED}}
    return [
        _student("EEGNet", "eegnet", SPARSE, options=dict(eegnet)),
        _student("LIF conv", "spiking_conv", INTEGERS, **spiking),
        _student("LIF conv, priced", "spiking_conv", ["float32"], **priced),
        _student("PLIF conv", "plif_conv", ["float32"], training=spiking["training"]),
    ]


@dataclass(frozen=True, slots=True)
class Part:
    """One set of recordings and the decoders that are tried on them.

    Parameters
    ----------
    study : str
        A shipped study, whose recordings, split, classical decoders, training, site and rate are taken.
    students : list of dict
        As a study has them; the first is the network that the others are compared with, one without spikes but where
        a part has none.
    converted : tuple of str
        Labels of quantised decoders that are run with spikes as well.
    """

    study: str
    students: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    converted: tuple[str, ...] = ("EEGNet w4a4",)


LONG = {"epochs": 40, "batch_size": 32, "learning_rate": 1e-2, "patience": 12}
SHORT = {"epochs": 15, "batch_size": 32, "learning_rate": 3e-3, "patience": 6}
SSVEP = {"temporal_filters": 8, "kernel_s": 1.0, "pool_2": 128, "separable_taps": 4, "dropout": 0.5}
FEW = {"method": {"name": "kl", "options": {"weight": 0.8, "temperature": 1.0}}}
LOCK_IN = {"code": "lock_in 13,17,21,26,34,42/0.5", "dropout": 0.2}
"""The stimuli's frequencies and their first harmonics [Hz], and half a second."""


def _lock_in() -> dict[str, Any]:
    """Return neurons that see energies of lock-in amplifiers."""
    return _student("Lock-in LIF", "spiking_mlp", ["float32"], options=LOCK_IN, training=LONG)


PARTS = {
    "velocity_42_units": Part(
        "intracortical_brown42", _velocity(FEWER), ("MLP w4a4", *(f"MLP {form}" for form in FEWER))
    ),
    "velocity_42_units_pruned": Part("intracortical_brown42", _pruned(), ()),
    "velocity_95_channels": Part("intracortical", _velocity(), ("MLP w4a4",)),
    "seizure": Part("seizure", _windows({"temporal_filters": 4}, {"training": SHORT})),
    "ssvep": Part("ssvep_headset", _windows(SSVEP, {"training": LONG})),
    "ssvep_lock_in": Part("ssvep_headset", [_lock_in()], ()),
    "ssvep_few_labels": Part("ssvep_few_labels", [
        _student("EEGNet", "eegnet", INTEGERS, options=SSVEP),
        _student("EEGNet, taught", "eegnet", INTEGERS, options=SSVEP, **FEW),
        _student("LIF conv", "spiking_conv", ["float32"], training=LONG),
        _student("LIF conv, taught", "spiking_conv", ["float32"], training=LONG, **FEW),
    ], ("EEGNet, taught w4a4",)),
}  # fmt: skip
"""Cheapest first."""
MACHINES = ["event_core_28nm", "asic65_near_memory", "cortex_m4f"]


def study_of(name: str, seeds: Sequence[int], decoders: Sequence[str] = ()) -> dict[str, Any]:
    """Return the tables of the study of a part, of all its networks or of those of these labels."""
    part = PARTS[name]
    students = [one for one in part.students if not decoders or one["label"] in decoders]
    shipped = files("cosim.study") / "shipped" / f"{part.study}.toml"
    tables = tomllib.loads(shipped.read_text(encoding="utf-8"))
    kept = ["dataset", "split", "baselines", "training", "labels"]
    kept += ["teacher", "unlabelled"] if any("method" in one for one in students) else []
    return {
        "study": {**tables["study"], "name": f"spiking_{name}", "seeds": list(seeds)},
        **{key: tables[key] for key in kept if key in tables},
        "students": students,
        "hardware": {**tables["hardware"], "profiles": MACHINES},
    }


def run_part(name: str, seeds: Sequence[int], folder: Path, workers: int, decoders: Sequence[str] = ()) -> None:
    """Train what is not finished of a part, and archive it with its differences and the workloads of spikes."""
    study, place = study_of(name, seeds, decoders), ARCHIVES / name
    run = cosim.run(study, out=folder / name, workers=workers)
    write_archive(run.folder, place)
    trained = [one["label"] for one in study["students"]]
    left_out = [one["label"] for one in PARTS[name].students if one["label"] not in trained]
    write_atomically(place / AGAINST, to_json(against_first(run.folder, study) | {"not_run": left_out}))
    for label in PARTS[name].converted:
        decoder = run.decoder(label)
        found = cosim.convert(decoder.student(), examples=EXAMPLES)
        (place / CONVERTED).mkdir(exist_ok=True)
        write_workload(found.workload, place / CONVERTED / f"{decoder.decoder_id}.json")


def against_first(folder: Path, study: dict[str, Any]) -> dict[str, Any]:
    """Return the score of every decoder less that of the first, in float and undistilled, with the 95 % interval.

    Paired by held-out example and seed.
    """
    checked = check_study(study, where="benchmarks/spiking.py")
    dataset = cosim.load_dataset(checked.dataset.name, **checked.dataset.options).dataset
    provenance, store = provenance_of(dataset, checked.split), LocalStore(folder)
    folds: dict[str, dict[int, list[Any]]] = {}
    for one in read_json(folder / POINTS)["points"]:  # type: ignore[union-attr]
        point: Any = one
        if point["role"] != "teacher":
            found = read_predictions(store.folder(StageKey(point["stage"], point["digest"])), point["fold"])
            folds.setdefault(point["decoder_id"], {}).setdefault(point["seed"], []).append(found)
    tables: dict[str, SeedTable] = {
        name: {seed: pool(parts) for seed, parts in seeds.items()} for name, seeds in folds.items()
    }
    first = study["students"][0]
    form = "spiking" if load_family(first["family"]).spiking else "float32"
    against = cosim.load_run(folder).decoder(f"{first['label']} {form}")
    gaps = {
        name: paired_difference(provenance, table, tables[against.decoder_id]) for name, table in tables.items()
    }
    found = [
        {"decoder_id": name, "mean": gap.mean, "low": _number(gap.low), "high": _number(gap.high), "over": gap.over}
        for name, gap in gaps.items()
    ]
    return {"against": against.label, "differences": found}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def main() -> None:
    """Run parts and make the page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="one of them; default: all, cheapest first")
    parser.add_argument("--decoder", action="append", help="label of a network, the first of its part among them")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (2)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--runs", type=Path, default=Path("runs/spiking"), help="folder of the unfinished runs")
    parser.add_argument("--machine", action="append", help="one more machine of the page: a profile's name, or a file")
    parser.add_argument("--reprice", action="store_true", help="make the page from the archived runs; train nothing")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    from spiking_page import write_page

    for name in [] if given.reprice else given.part or PARTS:
        run_part(name, range(given.seeds), given.runs, given.workers, given.decoder or ())
        write_page(further=given.machine or ())
    write_page(further=given.machine or ())


if __name__ == "__main__":
    main()
