"""Configurations that cannot reach the front are given up: never one that could, and never as a score of zero."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_study import TINY
from toy_stages import SerialExecutor

from cosim.engine.files import to_json
from cosim.engine.local_store import LocalStore
from cosim.engine.plan import configurations, decoder_of
from cosim.engine.points import FoldStage
from cosim.engine.progress import Status, Watch
from cosim.engine.record import StageTime, keep_stage
from cosim.engine.scheduler import Scheduler
from cosim.engine.search import Search
from cosim.engine.search.pruning import at_best, dominates, given_up
from cosim.engine.stage import RESULT, Stage, make_stage
from cosim.engine.stages.fold import FOLD
from cosim.engine.sweep import Sweep
from cosim.evaluation.pareto import pareto_front
from cosim.study.schema import Study, structural_problems
from cosim.tables.flat import filled
from cosim.tables.pruned import GIVEN_UP, pruned_frame, pruned_note, pruned_rows, read_pruned, write_pruned
from students.spec import Shape

SHAPE = Shape(task="classification", channels=4, steps=64, outputs=2, step_rate_hz=64.0)
SCORES = {1: 0.2, 2: 0.95}  # of an EEGNet with so many temporal filters
SEEDS = 4


def test_what_is_left_is_taken_at_its_best() -> None:
    # 3 of 5: scores (0.5 + 0.6 + 0.7 + 2 * 1) / 5 = 0.76; power (2 + 3 + 4 + 2 * 0.5 * 2) / 5 = 2.2
    found = [{"score": s, "total_power": p} for s, p in ((0.5, 2.0), (0.6, 3.0), (0.7, 4.0))]
    assert at_best(found, 5) == {"score": pytest.approx(0.76), "total_power": pytest.approx(2.2)}


def test_only_what_is_beaten_at_its_best_is_given_up() -> None:
    found = [{"score": 0.5, "total_power": 2.0}]  # of two: at best 0.75 at (2 + 1) / 2 = 1.5
    for score, power, beaten in ((0.76, 1.5, True), (0.75, 1.4, True), (0.75, 1.5, False), (0.9, 1.55, False),
                                 (0.74, 0.1, False)):  # fmt: skip
        theirs = {"score": score, "total_power": power}
        why = given_up(found, 2, [("worse", {"score": 0.0, "total_power": 9.0}), ("other", theirs)])
        assert (why is not None) == beaten
        if why is not None:
            assert (why.points, why.of, why.against, why.theirs) == (1, 2, "other", theirs)
    assert given_up([], 2, [("other", {"score": 1.0, "total_power": 0.0})]) is None
    assert given_up(found * 2, 2, [("other", {"score": 1.0, "total_power": 0.0})]) is None  # it is finished


def test_a_machine_that_cannot_run_it_is_no_reason_by_itself() -> None:
    found = [{"score": 0.9, "total_power": math.inf}]
    assert given_up(found, 2, [("other", {"score": 0.96, "total_power": 1.0})]) is not None
    assert given_up(found, 2, [("other", {"score": 0.94, "total_power": 1.0})]) is None
    assert given_up(found, 2, [("other", {"score": 0.95, "total_power": math.inf})]) is None


def test_nothing_that_ends_on_the_front_is_ever_given_up() -> None:
    chance = np.random.default_rng(0)
    stopped = 0
    for _ in range(200):
        folds = 6
        scores = np.clip(chance.uniform(0.2, 0.95, (12, 1)) + chance.normal(0, 0.1, (12, folds)), 0, 1)
        powers = chance.uniform(1, 5, (12, 1)) * chance.uniform(0.95, 1.0, (12, folds))
        front = pareto_front(scores.mean(axis=1), powers.mean(axis=1))
        values = [[{"score": s, "total_power": p} for s, p in zip(*one, strict=True)]
                  for one in zip(scores.tolist(), powers.tolist(), strict=True)]  # fmt: skip
        finished = [(str(i), at_best(one, folds)) for i, one in enumerate(values[:-1])]
        why = [given_up(values[-1][:count], folds, finished) for count in range(1, folds)]
        stopped += any(one is not None for one in why)
        assert not (front[-1] and any(one is not None for one in why))
    assert stopped > 20


def test_no_worse_and_somewhere_better() -> None:
    assert dominates({"score": 0.5}, {"score": 0.4})
    assert not dominates({"score": 0.5}, {"score": 0.5})
    assert dominates({"score": 0.5, "total_power": 1.0}, {"score": 0.5, "total_power": 2.0})
    assert not dominates({"score": 0.5, "total_power": 2.0}, {"score": 0.4, "total_power": 1.0})


def study(**search: Any) -> Study:
    document = tomllib.loads(TINY)
    for name in ("teacher", "baselines"):
        del document[name]
    document["study"]["seeds"] = list(range(SEEDS))
    students = [{"label": "E", "family": "eegnet", "options": {"temporal_filters": list(SCORES)}}]
    search = {"sampler": "random", "trials": 2, "objectives": ["score"], **search}
    return Study.model_validate({**document, "students": students, "search": search})


def swept(plan: Study, root: Path, watch: Watch = lambda status: None) -> tuple[Sweep, Search, list[Stage]]:
    """Run a study whose decoders score what `SCORES` says, the best one first; return the results computed."""
    store, computed = LocalStore(root), list[Stage]()

    def run(stage: Stage) -> StageTime:
        computed.append(stage)

        def write(folder: Path) -> None:
            if stage.kind == "result":
                options: Any = stage.parents["student"].config["spec"]
                score = SCORES[options["options"]["temporal_filters"]]
                (folder / RESULT).write_text(to_json({"validation_score": score}))

        return keep_stage(store, stage, write)

    search = Search(plan, "data", root)
    search.suggest(configurations(plan)[::-1])
    folds = [FoldStage(name, make_stage(FOLD, {"name": name})) for name in "ab"]
    scheduler = Scheduler(store, SerialExecutor(run, capacity=1))
    sweep = Sweep(plan, folds, SHAPE, search, store=store, scheduler=scheduler, powers_w={})
    sweep.run(watch)
    return sweep, search, [stage for stage in computed if stage.kind == "result"]


def test_a_sweep_computes_no_more_of_what_is_given_up_and_says_so_in_the_tables(tmp_path: Path) -> None:
    sweep, search, results = swept(study(pruning="front"), tmp_path)
    points = 2 * SEEDS
    assert len(results) == points + 1  # after one point: at best (0.2 + 7) / 8 = 0.9 < 0.95
    assert {point.decoder.name for point in sweep.finished} == {"E temporal_filters=2 float32"}
    assert len(sweep.finished) == points
    (row,) = pruned_rows([(decoder_of(study(), one), why) for one, why in search.pruned()])
    assert (row["decoder"], row["points"], row["of"]) == ("E temporal_filters=1 float32", 1, points)
    assert row["at_best"] == {"score": pytest.approx(0.9)}
    assert row["against"] == "E temporal_filters=2 float32"
    write_pruned(tmp_path, [row])
    like = pd.DataFrame({
        "study": ["tiny"], "dataset": ["d"], "protocol": ["p"], "metric": ["m"], "decoder": ["other"], "score": [0.9],
        "front": [True], "verdict": ["fits"], "infeasibilities": [""], "decoder_id": ["0"], "machine": ["m4"],
    })  # fmt: skip
    table = filled(pruned_frame(read_pruned(tmp_path), like), like)
    assert list(table.columns) == list(like.columns)
    assert table["verdict"].tolist() == [GIVEN_UP]
    assert math.isnan(table["score"][0])
    assert table["infeasibilities"][0].startswith("given up after 1 of 8 points: at best score 0.9;")
    assert (table["front"].tolist(), table["machine"].tolist()) == ([False], [""])
    write_pruned(tmp_path, [])
    assert read_pruned(tmp_path) == []


def test_what_was_given_up_stays_so_when_the_run_goes_on(tmp_path: Path) -> None:
    _, search, results = swept(study(pruning="front"), tmp_path)
    again, resumed, more = swept(study(pruning="front"), tmp_path)
    assert len(results) == 2 * SEEDS + 1
    assert more == []
    assert resumed.pruned() == search.pruned()
    assert len(again.finished) == 2 * SEEDS


def test_without_pruning_every_point_is_computed(tmp_path: Path) -> None:
    sweep, search, results = swept(study(), tmp_path)
    assert len(results) == len(sweep.finished) == 4 * SEEDS
    assert search.pruned() == []


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"pruning": "front"}, "a grid is asked for whole"),
        ({"sampler": "random", "trials": 2, "pruning": "front", "objectives": ["score", "designed_power"]},
         "designed_power"),
        ({"pruning": "sometimes"}, "search.pruning"),
    ],
)  # fmt: skip
def test_searches_that_cannot_be_pruned(search: dict[str, Any], said: str) -> None:
    _, problems = structural_problems({**tomllib.loads(TINY), "search": search})
    assert any(said in problem for problem in problems)


def test_the_sentence_of_a_page() -> None:
    assert pruned_note(1).startswith("1 configuration of the search was given up")
    assert "they could not reach the search's front (validation score, its one machine) any more" in pruned_note(3)
    assert "in no comparison, nor in fronts of other machines" in pruned_note(3)
    assert dataclasses.is_dataclass(given_up([{"score": 0.1}], 2, [("x", {"score": 0.9})]))


def test_configurations_chosen_again_are_counted_and_add_no_points(tmp_path: Path) -> None:
    """Two configurations and five trials: three choose again, in this run and, told once more, in the next."""
    for run in range(2):
        told = list[Status]()
        sweep, _, results = swept(study(trials=5), tmp_path, told.append)
        assert len(results) == (2 * 2 * SEEDS if run == 0 else 0)
        assert sweep.repeats == 3
        assert (told[-1].points_done, told[-1].points) == (2 * 2 * SEEDS, 2 * 2 * SEEDS)
