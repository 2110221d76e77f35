"""What a stage is: a kind, a configuration, the stages it builds on; its name is a hash of these and of its sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from cosim.engine.files import Json, content_digest
from cosim.engine.sources import installed_sources
from cosim.engine.store import StageKey, Store

Failure = Literal["point", "run"]

# Files of a stage's folder that others than its own kind read.
RESULT, WORKLOAD, GATE = "result.json", "workload.json", "gate.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """One computation that is kept; `digest` names it and everything it depends on.

    `failure` is its kind's: whether a decoder that cannot be computed fails alone (``point``) or ends the ``run``.
    """

    kind: str
    config: Mapping[str, Json]
    parents: Mapping[str, Stage]
    digest: str
    failure: Failure

    @property
    def key(self) -> StageKey:
        """Its name in a store."""
        return StageKey(self.kind, self.digest)


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the work of one stage has at hand.

    Parameters
    ----------
    store : Store
    stage : Stage
        Its parents are finished.
    folder : Path
        Empty; what is written there becomes the stage.
    device : str
        Where networks are trained, decoded and counted. It decides no stage's name: results are those of a device up
        to the rounding of its arithmetic, and the record says which it was.
    """

    store: Store
    stage: Stage
    folder: Path
    device: str = "cpu"

    def parent(self, role: str) -> Path:
        """Return the folder of the finished parent in that role."""
        return self.store.folder(self.stage.parents[role].key)


def no_plugins(config: Mapping[str, Json]) -> Iterable[str]:
    """Return no module: a stage of such a kind asks for no plug-in."""
    return ()


@dataclass(frozen=True, slots=True)
class StageKind:
    """One kind of stage: a file of `cosim.engine.stages` states one.

    Parameters
    ----------
    name : str
    parents : tuple of str
        Roles of the stages it may build on; ``*`` stands for any text.
    work : callable
        ``work(workspace)`` computes one stage.
    plugins : callable
        ``plugins(config)`` names the modules of the plug-ins that a configuration asks for: their sources count too.
    sources : tuple of str
        Further modules whose sources count, beside those that `work` imports.
    failure : {'point', 'run'}
        Whether a decoder that cannot be computed fails alone, or ends the run.
    """

    name: str
    parents: tuple[str, ...]
    work: Callable[[Workspace], None]
    plugins: Callable[[Mapping[str, Json]], Iterable[str]] = no_plugins
    sources: tuple[str, ...] = ()
    failure: Failure = "point"

    def schema(self, config: Mapping[str, Json]) -> str:
        """Return the hash of the sources that decide such a stage; see `cosim.engine.sources`."""
        return installed_sources().digest((self.work.__module__, *self.sources, *self.plugins(config)))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A kind of stage and a configuration, whatever the stages it builds on: folds that share it share its schema.

    Parameters
    ----------
    kind : StageKind
    config : mapping
    schema : str
        Of the sources that decide it; see `StageKind.schema`.
    """

    kind: StageKind
    config: Mapping[str, Json]
    schema: str

    def stage(self, **parents: Stage) -> Stage:
        """Return the stage, named by its kind, the sources that decide it, its configuration, its parents' digests.

        Raises
        ------
        ValueError
            For a parent in a role that the kind does not have.
        """
        for role in parents:
            if not any(fnmatchcase(role, pattern) for pattern in self.kind.parents):
                has = ", ".join(self.kind.parents) or "none"
                raise ValueError(f"a stage of kind '{self.kind.name}' has no parent '{role}'; it has: {has}")
        identity = {
            "kind": self.kind.name,
            "schema": self.schema,
            "config": self.config,
            "parents": {role: parent.digest for role, parent in parents.items()},
        }
        return Stage(self.kind.name, self.config, parents, content_digest(identity), self.kind.failure)


def recipe(kind: StageKind, config: Mapping[str, Json]) -> Recipe:
    """Return the recipe of stages of a kind with this configuration."""
    return Recipe(kind, config, kind.schema(config))


def make_stage(kind: StageKind, config: Mapping[str, Json], **parents: Stage) -> Stage:
    """Return one stage; see `Recipe.stage`."""
    return recipe(kind, config).stage(**parents)


def with_ancestors(stage: Stage) -> Iterator[Stage]:
    """Yield every stage it depends on once, parents first, then itself."""
    return _not_seen(stage, set())


def _not_seen(stage: Stage, seen: set[str]) -> Iterator[Stage]:
    if stage.digest in seen:
        return
    seen.add(stage.digest)
    for parent in stage.parents.values():
        if parent.digest not in seen:
            yield from _not_seen(parent, seen)
    yield stage
