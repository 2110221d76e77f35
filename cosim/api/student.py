"""A trained network with what belongs to it: description, scores as stated, workload with its preprocessing."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from torch import nn

from cosim.engine.files import read_json
from cosim.engine.local_store import LocalStore
from cosim.engine.stage import RESULT, WORKLOAD, Stage
from cosim.engine.stored_stages import point_stages, results_on, stage_of_folder, stored_stage
from cosim.tables.scores import STUDY
from energy_models.errors import StudentError
from energy_models.quantities import html_table
from energy_models.workload import Workload, read_workload, write_workload
from students.models import load_extra, save_student
from students.models import load_student as read_student
from students.models.store import SPEC
from students.spec import StudentSpec

STUDENT = "student"
FACTS = ("metric", "validation_score", "test_score", "fold", "protocol")


@dataclass(frozen=True, slots=True)
class Home:
    """Where a student was trained: the stages it can be quantised from.

    Parameters
    ----------
    root : Path
        Run folder.
    stage : Stage
        The student's.
    keeper : TemporaryDirectory or None
        Holds a folder that nobody asked to keep, as long as a student needs it.
    """

    root: Path
    stage: Stage
    keeper: TemporaryDirectory[str] | None = None


@dataclass(frozen=True, repr=False, eq=False)
class Student:
    """A trained student.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode; its inputs are those of `spec`'s shape, standardised as in training where the workload
        holds ``pipeline.standardise``.
    spec : StudentSpec
        From which it can be rebuilt exactly.
    facts : mapping of str to str
        ``metric``, ``validation_score``, ``test_score``, ``fold`` and ``protocol``, as far as they are known.
    counted : Workload or None
        Its work on held-out recordings.
    home : Home or None
        Where it was trained; None for a copy of a student.
    """

    model: nn.Module
    spec: StudentSpec
    facts: Mapping[str, str]
    counted: Workload | None
    home: Home | None

    @property
    def metric(self) -> str:
        """What the scores are; empty where unknown."""
        return self.facts.get("metric", "")

    @property
    def validation_score(self) -> float:
        """Score on the validation part; nan where unknown."""
        return float(self.facts.get("validation_score", math.nan))

    @property
    def test_score(self) -> float:
        """Score on the held-out part; nan where unknown."""
        return float(self.facts.get("test_score", math.nan))

    @property
    def protocol(self) -> str:
        """What was held out, in words."""
        return ", ".join(text for text in (self.facts.get("protocol", ""), self.facts.get("fold", "")) if text)

    def workload(self) -> Workload:
        """Return what it does in one decode, counted on held-out recordings, preprocessing included.

        Raises
        ------
        StudentError
            A student that was saved without it.
        """
        if self.counted is None:
            raise StudentError(
                "its workload was not kept", where=self.spec.label,
                remedy="Count it: cosim.count(student.model, x, rate_hz=student.spec.shape.step_rate_hz)",
            )
        return self.counted

    def save(self, folder: str | Path) -> Path:
        """Write the student into a folder that `cosim.load_student` reads, and return the folder.

        Raises
        ------
        CosimError
            If the folder cannot be written.
        """
        place = Path(folder)
        save_student(place, self.model, self.spec, self.facts)
        if self.counted is not None:
            write_workload(self.counted, place / WORKLOAD)
        return place

    def summary(self) -> str:
        """Return what it is and how it does, as text."""
        return "\n".join(f"{row['what']}: {row['value']}" for row in self._rows())

    def _rows(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = [
            {"what": "student", "value": self.spec.label},
            {"what": "options", "value": ", ".join(f"{name}={value}" for name, value in self.spec.options.items())},
            {"what": f"{self.metric or 'score'}, validation", "value": self.validation_score},
            {"what": f"{self.metric or 'score'}, test", "value": self.test_score},
            {"what": "protocol", "value": self.protocol},
        ]
        if self.counted is not None:
            rows.append({"what": "stored", "value": f"{self.counted.packed_bytes:,} bytes"})
        return rows

    def __repr__(self) -> str:
        scores = f"{self.metric or 'score'} {self.test_score:.3f} (test), {self.validation_score:.3f} (validation)"
        return f"<Student: {self.spec.label}, seed {self.spec.seed}: {scores}; {self.protocol}>"

    def _repr_html_(self) -> str:
        return html_table(self.spec.label, self._rows())


def student_of_stages(
    root: Path, student: Stage, result: Stage | None, *, protocol: str, keeper: TemporaryDirectory[str] | None = None
) -> Student:
    """Return the student of a finished training stage, with the scores and the workload of its result if there is one.

    Raises
    ------
    CosimError
        If a file is missing or damaged.
    """
    store = LocalStore(root)
    folder = store.folder(student.key)
    model, spec = read_student(folder)
    facts = {
        "validation_score": load_extra(folder)["validation_score"],
        "fold": str(student.parents["fold"].config["name"]), "protocol": protocol,
    }
    counted = None
    if result is not None:
        found = cast("dict[str, Any]", read_json(store.folder(result.key) / RESULT))
        score = math.nan if found["score"] is None else float(found["score"])
        facts |= {"metric": str(found["metric"]), "test_score": repr(score)}
        counted = read_workload(store.folder(result.key) / WORKLOAD)
    return Student(model, spec, facts, counted, Home(root, student, keeper))


def student_of_point(root: Path, decoder_id: str, seed: int, fold: str, *, label: str) -> Student:
    """Return the student of one point of a finished run.

    Raises
    ------
    CosimError
        A decoder that is no network of ours, or an archived run.
    """
    keys = [key for one, s, f, key in point_stages(root) if (one, s, f) == (decoder_id, seed, fold)]
    result = stored_stage(LocalStore(root), keys[0])
    if STUDENT not in result.parents:
        raise StudentError(
            "it is no student: classical decoders and teachers keep no network", where=label,
            remedy="Its workload and scores are in decoder.workload() and decoder.scores",
        )
    return student_of_stages(root, result.parents[STUDENT], result, protocol=_protocol(root))


def load_student(folder: str | Path) -> Student:
    """Return a saved student: of `Student.save`, or a training stage of a run.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    CosimError
        If the folder holds no student, or a damaged one.
    """
    if not isinstance(cast("object", folder), str | Path):
        raise StudentError(
            f"{folder!r:.60} is no folder", where="cosim.load_student", remedy="Give the path of a saved student"
        )
    place = Path(folder)
    found = stage_of_folder(place)
    if found is None:
        if not os.path.isfile(place / SPEC):
            raise StudentError(
                f"no saved student: the folder has no {SPEC}", where=str(place),
                remedy="Give a folder of Student.save; of a run: cosim.load_run(folder).decoder(label)",
            )  # fmt: skip
        model, spec = read_student(place)
        counted = read_workload(place / WORKLOAD) if (place / WORKLOAD).is_file() else None
        kept = load_extra(place)
        return Student(model, spec, {name: kept[name] for name in FACTS if name in kept}, counted, None)
    root, key = found
    store = LocalStore(root)
    results = results_on(store, key)
    return student_of_stages(
        root, stored_stage(store, key), results[0] if results else None, protocol=_protocol(root)
    )


def check_replaceable(folder: Path, spec: StudentSpec, facts: Mapping[str, str]) -> None:
    """Refuse a folder that holds another saved student than the one to be written.

    Parameters
    ----------
    folder : Path
    spec : StudentSpec
    facts : mapping of str to str
        Its fold and protocol, of which an equal student may have others.

    Raises
    ------
    StudentError
    """
    if not os.path.isfile(folder / SPEC):
        return
    found = load_student(folder)
    same = all(found.facts.get(name, "") == facts.get(name, "") for name in ("fold", "protocol"))
    if found.spec != spec or not same:
        raise StudentError(
            f"it holds another student already ({found.spec.label})", where=str(folder),
            remedy="Choose another --out, or remove what is there",
        )


def _protocol(root: Path) -> str:
    """Return how a run held recordings out, in words."""
    return str(read_json(root / STUDY)["protocol"]) if (root / STUDY).is_file() else ""
