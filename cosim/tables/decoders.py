"""One row per decoder: the score of its pooled predictions, whether that could be chance, what the task asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.evaluation.chance import permutation_p_value
from cosim.evaluation.detection import Detection, detection
from cosim.evaluation.held_out import SeedTable, held_out_score
from cosim.evaluation.predictions import Predictions, Provenance
from cosim.evaluation.scores import chance_level, primary_metric
from cosim.evaluation.transfer_rate import information_transfer_rate

DECODERS = "decoders.parquet"
PERMUTATION_SEED = 0
DETECTION = ("auroc", "sensitivity", "specificity", "false_alarms_per_hour", "latency_s")


@dataclass(frozen=True, slots=True)
class Question:
    """What a study asks of its decoders.

    Parameters
    ----------
    outputs : int
        Classes, or kinematic axes.
    decode_rate_hz : float
        Decisions per second [Hz].
    positive : int or None
        Class of the event that is to be detected; None where no class stands out.
    """

    outputs: int
    decode_rate_hz: float
    positive: int | None


@dataclass(frozen=True, slots=True)
class DecoderScore:
    """How well one decoder did on everything held out, over all folds and seeds.

    Parameters
    ----------
    decoder_id : str
        Joins `cosim.tables.results.Score`.
    metric : str
    score_mean, score_low, score_high : float
        Of predictions pooled over folds, the mean over seeds, with its 95 % interval (nan where there is none).
    score_over : str
        What the interval ranges over: ``subjects``, ``sessions``, ``runs``, ``recordings``, ``segments`` of one
        recording, ``trials``, or ``none``.
    score_count : int
        Number of these.
    score_method : str
        ``bootstrap``, ``student t``, ``clopper-pearson`` or ``none``.
    folds, seeds : int
    chance : float
        What the metric is without any information.
    p_value : float
        Share of permutations that reach the score; nan with its reason in `unstated`.
    itr_bits_per_min : float
        Information transfer rate of cued classification [bits/min].
    auroc, sensitivity, specificity : float
        Of the study's positive class.
    false_alarms_per_hour : float
    latency_s : float
        Median time to detection [s].
    events, events_found : float
        Mean over seeds.
    unstated : str
        JSON table: why a value is nan.
    """

    decoder_id: str
    metric: str
    score_mean: float
    score_low: float
    score_high: float
    score_over: str
    score_count: int
    score_method: str
    folds: int
    seeds: int
    chance: float
    p_value: float
    itr_bits_per_min: float
    auroc: float
    sensitivity: float
    specificity: float
    false_alarms_per_hour: float
    latency_s: float
    events: float
    events_found: float
    unstated: str


def decoder_score(decoder_id: str, provenance: Provenance, by_seed: SeedTable, question: Question) -> DecoderScore:
    """Return the row of one decoder.

    Parameters
    ----------
    decoder_id : str
    provenance : Provenance
    by_seed : mapping of int to Predictions
        Pooled over folds.
    question : Question
    """
    found = held_out_score(provenance, by_seed)
    tables = list(by_seed.values())
    reasons = {"score": found.reason} if found.reason else {}
    p_value, why = _p_value(provenance, tables)
    values = _detection(provenance, tables, question, reasons)
    if why:
        reasons["p_value"] = why
    return DecoderScore(
        decoder_id=decoder_id, metric=primary_metric(provenance.task),
        score_mean=found.mean, score_low=found.low, score_high=found.high,
        score_over=found.over, score_count=found.count, score_method=found.method,
        folds=len({fold for table in tables for fold in table.folds.tolist()}), seeds=len(tables),
        chance=chance_level(provenance.task, question.outputs), p_value=p_value,
        itr_bits_per_min=_transfer_rate(provenance, found.mean, question, reasons),
        **values, unstated=json.dumps(reasons, sort_keys=True),
    )  # fmt: skip


def _p_value(provenance: Provenance, tables: list[Predictions]) -> tuple[float, str]:
    if any(not np.array_equal(table.examples, tables[0].examples) for table in tables):
        return math.nan, "some seed lacks a fold"
    return permutation_p_value(provenance, tables, seed=PERMUTATION_SEED), ""


def _transfer_rate(provenance: Provenance, score: float, question: Question, reasons: dict[str, str]) -> float:
    if provenance.task == "regression":
        reasons["itr_bits_per_min"] = "nothing is selected"
    elif question.positive is not None:
        reasons["itr_bits_per_min"] = "an event is detected, nothing is selected on a cue"
    elif not math.isfinite(score):
        reasons["itr_bits_per_min"] = "the score is undefined"
    else:
        window_s = provenance.steps / provenance.step_rate_hz
        return information_transfer_rate(
            score, question.outputs, window_s=window_s, decode_rate_hz=question.decode_rate_hz
        )
    return math.nan


def _detection(
    provenance: Provenance, tables: list[Predictions], question: Question, reasons: dict[str, str]
) -> dict[str, float]:
    """Return the detection metrics, means over seeds; nan where any seed has none."""
    names = (*DETECTION, "events", "events_found")
    if question.positive is None:
        reasons["detection"] = "the study names no positive class"
        return dict.fromkeys(names, math.nan)
    found = [detection(provenance, table, positive=question.positive) for table in tables]
    for one in found:
        reasons.update(one.reasons)
    return {name: _mean(found, name) for name in names}


def _mean(found: list[Detection], name: str) -> float:
    values: list[float | None] = [getattr(one, name) for one in found]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else math.nan


def decoder_scores(
    provenance: Provenance, predictions: Mapping[str, SeedTable], question: Question
) -> list[DecoderScore]:
    """Return one row per decoder, in the order given."""
    return [decoder_score(name, provenance, by_seed, question) for name, by_seed in predictions.items()]
