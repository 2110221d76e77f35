"""The optional package braindecode: imported when it is asked for, and where torchaudio's compiled part cannot load."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from functools import cache
from typing import Any

from torch import nn

from energy_models.errors import StudyError, unknown_name

EXTENSION = "torchaudio._extension"


@cache
def models() -> types.ModuleType:
    """Return ``braindecode.models``.

    Raises
    ------
    StudyError
        If it is not installed, or cannot be imported.
    """
    if "braindecode" not in sys.modules and importlib.util.find_spec("braindecode") is None:
        raise StudyError("braindecode is not installed", where="teacher 'braindecode'",
                         remedy="Install it: pip install 'cosim[braindecode]'")  # fmt: skip
    try:
        _import_torchaudio()
        return importlib.import_module("braindecode.models")
    except (ImportError, OSError) as error:
        raise StudyError(f"braindecode cannot be imported ({error})", where="teacher 'braindecode'",
                         remedy="Install it with all that it needs: pip install 'cosim[braindecode]'") from error


def model_class(name: str) -> type[nn.Module]:
    """Return a network class of braindecode.

    Raises
    ------
    StudyError
        As `models`, or if there is no such network, with the nearest names.
    """
    module = models()
    classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
    networks = {key: value for key, value in classes.items() if issubclass(value, nn.Module)}
    if name not in networks:
        raise StudyError(f"braindecode has no network {name!r}", where="teacher 'braindecode'",
                         remedy=unknown_name("networks", name, networks))  # fmt: skip
    return networks[name]


def _import_torchaudio() -> None:
    """Import torchaudio, which braindecode does, without its compiled part where that does not load.

    Its wheels link CUDA, which a torch for CPUs lacks; what braindecode uses is its pure torch code.
    """
    if "braindecode" in sys.modules or importlib.util.find_spec("torchaudio") is None:
        return
    try:
        importlib.import_module("torchaudio")
    except OSError:
        for name in [one for one in sys.modules if one.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        stub: Any = types.ModuleType(EXTENSION)
        stub._IS_TORCHAUDIO_EXT_AVAILABLE = False
        stub.fail_if_no_align = _unavailable
        sys.modules[EXTENSION] = stub
        importlib.import_module("torchaudio")


def _unavailable(function: object) -> object:
    def refuse(*arguments: object, **named: object) -> object:
        raise StudyError("it needs torchaudio's compiled part, which does not load here", where=str(function),
                         remedy="Install a torchaudio that fits this torch")  # fmt: skip

    return refuse
