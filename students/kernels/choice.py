"""Which of its two forms a kernel runs in: compiled by Numba, or plain torch.

Numba is taken for float32 tensors on the CPU, torch for everything else: other types and devices, subclasses of
tensors, and graphs that are being traced or operations that a dispatch mode follows, where a compiled function would
leave no trace. The environment variable
``COSIM_KERNELS`` (``numba`` or ``torch``) decides for a process, `using_kernels` for a block of code; neither makes
Numba run what it cannot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from energy_models.errors import StudentError

KernelPath = Literal["numba", "torch"]
VARIABLE = "COSIM_KERNELS"
_PLAIN = frozenset((Tensor, nn.Parameter))


@dataclass(slots=True)
class KernelsTaken:
    """What ran within a block of code.

    Parameters
    ----------
    paths : dict of str to set of {'numba', 'torch'}
        Forms in which each kernel ran, by the kernel's name.
    """

    paths: dict[str, set[KernelPath]] = field(default_factory=dict[str, set[KernelPath]])

    def summary(self) -> str:
        """Return one line: ``numba 0.61.2: lif, integrate; torch: gru`` and, where Numba was wanted, why it is out."""
        parts = [f"{title}: {names}" for path, title in self._titles().items() if (names := self._names(path))]
        notes = [note for note in _notes() if self.paths]
        return "; ".join([*parts, *notes])

    def _titles(self) -> dict[KernelPath, str]:
        used = any("numba" in paths for paths in self.paths.values())
        return {"numba": f"numba {_numba_version()}" if used else "numba", "torch": "torch"}

    def _names(self, path: KernelPath) -> str:
        return ", ".join(sorted(name for name, paths in self.paths.items() if path in paths))


_forced: ContextVar[KernelPath | None] = ContextVar("forced", default=None)
_record: ContextVar[KernelsTaken | None] = ContextVar("record", default=None)


def choose(kernel: str, *tensors: Tensor | None) -> KernelPath:
    """Return the form in which a kernel runs on these tensors, and note it for `kernels_taken`.

    Parameters
    ----------
    kernel : str
        Its name in the record.
    tensors : Tensor or None
        What it reads; None is skipped.

    Raises
    ------
    StudentError
        ``COSIM_KERNELS`` is neither ``numba`` nor ``torch``, or is ``numba`` where Numba cannot be imported.
    """
    path: KernelPath = "numba" if _wanted() == "numba" and _can_run(tensors) else "torch"
    record = _record.get()
    if record is not None:
        record.paths.setdefault(kernel, set()).add(path)
    return path


@contextmanager
def using_kernels(path: KernelPath) -> Iterator[None]:
    """Prefer one form within a block of code, whatever the environment says; for tests and measurements."""
    token = _forced.set(path)
    try:
        yield
    finally:
        _forced.reset(token)


@contextmanager
def kernels_taken() -> Iterator[KernelsTaken]:
    """Note which kernels run within a block of code, and in which form; a block around it notes them too."""
    taken, around = KernelsTaken(), _record.get()
    token = _record.set(taken)
    try:
        yield taken
    finally:
        _record.reset(token)
        if around is not None:
            for name, paths in taken.paths.items():
                around.paths.setdefault(name, set()).update(paths)


def _wanted() -> KernelPath:
    """Return the form that the block of code, the environment or what is installed asks for."""
    named = _forced.get() or os.environ.get(VARIABLE, "")
    if not named:
        return "torch" if numba_missing() else "numba"
    if named not in get_args(KernelPath):
        raise StudentError(
            f"there are no kernels {named!r}", where=VARIABLE, remedy="Set it to numba or torch, or leave it unset"
        )
    if named == "numba" and (reason := numba_missing()):
        raise StudentError(f"kernels by Numba were asked for: {reason}", where=VARIABLE, remedy="Set it to torch")
    return cast(KernelPath, named)


def _can_run(tensors: tuple[Tensor | None, ...]) -> bool:
    """True where each tensor is plain, float32 and on the CPU, no graph is traced and no operation followed."""
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # pyright: ignore[reportPrivateImportUsage]
        return False
    if _get_current_dispatch_mode() is not None:
        return False
    return all(
        tensor is None
        or (type(tensor) in _PLAIN and tensor.dtype is torch.float32 and tensor.device.type == "cpu")
        for tensor in tensors
    )


@cache
def numba_missing() -> str:
    """Return why Numba cannot be imported, in a few words; empty where it can be."""
    try:
        import numba  # noqa: F401
    except (ImportError, OSError) as error:
        return f"numba cannot be imported ({error})"
    return ""


@cache
def _numba_version() -> str:
    import numba

    return numba.__version__


def _notes() -> list[str]:
    """Return what a reader of the record should know: Numba is out, or compiles anew in each process."""
    from students.kernels.compiled import uncached

    missing = numba_missing()
    notes = [missing] if missing and _forced.get() is None and not os.environ.get(VARIABLE) else []
    return [*notes, *(f"compiled in each process: {reason}" for reason in uncached())]
