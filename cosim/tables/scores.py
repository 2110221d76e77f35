"""The tables of a run, from its finished stages: scores, gates, and what the study was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, cast

from cosim.datasets.types import Dataset
from cosim.engine.files import Json, canonical_json, read_json, to_json, write_atomically
from cosim.engine.points import Point
from cosim.engine.run_folder import BEGUN, FAILURES, POINTS
from cosim.engine.stage import GATE, RESULT, with_ancestors
from cosim.engine.store import Store
from cosim.engine.versions import versions
from cosim.evaluation.scores import chance_level, primary_metric
from cosim.study.schema import Study
from cosim.tables.decoders import DECODERS, Question, decoder_scores
from cosim.tables.differences import DIFFERENCES, differences, write_differences
from cosim.tables.held_out import pooled_predictions, provenance_of
from cosim.tables.outcomes import OUTCOMES, learning_curves, output_names, write_outcomes
from cosim.tables.results import Score, to_frame, write_parquet
from cosim.tables.workloads import write_workloads
from energy_models.errors import StudyError, unknown_name

SCORES, GATES, STUDY = "scores.parquet", "gates.json", "study.json"


def write_tables(
    root: Path, store: Store, study: Study, dataset: Dataset, points: Sequence[Point], *, command: str,
    notes: Sequence[str] = (),
) -> None:
    """Write points, workloads, scores, differences, gates, the study's description; not prices (`cosim.tables.prices`).

    Raises
    ------
    CosimError
        If no point is finished, or the disk is full.
    """
    ordered = sorted(points, key=_order(study))
    write_atomically(root / POINTS, to_json({"points": [_point_record(point) for point in ordered]}))
    write_workloads(root, (store.folder(point.result.key) for point in ordered))
    scores = [_score(store, study, dataset, point) for point in ordered]
    write_parquet(scores, root / SCORES)
    provenance, predictions = provenance_of(dataset, study.split), pooled_predictions(store, ordered)
    write_parquet(decoder_scores(provenance, predictions, question(study, dataset)), root / DECODERS)
    gaps = differences(to_frame(scores), provenance, predictions, learning_from_a_teacher(ordered))
    write_differences(gaps, root / DIFFERENCES)
    write_outcomes(root / OUTCOMES, provenance, predictions, output_names=output_names(dataset),
                   curves=learning_curves(store, ordered))  # fmt: skip
    write_atomically(root / GATES, to_json({"gates": _gates(store, ordered)}))
    write_atomically(root / STUDY, to_json({**_description(study, dataset, command), "notes": list(notes)}))


def learning_from_a_teacher(points: Sequence[Point]) -> set[str]:
    """Return the ids of the decoders whose method learns from a teacher, whether or not one passed its gate."""
    return {
        point.decoder.id for point in points if any(one.kind == "distilled" for one in with_ancestors(point.result))
    }


def question(study: Study, dataset: Dataset) -> Question:
    """Return what a study asks of its decoders.

    Raises
    ------
    StudyError
        If its positive class is none of the dataset's.
    """
    names, positive = dataset.output_names, study.study.positive
    if positive and (dataset.task == "regression" or positive not in names):
        raise StudyError(f"there is no class '{positive}' to detect in {dataset.name!r}", where="study.positive",
                         remedy=unknown_name("classes", positive, names))  # fmt: skip
    return Question(len(names), study.hardware.decode_rate_hz, names.index(positive) if positive else None)


def older_note(root: Path) -> str:
    """Return the sentence on tables that are older than the stages of a run; empty where they are not.

    They are while a run goes on with what is there, and after it was stopped or killed.
    """
    if not ((root / POINTS).is_file() and (root / BEGUN).is_file()):
        return ""
    known = len(cast("list[object]", read_json(root / POINTS)["points"]))
    begun = f"its tables are of {known} points of before: the run was begun again and has not written them since"
    return f"{begun}; go on with: {_resume(root)}"


def unfinished_note(root: Path) -> str:
    """Return the sentence on a run that is not finished, with how to go on; empty where it is.

    Its tables are older than its stages, or points failed.
    """
    if older := older_note(root):
        return older
    if not ((root / POINTS).is_file() and (root / FAILURES).is_file()):  # none, or an archived run
        return ""
    done, failed = (len(cast("list[object]", read_json(root / name)[key]))
                    for name, key in ((POINTS, "points"), (FAILURES, "failures")))  # fmt: skip
    if not failed:
        return ""
    return f"{done} of {done + failed} points ({failed} failed: {FAILURES}); go on with: {_resume(root)}"


def _resume(root: Path) -> str:
    return f"cosim resume {quote(str(root))}"


def save_failures(root: Path, failures: Sequence[dict[str, Json]]) -> None:
    """Keep which points failed and why."""
    write_atomically(root / FAILURES, to_json({"failures": list(failures)}))


def _order(study: Study) -> Any:
    """Return a sort key that does not depend on which point was finished first."""
    entries = {student.label: index for index, student in enumerate(study.students)}

    def key(point: Point) -> tuple[object, ...]:
        decoder = point.decoder
        return (decoder.role, entries.get(decoder.entry, len(entries)), decoder.name, point.fold, point.seed)

    return key


def _point_record(point: Point) -> dict[str, Json]:
    return {
        "role": point.decoder.role,
        "decoder_id": point.decoder.id,
        "decoder": point.decoder.name,
        "seed": point.seed,
        "fold": point.fold,
        "stage": point.result.kind,
        "digest": point.result.digest,
    }


def _score(store: Store, study: Study, dataset: Dataset, point: Point) -> Score:
    found = cast(dict[str, Any], read_json(store.folder(point.result.key) / RESULT))
    decoder = point.decoder
    return Score(
        study=study.study.name,
        dataset=dataset.name,
        protocol=study.protocol,
        split=study.split.method,
        role=decoder.role,
        decoder_id=decoder.id,
        decoder=decoder.label or str(found.get("label", decoder.name)),
        student=decoder.student,
        family=decoder.family,
        options=canonical_json(decoder.options),
        form=decoder.form,
        spiking=decoder.spiking,
        method=decoder.method,
        spec_digest=found["spec_digest"],
        seed=point.seed,
        fold=point.fold,
        metric=found["metric"],
        score=math.nan if found["score"] is None else found["score"],
        validation_score=found["validation_score"],
        parameters=found["parameters"],
        weight_bits=found["weight_bits"],
        activation_bits=found["activation_bits"],
        workload_digest=found.get("workload_digest", ""),
        complete=found.get("complete", False),
        distilled_from=found["distilled_from"],
        versions=to_json(found["versions"]),
    )


def _gates(store: Store, points: Sequence[Point]) -> list[Json]:
    """Return every gate once: which student, on which fold, and the numbers that decided."""
    found: dict[str, Json] = {}
    for point in points:
        for stage in with_ancestors(point.result):
            if stage.kind == "gate" and stage.digest not in found:
                facts = read_json(store.folder(stage.key) / GATE)
                found[stage.digest] = {"student": point.decoder.student, "fold": point.fold, **facts}
    return list(found.values())


def _description(study: Study, dataset: Dataset, command: str) -> dict[str, object]:
    card = dataset.card
    return {
        "name": study.study.name,
        "title": study.study.title,
        "question": study.study.question,
        "dataset": {
            "name": dataset.name,
            "card": {
                "title": card.title,
                "licence": card.licence,
                "citation": card.citation,
                "homepage": card.homepage,
                "caveats": list(card.caveats),
            },
            "pipeline": [
                {"name": step.name, "parameters": dict(step.parameters), "causal": step.causal}
                for step in dataset.pipeline
            ],
            "notes": list(dataset.notes),
        },
        "protocol": study.protocol,
        "metric": primary_metric(dataset.task),
        "positive": study.study.positive,
        "chance": chance_level(dataset.task, len(dataset.output_names)),
        "seeds": list(study.study.seeds),
        "profiles": list(study.hardware.profiles),
        "sites": list(study.hardware.sites),
        "decode_rate_hz": study.hardware.decode_rate_hz,
        "command": command,
        "versions": versions(),
    }
