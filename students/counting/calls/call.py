"""One operation with its arguments by name, and what is said of the rule that counts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves


@dataclass(slots=True)
class Call:
    """One operation with its arguments by name."""

    function: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Any] = field(default_factory=list[Any])
    error: Exception | None = None

    @property
    def base_name(self) -> str:
        """Name without the underscore of an in-place operation."""
        return self.name if self.name.endswith("__") else self.name.removesuffix("_")

    def run(self) -> Any:
        """Execute it; note the result, or the error that the operation itself raises."""
        try:
            result = self.function(*self.args, **self.kwargs)
        except Exception as error:
            self.error = error
            raise
        self.results.append(result)
        return result

    def result(self) -> Any:
        """Return what it gave when it was executed; execute it if it was not, since it may write into an argument."""
        return self.results[0] if self.results else self.run()

    def named(self) -> dict[str, Any]:
        """Return all arguments by name, defaults included."""
        schema = self.function._schema.arguments
        values = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
        values |= {argument.name: value for argument, value in zip(schema, self.args, strict=False)}
        return values | self.kwargs


Rule = Callable[[Any, Call], Any]
"""Counts one operation: called with the tracer and the call, it returns what the operation returns."""


def even_when_silent(rule: Rule) -> Rule:
    """Return the rule marked to apply also inside modules whose arithmetic another rule counts."""
    rule.even_when_silent = True  # type: ignore[attr-defined]
    return rule


def by_shape(rule: Rule) -> Rule:
    """Return a repeating rule marked as independent of the numbers of constant operands too."""
    rule.by_shape = True  # type: ignore[attr-defined]
    return repeating(rule)


def repeating(rule: Rule) -> Rule:
    """Return the rule marked as doing the same for other numbers in operands of equal shape, known alike."""
    rule.repeating = True  # type: ignore[attr-defined]
    return rule


def moving(rule: Rule) -> Rule:
    """Return the rule of an operation that gives the numbers it was given, in other places."""
    rule.moving = True  # type: ignore[attr-defined]
    return rule


def sizing(*arguments: str) -> Callable[[Rule], Rule]:
    """Return a mark for rules that record the storage of these arguments themselves, where they are constant."""

    def mark(rule: Rule) -> Rule:
        rule.sizes = frozenset(arguments)  # type: ignore[attr-defined]
        return rule

    return mark


def tensors_of(values: object) -> list[Tensor]:
    """Return the tensors anywhere inside arguments or results."""
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, tuple | list):  # much the commonest containers, and torch's own way through them is slow
        return [tensor for one in values for tensor in tensors_of(one)]
    if values is None or isinstance(values, bool | int | float | str):
        return []
    if type(values) is dict:
        return [tensor for one in values.values() for tensor in tensors_of(one)]
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
