"""The family of a network class of one's own: any ``torch.nn.Module`` made as ``Name(channels, steps, outputs, ...)``.

A function with these arguments that returns a network will do as well. What the class takes beside the three are its
options, as its signature states them.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import ConfigDict, create_model
from torch import Tensor, nn

from energy_models.errors import StudentError, raised_where
from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.forward_check import check_forward
from students.layers import Layers, OutputScale
from students.spec import Float32, Quantised, Scalar, Shape
from students.spec.signature import type_hints

Make = Callable[..., object]

SHAPE = ("channels", "steps", "outputs")
"""What every class is given, by these names where it has all three, else as its first three arguments."""

OUTPUT_SCALE = "output_scale"
"""Option of every class that decodes regressions, beside its own."""


class OwnOptions(FamilyOptions):
    """Base of the options of a class: what is not in its signature is refused, unless the class takes any keyword.

    Parameters
    ----------
    output_scale : {'targets', 'none'}
        Regression only. ``targets``: estimates are multiplied by the deviation of the training targets and shifted by
        their mean, so that the network itself gives numbers near one; ``none``: it gives physical units itself.
    """

    output_scale: Literal["targets", "none"] = "targets"


class StepEstimates(nn.Module):
    """A network of one's own with its estimates ``(batch, steps, outputs)`` brought to physical units."""

    def __init__(self, network: nn.Module, output_scale: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.output_scale = output_scale
        self.warmup_steps = getattr(network, "warmup_steps", 0)

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to ``(batch, steps, outputs)``."""
        return self.output_scale(self.network(signal).transpose(1, 2)).transpose(1, 2)


def makes_networks(found: object) -> TypeGuard[Make]:
    """Return whether an object is a class of networks, or a function, which may return one."""
    return (isinstance(found, type) and issubclass(found, nn.Module)) or inspect.isroutine(found)


def is_own_class(family: Family[Any]) -> bool:
    """Return whether a family is that of a class, or function, of one's own."""
    return issubclass(family.Options, OwnOptions)


@cache
def family_of(name: str, make: Make) -> Family[OwnOptions]:
    """Return the family of a class of networks, or of a function that returns one.

    Parameters
    ----------
    name : str
        As ``module:object``.
    make : class or function

    Raises
    ------
    StudentError
        A signature that does not take channels, steps and outputs, or an option of a reserved name.
    """
    return Family(
        title=name.partition(":")[2], tasks=WINDOWS_AND_STEPS, forms=(Float32, Quantised), spiking=False,
        Options=_options(name, make), build=partial(_build, name, make),
    )  # fmt: skip


def _parameters(name: str, make: Make) -> tuple[list[inspect.Parameter], list[inspect.Parameter]]:
    """Return the parameters that take the shape, and the others."""
    try:
        found = list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError) as error:
        raise StudentError(
            f"its signature cannot be read ({error})", where=f"family {name!r}",
            remedy=f"Write a class made as {_call(name)}",
        ) from error
    by_name = [one for one in found if one.name in SHAPE and one.kind is not one.POSITIONAL_ONLY]
    if len(by_name) == len(SHAPE):
        return by_name, [one for one in found if one not in by_name]
    placed = [one for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    anything = any(one.kind is one.VAR_POSITIONAL for one in found)
    if len(placed) < len(SHAPE) and not anything:
        takes = ", ".join(map(str, found)) or "nothing"
        raise StudentError(
            f"it takes ({takes}), not channels, steps and outputs", where=f"family {name!r}",
            remedy=f"Let it be made as {_call(name)}; arguments of these three names are found in any order",
        )
    shape = placed[: len(SHAPE)]
    return shape, [one for one in found if one not in shape and one.kind is not one.VAR_POSITIONAL]


def _options(name: str, make: Make) -> type[OwnOptions]:
    """Return the options that a signature states: of the type it says, with its defaults."""
    fields: dict[str, Any] = {}
    rest = _parameters(name, make)[1]
    if reserved := [one.name for one in rest if one.name == OUTPUT_SCALE or hasattr(FamilyOptions, one.name)]:
        raise StudentError(
            f"an option cannot be called {reserved[0]!r}", where=f"family {name!r}", remedy="Give it another name"
        )
    hints = type_hints(make)
    for one in rest:  # what has a default that no study file can hold keeps it
        if one.kind is not one.VAR_KEYWORD and _writable(one.default):
            fields[one.name] = (_type(hints.get(one.name)), ... if one.default is one.empty else one.default)
    extra = "allow" if any(one.kind is one.VAR_KEYWORD for one in rest) else "forbid"
    settings = ConfigDict(protected_namespaces=(), extra=extra)
    base = type("OwnOptions", (OwnOptions,), {"model_config": settings, "__module__": __name__})
    return create_model("Options", __base__=base, **fields)


def _writable(default: object) -> bool:
    return default is None or default is inspect.Parameter.empty or isinstance(default, bool | int | float | str)


def _type(hint: Any) -> Any:
    """Return the type of an option: what a study file can hold of what its hint says, any scalar where it says else."""
    if hint in (bool, int, float, str) or get_origin(hint) is Literal:
        return hint
    if get_origin(hint) in (Union, types.UnionType):
        simple = [one for one in get_args(hint) if one in (bool, int, float, str)]
        return Union[tuple(simple)] if simple else Scalar  # noqa: UP007  (made of a tuple)
    return Scalar


def _build(name: str, make: Make, options: OwnOptions, shape: Shape, layers: Layers) -> nn.Module:
    """Return a network of the class after its first forward passes, its outputs in physical units."""
    network, call = _made(name, make, options, shape)
    has_scale = any(isinstance(module, OutputScale) for module in network.modules())
    check_forward(network, shape, name=name, call=call, folder=_folder(make))
    if shape.task == "regression" and options.output_scale == "targets" and not has_scale:
        network = StepEstimates(network, layers.output_scale(shape.outputs))
    return layers.adopt(network, shape)


def _folder(make: Make) -> Path | None:
    """Return the folder of the file that a class or function is from."""
    file = getattr(sys.modules.get(make.__module__), "__file__", None)
    return None if file is None else Path(file).parent


def _made(name: str, make: Make, options: OwnOptions, shape: Shape) -> tuple[nn.Module, str]:
    """Return what the class makes, and the call that made it."""
    own = options.model_dump(exclude_unset=True, exclude={OUTPUT_SCALE})
    values = {"channels": shape.channels, "steps": shape.steps, "outputs": shape.outputs}
    found, _ = _parameters(name, make)
    called = name.partition(":")[2]
    by_name = {one.name for one in found} == set(SHAPE)
    given = {**({one.name: values[one.name] for one in found} if by_name else {}), **own}
    placed = () if by_name else tuple(values.values())
    words = [*(f"{one.name}={value}" for one, value in zip(found, placed, strict=False)), *_words(given)]
    call = f"{called}({', '.join(words or map(str, placed))})"
    try:
        network = make(*placed, **given)
    except StudentError:
        raise
    except Exception as error:  # the class is a user's and may raise anything
        raise StudentError(
            f"{call} raised {raised_where(error, _folder(make))}", where=f"family {name!r}",
            remedy=f"It has to be made as {_call(name)}; options of a student are its keywords",
        ) from error
    if not isinstance(network, nn.Module):
        raise StudentError(
            f"{call} returned a {type(network).__name__}", where=f"family {name!r}",
            remedy="Let it return a torch.nn.Module",
        )
    return network, call


def _call(name: str) -> str:
    return f"{name.partition(':')[2]}({', '.join(SHAPE)}, ...)"


def _words(given: Mapping[str, object]) -> list[str]:
    return [f"{key}={value!r}" for key, value in given.items()]
