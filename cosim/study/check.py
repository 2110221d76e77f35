"""Reads a study and checks every name and option in it against what is installed, all problems at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from cosim.baselines.registry import baseline_names, load_baseline
from cosim.datasets.registry import dataset_names, load_corpus
from cosim.study.choices import MAX_POINTS, choice_counts, with_method
from cosim.study.document import Document, override, read_document
from cosim.study.epochs import epoch_problems, method_epoch_problems, spike_problems
from cosim.study.messages import infinite_lines, repeated_items
from cosim.study.parts import (
    entries,
    option_lines,
    part_problems,
    problem_of,
    student_forms,
    student_options,
    table,
)
from cosim.study.ranges import OptionRange
from cosim.study.schema import StudentPlan, Study, structural_problems
from cosim.study.teaching import teaching_problems
from cosim.teachers.registry import TEACHERS
from energy_models.errors import StudyError, unknown_name
from energy_models.hardware import load_profile, load_site, profile_names, site_names
from students.families import family_names, load_family
from students.training import METHODS

GRID_NEEDS_STEP = (
    "a grid cannot step through a range without a step. Give it one, list the values, "
    "or choose another [search] sampler (nsga2, tpe, random)"
)
SHOWN_LISTS = 12
FILES = (".toml", ".safetensors")
PATHS = {"hardware": ("profiles", "sites"), "search": ("profile", "site")}


def read_study(name_or_path: str, settings: Sequence[str] = ()) -> Study:
    """Return the checked study of a shipped name or a path, with ``a.b=value`` settings applied.

    Raises
    ------
    StudyError
        Listing every problem of the file by dotted path.
    """
    document = override(read_document(name_or_path), settings)
    return check_study(_with_whole_paths(document, Path(name_or_path).parent), where=name_or_path)


def _with_whole_paths(document: Document, beside: Path) -> Document:
    """Return the document with its files by absolute path, so that a run can be resumed and priced from anywhere.

    A relative path starts from the current folder, or else from the study file's own.
    """

    def whole(value: object) -> object:
        if isinstance(value, list):
            return [whole(item) for item in cast(list[object], value)]
        if not isinstance(value, str) or not value.endswith(FILES):
            return value
        found = next((path for path in (Path(value), beside / value) if os.path.isfile(path)), None)
        return value if found is None else str(found.absolute())

    sections: dict[str, object] = {
        name: {key: whole(value) if key in keys else value for key, value in table(document.get(name)).items()}
        for name, keys in PATHS.items()
        if isinstance(document.get(name), Mapping)
    }
    students = document.get("students")
    if isinstance(students, list):
        listed = cast(list[object], students)
        sections["students"] = [
            {**table(entry), "weights": whole(table(entry)["weights"])} if "weights" in table(entry) else entry
            for entry in listed
        ]  # fmt: skip
    return {**document, **sections}


def check_study(document: Document, *, where: str) -> Study:
    """Return the study that a document describes.

    Raises
    ------
    StudyError
        Listing every problem by dotted path, with the nearest existing names.
    """
    study, problems = structural_problems(document)
    problems += [*infinite_lines(document), *_name_problems(document)]
    if study is not None and not problems:
        problems += _size_problems(study) or _option_problems(study)
    else:
        problems += part_problems(document)
    if study is None or problems:
        unique = list(dict.fromkeys(problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        listed = f"{count}; nothing was computed:\n  " + "\n  ".join(unique)
        raise StudyError(listed.rstrip(".?"), where=where)
    return study


def _name_problems(document: Mapping[str, object]) -> list[str]:
    """Return one line for every name that does not exist, wherever the document is sound enough to hold one."""
    hardware = table(document.get("hardware"))
    search = table(document.get("search"))
    lines = _missing("datasets", dataset_names, [("dataset.name", table(document.get("dataset")).get("name"))],
                     load_corpus)  # fmt: skip
    lines += _missing("families", family_names, _each(document.get("students"), "students", "family"), load_family)
    methods: list[tuple[str, object]] = []
    for i, student in enumerate(map(table, entries(document.get("students")))):
        methods.append((f"students.{i}.method.name", table(student.get("method")).get("name")))
        methods += _each(student.get("method_choices"), f"students.{i}.method_choices", "name")
    lines += _missing("methods", METHODS.names, methods, METHODS.load)
    teacher = [("teacher.name", table(document.get("teacher")).get("name"))]
    lines += _missing("teachers", TEACHERS.names, teacher, TEACHERS.load)
    lines += _missing("baselines", baseline_names, _each(document.get("baselines"), "baselines", "name"),
                      load_baseline)  # fmt: skip
    profiles = [*_listed(hardware, "hardware.profiles", "profiles"), ("search.profile", search.get("profile"))]
    lines += _missing("profiles", profile_names, profiles, load_profile)
    sites = [*_listed(hardware, "hardware.sites", "sites"), ("search.site", search.get("site"))]
    lines += _missing("sites", site_names, sites, load_site)
    return lines + _namesakes(hardware, "profiles") + _namesakes(hardware, "sites")


def _namesakes(hardware: Mapping[str, object], key: str) -> list[str]:
    """Return a line where two entries have one name, under which their prices would be mixed."""
    again = repeated_items([Path(name).stem for name in entries(hardware.get(key)) if isinstance(name, str)])
    return [f"hardware.{key}: two are called {again}, so their prices could not be told apart"] if again else []


def _each(given: object, path: str, key: str) -> list[tuple[str, object]]:
    return [(f"{path}.{i}.{key}", table(entry).get(key)) for i, entry in enumerate(entries(given))]


def _listed(section: Mapping[str, object], path: str, key: str) -> list[tuple[str, object]]:
    return [(f"{path}.{i}", name) for i, name in enumerate(entries(section.get(key)))]


def _missing(
    kind: str,
    names: Callable[[], Iterable[str]],
    asked: Iterable[tuple[str, object]],
    load: Callable[[str], object] | None = None,
) -> list[str]:
    """Return a line for each name that does not exist; `load` takes files and own objects too, and tells faults."""
    available = tuple(names())
    lines: list[str] = []
    for path, name in asked:
        if not isinstance(name, str):
            continue  # a missing or mistyped entry is a structural problem, told already
        elsewhere = ":" in name or name.endswith(".toml") or os.path.isfile(name)  # Path raises on a name too long
        if load is not None and (name in available or elsewhere):
            lines += problem_of(path, load, name)
        elif name not in available:
            own = "" if load is None else ". One of your own is named module:object"
            lines.append(f"{path}: there is no '{name}'. {unknown_name(kind, name, available)}{own}")
    return lines


def _option_problems(study: Study) -> list[str]:
    lines = option_lines(load_corpus(study.dataset.name).Options, study.dataset.options, "dataset.options")
    for i, student in enumerate(study.students):
        lines += student_options(student, f"students.{i}")
        lines += [f"students.{i}.options.{key}: {GRID_NEEDS_STEP}" for key in _endless(study, student)]
        lines += student_forms(student, f"students.{i}")
        lines += [f"students.{i}.{problem}" for problem in epoch_problems(study, student)]
        lines += [f"students.{i}.{problem}" for problem in spike_problems(study, student)]
    lines += _taught_problems(study) or list(teaching_problems(study))
    for i, baseline in enumerate(study.baselines):
        lines += option_lines(load_baseline(baseline.name).Options, baseline.options, f"baselines.{i}.options")
    return lines


def _taught_problems(study: Study) -> list[str]:
    """Return what is wrong with the options of the teacher and of every method."""
    lines = [line for i, student in enumerate(study.students)
             for line in _method_problems(study, student, f"students.{i}")]  # fmt: skip
    if study.teacher is not None:
        lines += option_lines(TEACHERS.load(study.teacher.name).Options, study.teacher.options, "teacher.options")
    return lines


def _method_problems(study: Study, student: StudentPlan, path: str) -> list[str]:
    """Return what is wrong with the options of a student's methods, or else with their epochs."""
    lines: list[str] = []
    for place, spec in enumerate(student.searched_methods):
        if spec is not None:
            where = f"{path}.method_choices.{place}" if student.method_choices else f"{path}.method"
            lines += option_lines(METHODS.load(spec.name).options, spec.options, f"{where}.options")
    if lines:
        return lines
    chosen = [with_method(student, spec) for spec in student.searched_methods]
    return [f"{path}.{problem}" for one in chosen for problem in method_epoch_problems(study, one)]


def _size_problems(study: Study) -> list[str]:
    """Return a line where a grid is too large to be tried; it is counted, not built."""
    if study.search.sampler != "grid":
        return []
    seeds = len(study.study.seeds)
    counts = [choice_counts(student) for student in study.students]
    points = [seeds * math.prod(lists.values()) for lists in counts]
    if sum(points) <= MAX_POINTS:
        return []
    largest = max(range(len(points)), key=points.__getitem__)
    made = [f"{name} {count:,}" for name, count in sorted(counts[largest].items(), key=lambda item: -item[1])]
    shown = [*made[:SHOWN_LISTS], *(["..."] if len(made) > SHOWN_LISTS else []), f"study.seeds {seeds}"]
    return [
        f"students: a grid of {sum(points):,} points on each fold, {MAX_POINTS:,} at most; {points[largest]:,} of them "
        f"are of students.{largest}: {' × '.join(shown)}. Shorten these lists, or choose another [search] sampler "
        "(nsga2, tpe, random) and the number of its trials"
    ]


def _endless(study: Study, student: StudentPlan) -> list[str]:
    """Return the options that a grid is to step through and cannot."""
    if study.search.sampler != "grid":
        return []
    return [key for key, value in student.options.items() if isinstance(value, OptionRange) and value.step is None]
