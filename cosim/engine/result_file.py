"""The files of every stage that ends a point: its scores, its predictions, and the workload that is priced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosim.engine.files import to_json
from cosim.engine.fold_data import FoldData
from cosim.engine.prediction_file import write_predictions
from cosim.engine.stage import RESULT, WORKLOAD
from cosim.engine.versions import versions
from cosim.evaluation.scores import primary_metric, score
from energy_models.workload import Workload, workload_digest, write_workload


def write_result(folder: Path, data: FoldData, outputs: Any, workload: Workload | None, facts: dict[str, Any]) -> None:
    """Score outputs on the test part, and write score and outputs with what is known of the decoder.

    Parameters
    ----------
    folder : Path
    data : FoldData
    outputs : ndarray, shape (examples, classes) or (examples, steps, outputs)
        Of the test part.
    workload : Workload or None
        None for what is not deployed.
    facts : dict
        What `cosim.tables` shows beside the score.
    """
    dataset = data.dataset
    targets = dataset.masked_targets[data.fold.test]
    write_predictions(folder, data.fold.test, targets, outputs)
    metrics = score(dataset.task, targets, outputs, output_names=dataset.output_names)
    metric = primary_metric(dataset.task)
    known = {"metric": metric, "score": metrics.get(metric), "metrics": metrics, "versions": versions(), **facts}
    if workload is not None:
        write_workload(workload, folder / WORKLOAD)
        known |= {"workload_digest": workload_digest(workload), "complete": workload.complete}
    (folder / RESULT).write_text(to_json(known), encoding="utf-8")
