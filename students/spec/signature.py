"""What the signature of somebody's own class or function says of its options."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any


def type_hints(make: Callable[..., object]) -> Mapping[str, Any]:
    """Return what is said of the types of parameters; nothing where the words cannot be resolved."""
    called = make.func if isinstance(make, partial) else make
    try:
        return typing.get_type_hints(called.__init__ if isinstance(called, type) else called)
    except (NameError, TypeError, AttributeError):
        return {}
