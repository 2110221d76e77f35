"""A made-up run folder in the real schema: thirteen decoders, four machines, three sites. No number in it is real."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.evaluation.feasibility import judge
from cosim.evaluation.predictions import Predictions, Provenance, pool
from cosim.tables.decoders import DECODERS as DECODERS_FILE
from cosim.tables.decoders import Question, decoder_scores
from cosim.tables.differences import DIFFERENCES, differences, read_differences, write_differences
from cosim.tables.outcomes import OUTCOMES, write_outcomes
from cosim.tables.results import Priced, Score, priced_row, to_frame, write_parquet
from energy_models.hardware import load_site
from energy_models.mapping import MemoryUse
from energy_models.pricing import CAUSES, EnergyReport, LayerEnergy
from energy_models.quantities import Band, total

MACHINES = {"asic65_near_memory": 1.0, "event_core_28nm": 0.6, "cortex_m4f": 900.0, "gap9": 60.0}
SITES = ("implant_utah96", "implant_epilepsy", "headset_commodity")
# label, family, kind, role, score, decode energy on the ASIC [J], parameters, weight bits, activation bits
DECODERS = (
    ("EEGNet-8 float32", "eegnet", "float32", "student", 0.872, 9e-6, 1700, 32, 32),
    ("EEGNet-8 w8a8", "eegnet", "w8a8", "student", 0.868, 1.1e-6, 1700, 8, 8),
    ("EEGNet-8 w4a4", "eegnet", "w4a4", "student", 0.861, 4.5e-7, 1700, 4, 4),
    ("EEGNet-8 w2a4", "eegnet", "w2a4", "student", 0.803, 3.6e-7, 1700, 2, 4),
    ("EEGNet-4 float32", "eegnet", "float32", "student", 0.851, 3.5e-6, 820, 32, 32),
    ("EEGNet-4 w8a8", "eegnet", "w8a8", "student", 0.846, 5.2e-7, 820, 8, 8),
    ("EEGNet-4 w4a4", "eegnet", "w4a4", "student", 0.838, 2.1e-7, 820, 4, 4),
    ("EEGNet-4 w2a4", "eegnet", "w2a4", "student", 0.771, 1.7e-7, 820, 2, 4),
    ("MLP-64 w8a8", "mlp", "w8a8", "student", 0.702, 2.9e-6, 90_000, 8, 8),
    ("Spiking conv-16", "spiking_conv", "spiking", "student", 0.794, 1.2e-7, 2100, 8, 1),
    ("CSP+LDA", "csp_lda", "classical", "baseline", 0.812, 6.0e-8, 97, 32, 32),
    ("Band power SVM", "bandpower_svm", "classical", "baseline", 0.744, 1.4e-7, 1900, 32, 32),
    ("majority", "majority", "classical", "baseline", 0.25, 1.0e-12, 4, 32, 32),
    ("Ensemble of 2", "ensemble", "float32", "teacher", 0.884, math.nan, 41_000, 32, 32),
)  # fmt: skip
CLASSES, TRIALS = 4, 25
CLASS_NAMES = ("left", "right", "feet", "rest")
SHARES = {"compute": 0.34, "memory": 0.41, "state": 0.05, "control": 0.2}


def _report(name: str, energy: float, kind: str, machine: str) -> EnergyReport:
    rate_hz = 4.0
    scale = MACHINES[machine] * (0.5 if machine == "event_core_28nm" and kind == "spiking" else 1.0)
    layers = tuple(
        LayerEnergy(layer, kind, {
            cause: Band(0.4, 1.0, 2.4).times(energy * scale * share * part) for cause, share in SHARES.items()
        })
        for layer, kind, part in (("temporal", "conv", 0.5), ("spatial", "depthwise", 0.3), ("head", "linear", 0.2))
    )  # fmt: skip
    core = {cause: Band(0.4, 1.0, 2.4).times(energy * scale * share * rate_hz) for cause, share in SHARES.items()}
    core["static"] = Band(0.2e-6, 1e-6, 5e-6) if scale < 10 else Band(3e-6, 5e-6, 9e-6)
    core["features"] = Band(0.5e-6, 0.8e-6, 1.2e-6)
    device = {"front_end": Band(12e-6, 24e-6, 41e-6), "converter": Band(2e-6, 5e-6, 9e-6)}
    device["radio"] = Band(1e-9, 2e-9, 4e-9)
    if machine in ("cortex_m4f", "gap9"):
        device["front_end"] = Band(2e-3, 7.7e-3, 8e-3)
    whole = {**core, **device}
    whole["regulator"] = total(whole.values()).times(0.11)
    infeasibilities = (f"profile {machine!r} prices no float32 multiply-accumulate",)
    integer_only = machine in ("asic65_near_memory", "event_core_28nm") and kind == "float32"
    return EnergyReport(
        workload=name, profile=machine, profile_hash=f"{machine}-1", decode_rate_hz=rate_hz, layers=layers,
        power_w={cause: whole.get(cause, Band(0, 0, 0)) for cause in CAUSES},
        latency_s=Band(0.8, 1.0, 1.3).times(energy * 900.0), cycles=Band(1, 1, 1).times(energy * 1e10),
        busy=Band(0.8, 1.0, 1.3).times(energy * 900.0 * rate_hz),
        memories=(MemoryUse("weights", 524_288, 9_000, ("weights",)),),
        infeasibilities=infeasibilities if integer_only else (),
        not_charged=(), unaccounted=("uncounted: head softmax (no counter for it)",) if name.startswith("MLP") else (),
        sources=("horowitz2014", "cacti7"),
        assumed=(f"{machine}.front_end.power: 1.51 uW/channel (a published design of another node)",),
    )  # fmt: skip


def write_madeup_run(root: Path, *, folds: int = 5, seeds: int = 3) -> Path:
    """Write a run folder and return it."""
    generator = np.random.default_rng(7)
    scores: list[Score] = []
    priced: dict[tuple[str, str, str], Priced] = {}
    places = {name: load_site(name) for name in SITES}
    for label, family, kind, role, score, energy, parameters, weight_bits, activation_bits in DECODERS:
        for fold in range(folds):
            offset = generator.normal(0, 0.02)
            for seed in range(seeds if role != "baseline" else 1):
                digest = "" if role == "teacher" else f"{label}-{fold}-{seed}"
                value = score if label == "majority" else min(score + offset + generator.normal(0, 0.01), 1.0)
                scores.append(Score(
                    study="madeup", dataset="synthetic_eeg", protocol="leave one session out",
                    split="leave_one_group_out", role=role, decoder_id=f"id of {label}", decoder=label,
                    student=label.rpartition(" ")[0] or label, family=family, options="{}",
                    form="" if role == "baseline" else "float32" if kind == "spiking" else kind,
                    spiking=kind == "spiking", method="kl" if role == "student" else "",
                    spec_digest=f"s{seed}", seed=seed,
                    fold=f"session-{fold}", metric="balanced_accuracy", score=value,
                    validation_score=value, parameters=parameters,
                    weight_bits=weight_bits, activation_bits=activation_bits, workload_digest=digest,
                    complete=not label.startswith("MLP"),
                    distilled_from="teacher" if role == "student" else "", versions="{}",
                ))  # fmt: skip
                if not digest:
                    continue
                spread = energy * (1 + 0.02 * generator.normal())
                for machine in MACHINES:
                    report = _report(label, spread, kind, machine)
                    for site in places.values():
                        priced[digest, machine, site.name] = priced_row(
                            report, judge(site, report), workload_digest=digest, site=site.name, site_hash=site.digest
                        )
    root.mkdir(parents=True, exist_ok=True)
    write_scores(root, scores)
    write_parquet(priced.values(), root / "priced.parquet")
    (root / "study.json").write_text(json.dumps(_study(seeds)))
    (root / "gates.json").write_text(json.dumps({"gates": _gates(folds)}))
    return root


def write_scores(root: Path, scores: Sequence[Score]) -> None:
    """Write scores, and what becomes of predictions that have these scores: 25 trials a class in each session."""
    sessions = sorted({row.fold for row in scores})
    targets = np.tile(np.repeat(np.arange(CLASSES), TRIALS), len(sessions))
    of_session = np.repeat(sessions, CLASSES * TRIALS)
    alone = np.arange(len(targets)).astype(np.str_)
    where = Provenance("classification", targets, {"session": of_session, "recording": alone},
                       np.zeros(len(targets), np.int64), 100, 100.0)  # fmt: skip
    predictions: dict[str, dict[int, list[Predictions]]] = {}
    for row in scores:
        right = round(row.score * TRIALS)
        answers = [label if n < right else (label + 1 + n % 3) % CLASSES
                   for label in range(CLASSES) for n in range(TRIALS)]  # fmt: skip
        rows = np.flatnonzero(of_session == row.fold)
        part = Predictions(rows, np.eye(CLASSES)[answers], np.full(len(rows), row.fold))
        predictions.setdefault(row.decoder_id, {}).setdefault(row.seed, []).append(part)
    pooled = {name: {seed: pool(parts) for seed, parts in seeds.items()} for name, seeds in predictions.items()}
    write_parquet(scores, root / "scores.parquet")
    write_parquet(decoder_scores(where, pooled, Question(CLASSES, 4.0, None)), root / DECODERS_FILE)
    taught = {row.decoder_id for row in scores if row.distilled_from}
    write_differences(differences(to_frame(scores), where, pooled, taught), root / DIFFERENCES)
    write_outcomes(root / OUTCOMES, where, pooled, output_names=CLASS_NAMES, curves={
        row.decoder_id: {"train": [1.4, 0.9, 0.7], "validation": [1.3, 1.0, 0.95], "runs": 15, "kept_epoch": 2.0}
        for row in scores if row.role == "student"
    })  # fmt: skip


def without_intervals(folder: Path) -> None:
    """Rewrite a run's tables as those of a single unit: nothing is known of the scatter."""
    table = pd.read_parquet(folder / DECODERS_FILE)
    unknown = {"score_low": float("nan"), "score_high": float("nan"), "score_over": "none", "score_count": 1}
    table.assign(**unknown, score_method="none").to_parquet(folder / DECODERS_FILE, index=False)
    gaps = read_differences(folder / DIFFERENCES)
    nan = float("nan")
    write_differences([
        dataclasses.replace(gap, low=nan, high=nan, over="none", count=1, reason="everything held out is one unit")
        for gap in gaps
    ], folder / DIFFERENCES)  # fmt: skip


def _study(seeds: int) -> dict[str, object]:
    return {
        "name": "madeup", "title": "Made-up motor imagery study",
        "question": "Which decoder gives the most accuracy per microwatt, and where may it live?",
        "dataset": {
            "name": "synthetic_eeg",
            "card": {
                "title": "Synthetic motor imagery <four classes>", "licence": "CC0", "citation": "None: made up.",
                "homepage": "https://example.org/synthetic",
                "caveats": ["Shows how a page looks, nothing about brains."],
            },
            "pipeline": [
                {"name": "reference", "parameters": {"to": "average"}, "causal": True},
                {"name": "band", "parameters": {"low_hz": 4, "high_hz": 38, "order": 4}, "causal": True},
                {"name": "scale", "parameters": {"by": "training deviation"}, "causal": False},
            ],
            "notes": [],
        },
        "protocol": "leave one session out, validation is one training session", "metric": "balanced_accuracy",
        "chance": 0.25, "seeds": list(range(seeds)), "profiles": list(MACHINES), "sites": list(SITES),
        "decode_rate_hz": 4.0, "command": "cosim run madeup --out runs",
        "versions": {"cosim": "0.1.0", "torch": "2.9.0"},
    }  # fmt: skip


def _gates(folds: int) -> list[dict[str, object]]:
    return [
        {
            "student": "EEGNet-8", "fold": f"session-{fold}", "metric": "balanced_accuracy",
            "passed": fold != 3, "source": "teacher" if fold != 3 else "float student",
            "teacher_score": 0.89 if fold != 3 else 0.84, "student_score": 0.86, "student_scores": [0.85, 0.86, 0.87],
            "message": "the teacher beats the student" if fold != 3 else "the teacher does not beat the student",
        }
        for fold in range(folds)
    ]  # fmt: skip
