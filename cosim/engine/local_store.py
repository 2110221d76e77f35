"""A store in a folder: a stage appears under its final name in one atomic step, and is checked when it is opened."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cosim.engine.files import disk_errors, remove_stale
from cosim.engine.stage_hashes import damage, write_hashes
from cosim.engine.store import StageKey, StageLostError

STAGES = "stages"
PARTIAL = ".partial"
CLAIMS = ".claims"
REMOVED = ".removed-"
CHECKPOINTS = ".checkpoints"
DAMAGED = "damaged"
LOG = "run.log"


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Keeps stages below a run folder, as ``stages/<kind>/<digest>``.

    Parameters
    ----------
    root : Path
        Run folder.
    """

    root: Path

    @property
    def _stages(self) -> Path:
        return self.root / STAGES

    def _path(self, key: StageKey) -> Path:
        return self._stages / key.kind / key.digest

    def has(self, key: StageKey) -> bool:
        """Return whether the stage is there and whole; a damaged one is set aside, noted in the run's log.

        Raises
        ------
        CosimError
            If it cannot be read or moved, or the disk is full.
        """
        path = self._path(key)
        with disk_errors(path):
            if not os.path.lexists(path):
                return False
            reason = damage(path)
            if reason:
                said = f"stage {key.kind}/{key.digest} is damaged: {reason}"
                self._set_aside(path, f"{key.kind}-{key.digest}", said)
        return not reason

    def folder(self, key: StageKey) -> Path:
        """Return where the stage lives, after checking its files.

        Raises
        ------
        StageLostError
            If it is missing or damaged.
        """
        path = self._path(key)
        with disk_errors(path):
            reason = damage(path) if path.is_dir() else "this stage is missing"
        if reason:
            command = f"cosim resume {shlex.quote(str(self.root))}"
            raise StageLostError(reason, where=str(path), remedy=f"`{command}` computes it again.")
        return path

    def set_aside(self) -> tuple[str, ...]:
        """Return the notes of all damaged stages and checkpoints set aside in this run folder, oldest first."""
        notes = (path.read_text(encoding="utf-8") for path in (self.root / DAMAGED).glob("*.txt"))
        return tuple(sorted(note.strip() for note in notes))

    def _set_aside(self, path: Path, name: str, reason: str) -> None:
        """Move what is damaged to the folder for that, with a note beside it and a line in the run's log."""
        folder = self.root / DAMAGED
        folder.mkdir(exist_ok=True)
        number = len(list(folder.glob(f"{name}-*.txt"))) + 1
        aside = folder / f"{name}-{number}"
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        note = f"{now} {reason}; moved to {DAMAGED}/{aside.name}\n"
        path.rename(aside)
        aside.with_name(f"{aside.name}.txt").write_text(note, encoding="utf-8")
        with (self.root / LOG).open("a", encoding="utf-8") as log:
            log.write(note)

    @contextmanager
    def create(self, key: StageKey) -> Generator[Path]:
        """Yield an empty folder that becomes the stage when the block ends without an error.

        Raises
        ------
        CosimError
            If the disk is full or the run folder cannot be written.
        """
        final = self._path(key)
        with disk_errors(final):
            partial = self._stages / PARTIAL
            partial.mkdir(parents=True, exist_ok=True)
            final.parent.mkdir(parents=True, exist_ok=True)
            working = Path(tempfile.mkdtemp(prefix=f"{key.kind}-{key.digest}-", dir=partial))
            try:
                yield working
                write_hashes(working)
                _flush(working)
                _publish(working, final)
            finally:
                shutil.rmtree(working, ignore_errors=True)

    def checkpoint(self, key: StageKey) -> Path:
        """Return where an unfinished computation of that stage keeps its state between runs."""
        folder = self._stages / CHECKPOINTS
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{key.kind}-{key.digest}"

    def set_aside_checkpoint(self, key: StageKey, reason: str) -> None:
        """Move the checkpoint of an unfinished computation, which cannot be gone on from, to the damaged stages.

        Raises
        ------
        CosimError
            If it cannot be moved, or the disk is full.
        """
        path = self.checkpoint(key)
        with disk_errors(path):
            if path.exists():
                said = f"the checkpoint of stage {key.kind}/{key.digest} cannot be used: {reason}"
                self._set_aside(path, f"checkpoint-{key.kind}-{key.digest}", said)

    def remove_partial(self) -> None:
        """Remove what interrupted stages and writers left; only the process that holds the run folder's lock may.

        The folder goes in one step: a cluster's worker that outlived its coordinator then fails to keep its stage, and
        cannot keep a part of it.
        """
        with contextlib.suppress(OSError):  # there is none
            gone = Path(tempfile.mkdtemp(prefix=REMOVED, dir=self._stages))
            with contextlib.suppress(OSError):
                (self._stages / PARTIAL).rename(gone / PARTIAL)
        for gone in self._stages.glob(f"{REMOVED}*"):
            shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(self._stages / CLAIMS, ignore_errors=True)
        kept = self._stages / CHECKPOINTS
        with contextlib.suppress(OSError):  # a folder that cannot be written is told where it is written to
            for folder in (self.root, kept, *kept.glob("*/")):
                remove_stale(folder)


def _flush(folder: Path) -> None:
    """Bring every file of the folder to the disk, so that a name never outlives its content in a power cut."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _publish(working: Path, final: Path) -> None:
    try:
        working.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
