"""Imports Brevitas without torch's compiler, which it asks for one function and which takes a second to import."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import torch

COMPILER = "torch._dynamo"


class _Compiler(ModuleType):
    """Stands for the compiler while Brevitas is imported; asked for anything else it makes way for the compiler."""

    is_compiling = staticmethod(torch.compiler.is_compiling)  # what the compiler's function of this name calls

    def __getattr__(self, name: str) -> object:
        sys.modules.pop(COMPILER, None)
        return getattr(import_module(COMPILER), name)


def import_brevitas() -> None:
    """Import Brevitas; the compiler is imported by whom it compiles for, later or never."""
    if "brevitas" in sys.modules or COMPILER in sys.modules:
        return
    stand_in = sys.modules[COMPILER] = _Compiler(COMPILER)
    try:
        import_module("brevitas")
    finally:
        if sys.modules.get(COMPILER) is stand_in:
            del sys.modules[COMPILER]
