"""What ``entries.toml`` says: decoders with published scores and claims, and the network that stands for each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, model_validator

from energy_models.errors import ProfileError
from energy_models.quantities import Frozen, Source, parse_model, read_toml, require_source
from students.architectures import load_architecture
from students.spec import Scalar

FILE = Path(__file__).with_name("entries.toml")
UNITS: Mapping[str, float] = {"uJ": 1e-6, "mJ": 1e-3, "uW": 1e-6, "mW": 1e-3}


class Task(Frozen):
    """Decoders of one task, whose scores have one metric; `why` says why they decide at this rate [Hz]."""

    title: str
    metric: str
    rate_hz: PositiveFloat
    why: str


class Score(Frozen):
    """A published score under a protocol; ``assumed`` where recalled or not certainly of this network."""

    value: float
    spread: PositiveFloat | None = None
    protocol: str
    source: str
    where: str
    basis: Literal["read", "assumed"] = "read"


class Claim(Frozen):
    """The authors' own energy or power; `fitted`: our machine's constants were fitted to it."""

    value: PositiveFloat
    unit: Literal["uJ", "mJ", "uW", "mW"]
    machine: str = ""
    basis: Literal["measured", "simulated"]
    source: str
    where: str
    fitted: bool = False

    @property
    def si(self) -> float:
        """Value in joules or watts."""
        return self.value * UNITS[self.unit]


class PublishedFigure(Frozen):
    """A published count to compare with."""

    value: PositiveFloat
    where: str


class Student(Frozen):
    """A shipped family in the published sizes."""

    family: str
    channels: PositiveInt
    outputs: PositiveInt
    options: dict[str, Scalar]


class Decoder(Frozen):
    """One published decoder.

    Parameters
    ----------
    name, task : str
    architecture : str
        Name of the architecture file counted for it.
    student : Student or None
        Or the family.
    synapses : tuple of pairs
        Or full layers of synapses (inputs, outputs), each before its neurons.
    not_counted : str
        Or why none is.
    spikes : dict
        Spikes a decode of layers of synapses (incoming) and of neurons (outgoing), and in `spikes_from` whence.
    kept : float
        Share of the synapses that pruning left.
    published_acs : PublishedFigure or None
        Accumulates of a decode as published, for as many channels.
    scores : tuple of Score
        The first stands in the table.
    claims : tuple of Claim
    """

    name: str
    task: str
    architecture: str = ""
    student: Student | None = None
    synapses: tuple[tuple[PositiveInt, PositiveInt], ...] = ()
    not_counted: str = ""
    spikes: dict[str, PositiveFloat] = Field(default_factory=dict[str, float])
    spikes_from: str = ""
    kept: float = Field(default=1.0, gt=0, le=1)
    published_acs: PublishedFigure | None = None
    scores: tuple[Score, ...]
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if sum(map(bool, (self.architecture, self.student, self.synapses, self.not_counted))) != 1:
            raise ValueError(f"{self.name}: give an architecture, a student, synapses, or why it is not counted")
        if bool(self.spikes) != bool(self.spikes_from):
            raise ValueError(f"{self.name}: spikes need to say whence they are, and the other way round")
        return self


class Leaderboard(Frozen):
    """All of it: tasks in their order, protocols in words, machines priced and those of them shown."""

    machines: tuple[str, ...]
    shown: tuple[str, ...]
    tasks: dict[str, Task]
    protocols: dict[str, str]
    decoders: tuple[Decoder, ...]
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> Self:
        for decoder in self.decoders:
            if decoder.task not in self.tasks:
                raise ValueError(f"{decoder.name}: no task {decoder.task!r}")
            for score in decoder.scores:
                if score.protocol not in self.protocols:
                    raise ValueError(f"{decoder.name}: no protocol {score.protocol!r}")
            for one in (*decoder.scores, *decoder.claims):
                _check_source(one, info)
            for claim in decoder.claims:
                if claim.machine and claim.machine not in self.machines:
                    raise ValueError(f"{decoder.name}: {claim.machine!r} is not priced")
        if strange := set(self.shown) - set(self.machines):
            raise ValueError(f"shown, but not priced: {', '.join(sorted(strange))}")
        return self


def _check_source(one: Score | Claim, info: ValidationInfo) -> None:
    if info.context is None:
        return
    try:
        record = require_source(one.source, info.context["sources"])
    except ProfileError as error:
        raise ValueError(str(error)) from error
    if one.basis != "assumed" and not record.was_read:
        raise ValueError(f"{one.source} was not read: its figures are assumed")


@cache
def leaderboard(file: Path = FILE) -> Leaderboard:
    """Return the leaderboard of a file; records of the architectures it names are known to it.

    Raises
    ------
    ProfileError
        All problems of the file.
    """
    data = read_toml(file, error=ProfileError, remedy="Name a readable TOML file")
    records = dict(data["sources"])
    for name in {one["architecture"] for one in data["decoders"] if "architecture" in one}:
        records |= {key: record.model_dump() for key, record in load_architecture(name).sources.items()}
    return parse_model({**data, "sources": records}, Leaderboard, where=file.name)
