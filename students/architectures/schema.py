"""What an architecture file holds. See ``docs/architectures.md`` for the files that ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, model_validator

from energy_models.errors import CosimError
from energy_models.quantities import Frozen, Source, require_source
from students.architectures.blocks import Block, Embedding, Parallel, Repeat, Residual

MOST_LAYERS = 10_000
LARGEST_SIZE = 1 << 20
LARGEST_INPUT = 1 << 26
Text = Annotated[str, Field(min_length=1)]


class Input(Frozen):
    """One decode's input.

    Parameters
    ----------
    channels, steps : int
    rate_hz : float
        Rate of the steps [Hz].
    codes : int or None
        Where given, inputs are integers from 0 up to this many (spike counts); else real numbers.
    """

    channels: PositiveInt
    steps: PositiveInt
    rate_hz: PositiveFloat
    codes: PositiveInt | None = None


class Figure(Frozen):
    """A published figure to compare with.

    Parameters
    ----------
    value : int
    source : str
        Key of the record it was read in.
    where : str
        Section, table or file.
    covers : {'all', 'stored_weights'}
        For products: all of them, or only those with stored weights (no products of two signals).
    tolerance : float
        Largest relative difference accepted between the count here and the value; 0: equal.
    deviation : str
        Why the two differ; required where the tolerance is not zero.
    """

    value: PositiveInt
    source: Text
    where: Text
    covers: Literal["all", "stored_weights"] = "all"
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    deviation: str = ""

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        _known(self.source, info)
        if (self.tolerance > 0) != bool(self.deviation):
            raise ValueError("a tolerance needs a deviation that explains it, and the other way round")
        return self


class Published(Frozen):
    """Figures the source, or a named measurement of its published code, gives."""

    parameters: Figure | None = None
    products: Figure | None = None


class Architecture(Frozen):
    """A network as far as its sources describe it.

    Parameters
    ----------
    name : str
        The file's stem.
    title, task : str
    source : str
        Key of its bibliographic record.
    where : str
        Where in the source the layers are.
    outputs : tuple of int
        Shape of one answer; checked when it is built.
    input : Input
    published : Published
    assumed : tuple of str
        Everything the sources leave open, as ``what: value, why``. All else is sourced.
    layers : tuple of Block
    sources : dict of Source
    """

    remedy: ClassVar[str] = "Mend them all; kinds of layers and their fields are in students/architectures/blocks.py"

    name: Text
    title: Text
    task: Text
    source: Text
    where: Text
    outputs: tuple[PositiveInt, ...] = Field(min_length=1)
    input: Input
    published: Published = Published()
    assumed: tuple[Annotated[str, Field(pattern=r"^[^:]+: .+, .+$")], ...]
    layers: tuple[Block, ...] = Field(min_length=1)
    sources: dict[str, Source] = Field(default_factory=dict[str, Source])

    @model_validator(mode="after")
    def _known_source(self, info: ValidationInfo) -> Self:
        _known(self.source, info)
        _check_codes(self.layers, self.input.codes)
        _check_sizes(self.layers, self.input)
        return self


def _check_sizes(layers: tuple[Block, ...], described: Input) -> None:
    """Raise ValueError where a network is larger than any that is counted; it is counted here before it is built."""
    if (written := _written_out(layers)) > MOST_LAYERS:
        raise ValueError(f"layers: {written:,} with those that are repeated, {MOST_LAYERS:,} at most")
    if (values := described.channels * described.steps) > LARGEST_INPUT:
        raise ValueError(f"input: {values:,} values, {LARGEST_INPUT:,} at most")
    for index, block in enumerate(layers):
        for name in _large("", block.model_dump()):
            raise ValueError(f"layers.{index}.{name}: above {LARGEST_SIZE:,}")


def _written_out(layers: tuple[Block, ...]) -> int:
    """Return how many layers there are once repeats are written out."""
    total = 0
    for block in layers:
        if isinstance(block, Repeat):
            total += block.times * _written_out(block.layers)
        elif isinstance(block, Residual):
            total += _written_out(block.layers) + _written_out(block.shortcut)
        elif isinstance(block, Parallel):
            total += sum(map(_written_out, block.branches))
        else:
            total += 1
    return total


def _large(path: str, value: object) -> Iterator[str]:
    """Yield where the whole numbers of a block are larger than any size of a layer."""
    if isinstance(value, int) and value > LARGEST_SIZE:
        yield path.lstrip(".")
    elif isinstance(value, Mapping):
        for key, inner in cast(Mapping[str, object], value).items():
            yield from _large(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(cast(Sequence[object], value)):
            yield from _large(f"{path}.{index}", inner)


def _check_codes(layers: tuple[Block, ...], codes: int | None) -> None:
    """Raise ValueError unless integer inputs go straight into a table that holds them all."""
    entries = layers[0].entries if isinstance(layers[0], Embedding) else None
    if (codes is None) != (entries is None) or (codes is not None and entries is not None and codes > entries):
        raise ValueError(
            f"input.codes = {codes} and a first layer with {entries or 'no'} table entries: integer inputs go into an "
            "'embedding' with at least as many entries, and only they do"
        )


def _known(key: str, info: ValidationInfo) -> None:
    """Raise ValueError for a source without a record; only files, not copies, carry the records to check with."""
    if info.context is not None:
        try:
            require_source(key, info.context["sources"])
        except CosimError as error:
            raise ValueError(str(error)) from error
