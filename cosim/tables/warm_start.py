"""What an earlier run suggests to try first: its decoders front by front, as far as this study has them."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cosim.engine.plan import Configuration
from cosim.evaluation.pareto import non_dominated
from cosim.study.choices import method_text, with_method
from cosim.study.ranges import OptionRange
from cosim.study.schema import Option, StudentPlan, Study
from cosim.tables.archive import check_archive
from cosim.tables.prices import workload_power_w
from cosim.tables.results import Score, read_parquet
from cosim.tables.scores import SCORES
from cosim.tables.workloads import read_workloads
from energy_models.errors import StudyError
from students.spec import Scalar


def suggested(study: Study, run: Path) -> list[Configuration]:
    """Return configurations of a study that an earlier run has finished, its front first, then the front of the rest.

    Fronts are those of mean validation score and, where the search weighs the device's power, of power at today's
    prices. At most ``search.population`` of them are returned. Family, options and form decide whether a decoder of the
    run is one of the study's; where the study searches over methods, the method too.

    Raises
    ------
    StudyError
        None of the run's decoders is a configuration of the study.
    CosimError
        The folder holds no finished run.
    """
    if not (run / SCORES).is_file():
        there = "it holds no scores of a finished run" if run.is_dir() else "the folder does not exist"
        raise StudyError(there, where=str(run), remedy="Name the folder of a finished run (--warm-start, "
                         "search.warm_start), or leave it out.")  # fmt: skip
    check_archive(run)
    scores: Any = read_parquet(run / SCORES, Score)
    students: Any = scores[(scores["role"] == "student") & scores["validation_score"].notna()]
    found = dict[str, Configuration]()
    for row in students.drop_duplicates("decoder_id").to_dict("records"):
        configuration = _matching(study, row)
        if configuration is not None:
            found[str(row["decoder_id"])] = configuration
    if not found:
        raise StudyError(
            f"none of its {students['decoder_id'].nunique()} students is a configuration of this study",
            where=str(run),
            remedy="Start without --warm-start (search.warm_start), or name a run of the same families and forms",
        )
    objectives = np.asarray([_objectives(study, run, students, name) for name in found])
    unique = dict[str, Configuration]()
    for name in _by_front(list(found), objectives):
        unique.setdefault(json.dumps(found[name].parameters, sort_keys=True), found[name])
    return list(unique.values())[: study.search.population]


def _by_front(names: list[str], objectives: NDArray[np.float64]) -> list[str]:
    """Return names front by front; objectives are minimised."""
    ordered, left = list[str](), np.arange(len(names))
    while len(left):
        front = non_dominated(objectives[left])
        ordered += [names[index] for index in left[front]]
        left = left[~front]
    return ordered


def _objectives(study: Study, run: Path, students: Any, decoder_id: str) -> list[float]:
    mine: Any = students[students["decoder_id"] == decoder_id]
    score, plan = float(mine["validation_score"].mean()), study.search
    if plan.profile is None or plan.site is None or "total_power" not in plan.objectives:
        return [-score]
    works = read_workloads(run, dict.fromkeys(str(digest) for digest in mine["workload_digest"]))
    rate_hz = study.hardware.decode_rate_hz
    powers = [workload_power_w(work, plan.profile, plan.site, rate_hz) for work in works.values()]
    return [-score, math.fsum(powers) / len(powers)]


def _matching(study: Study, row: Mapping[str, Any]) -> Configuration | None:
    """Return the configuration of a study that a decoder is; None where it is none."""
    options = cast("dict[str, Scalar]", json.loads(row["options"]))
    for plan in study.students:
        form = next((one for one in plan.forms if str(one) == row["form"]), None)
        same = plan.family == row["family"] and plan.options.keys() == options.keys()
        if form is None or not same or not all(_allowed(plan.options[key], value) for key, value in options.items()):
            continue
        chosen = _with_its_method(plan, str(row["method"]))
        if chosen is not None:
            return Configuration(chosen, options, form)
    return None


def _with_its_method(plan: StudentPlan, method: str) -> StudentPlan | None:
    if not plan.method_choices:
        return plan
    found = next((one for one in plan.method_choices if method_text(plan, one) == method), None)
    return None if found is None else with_method(plan, found)


def _allowed(option: Option, value: Scalar) -> bool:
    """Return whether a value is among those an option is searched over."""
    if not isinstance(option, OptionRange):
        listed = option if isinstance(option, tuple) else (option,)
        return any(value == one and type(value) is type(one) for one in listed)
    if isinstance(value, bool | str) or not option.low <= value <= option.high:
        return False
    if option.type == "int" and not isinstance(value, int):
        return False
    return option.step is None or any(math.isclose(value, one) for one in option.values)
