"""What a stage is: a kind, a configuration, and the stages it builds on, named by a hash of all three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cosim.engine.store import Json, content_digest, is_finished, stage_folder

StageKind = Literal[
    "data", "fold", "teacher", "plain", "gate", "float", "variant", "result", "baseline", "teacher_result"
]

# Files of a stage's folder.
TARGETS, RESULT, WORKLOAD, GATE = "targets.safetensors", "result.json", "workload.json", "gate.json"

# Raised by one when a kind's computation changes, so that no stored result of the old one is taken for the new.
SCHEMAS: Mapping[StageKind, int] = {
    "data": 2,  # workload schema 2
    "fold": 1,
    "teacher": 1,
    "plain": 1,
    "gate": 1,
    "float": 1,
    "variant": 2,  # decay spares thresholds per channel
    "result": 3,  # words of parameters, sums of spikes as wide as their range
    "baseline": 3,
    "teacher_result": 3,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One computation that is kept; `digest` names it and everything it depends on."""

    kind: StageKind
    config: Mapping[str, Json]
    parents: Mapping[str, Stage]
    digest: str

    def folder(self, root: Path) -> Path:
        """Return where its result lives below the run folder."""
        return stage_folder(root, self.kind, self.digest)

    def finished(self, root: Path) -> bool:
        """Return whether its result is there, complete."""
        return is_finished(self.folder(root))


def make_stage(kind: StageKind, config: Mapping[str, Json], **parents: Stage) -> Stage:
    """Return the stage, named by its kind, the kind's schema version, its configuration and its parents' digests."""
    identity = {
        "kind": kind,
        "schema": SCHEMAS[kind],
        "config": config,
        "parents": {role: parent.digest for role, parent in parents.items()},
    }
    return Stage(kind, config, parents, content_digest(identity))


def with_ancestors(stage: Stage) -> Iterator[Stage]:
    """Yield every stage it depends on, parents first, then itself; shared ones may come more than once."""
    for parent in stage.parents.values():
        yield from with_ancestors(parent)
    yield stage
