"""Looks at an installation and says what is there, what is missing and what is wrong."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cosim.datasets.registry import dataset_names
from cosim.engine.versions import versions
from cosim.study.document import study_names
from energy_models.errors import CosimError
from energy_models.hardware import load_profile, load_site, profile_names, site_names

LEARNING = ("torch", "brevitas", "snntorch", "students.quantize.layers", "students.neurons.snntorch_adapter")
FREE_BYTES = 1 << 30  # a study of this size keeps well under a gibibyte


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``missing`` is no fault, ``wrong`` is."""

    check: str
    state: Literal["ok", "missing", "wrong"]
    detail: str


def examine(data_dir: Path | None) -> tuple[Finding, ...]:
    """Return every finding; `data_dir` None stands for the environment variable ``COSIM_DATA``."""
    catalogues = [
        _attempt("profiles", lambda: ", ".join(load_profile(name).name for name in profile_names())),
        _attempt("sites", lambda: ", ".join(load_site(name).name for name in site_names())),
        _attempt("datasets", lambda: ", ".join(dataset_names())),
        _attempt("studies", lambda: ", ".join(study_names())),
    ]
    packages = [
        Finding(f"package {name}", "wrong" if found == "absent" else "ok", found) for name, found in versions().items()
    ]
    learning = [_imports(name) for name in LEARNING]
    return (*packages, *learning, *catalogues, _recordings(data_dir), _disk())


def _attempt(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, "ok", look())
    except CosimError as error:
        return Finding(check, "wrong", str(error))


def _imports(name: str) -> Finding:
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as error:
        return Finding(f"import {name}", "wrong", str(error))
    return Finding(f"import {name}", "ok", "")


def _recordings(data_dir: Path | None) -> Finding:
    named = str(data_dir or os.environ.get("COSIM_DATA", ""))
    if not named:
        detail = "name a folder with --data-dir or COSIM_DATA; synthetic corpora need none"
        return Finding("recordings", "missing", detail)
    if not os.path.isdir(named):
        return Finding("recordings", "wrong", f"{named} is no folder")
    present = {entry.name for entry in Path(named).iterdir() if entry.is_dir()}
    return Finding("recordings", "ok", f"{named}: {', '.join(sorted(present)) or 'empty'}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    return Finding("disk", "ok" if free > FREE_BYTES else "wrong", f"{free >> 20} MiB free here")
