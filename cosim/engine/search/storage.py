"""Where a search is kept: SQLite in the run folder, or what coordinators share by a URL; its failures as errors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from cosim.engine.files import disk_full
from cosim.study.schema import JOURNAL
from energy_models.errors import CosimError, StudyError, errors_placed

DATABASE = "study.db"


@contextmanager
def database_errors(root: Path, storage: str | None = None) -> Generator[None]:
    """Turn a database that finds no room, is damaged or is not reached into the one-paragraph error.

    Parameters
    ----------
    root : Path
        Run folder.
    storage : str or None
        URL of the search's storage; None: the database in the run folder.

    Raises
    ------
    CosimError
        Naming the file or the URL; every failure that is not the database's passes unchanged.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        if storage is None and "disk is full" in f"{error} {error.__cause__}":
            raise disk_full(root / DATABASE) from error
        said = str(getattr(error, "orig", None) or error.__cause__ or error).splitlines()[0]
        raise _unusable(root, storage, said) from error


@contextmanager
def records_read(root: Path, storage: str | None) -> Generator[None]:
    """Turn what Optuna raises on rows that are not as it wrote them into the same error; nothing else stands in here.

    Raises
    ------
    CosimError
        Naming the file or the URL.
    """
    try:
        with errors_placed(storage or str(root / DATABASE)):
            yield
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _unusable(root, storage, f"{type(error).__name__}: {error}"[:200]) from error


def _unusable(root: Path, storage: str | None, said: str) -> CosimError:
    if storage is None:
        remedy = "Delete it and run again: the search begins anew, and finished points are not computed again."
    else:
        remedy = "Is it reached and writable from here? Finished stages are kept; continue with `cosim resume`."
    where = storage or str(root / DATABASE)
    return CosimError(f"the database of the search cannot be used ({said})", where=where, remedy=remedy)


def open_storage(root: Path, storage: str | None) -> BaseStorage:
    """Return the storage of a search, made where there is none.

    Parameters
    ----------
    root : Path
        Run folder.
    storage : str or None
        URL of a database or, as ``journal:///path``, of a file that operations are appended to; None: the database in
        the run folder.

    Raises
    ------
    CosimError
        The database's driver is not installed, or there can be no such file.
    """
    if storage is None:
        return _in_run_folder(root)
    try:
        if storage.startswith(JOURNAL):
            return JournalStorage(JournalFileBackend(unquote(storage.removeprefix(JOURNAL))))
        return RDBStorage(storage)
    except ImportError as error:
        raise StudyError(f"its driver is not installed ({error})", where=f"search.storage = {storage!r}",
                         remedy="Install it: pip install 'cosim[postgresql]'") from error  # fmt: skip
    except OSError as error:
        raise _unusable(root, storage, error.strerror or str(error)) from error


def _address(file: Path) -> str:
    """Return the address of a database; built by hand, a ``?`` or ``#`` of the folder's name would end it."""
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def _in_run_folder(root: Path) -> RDBStorage:
    """Open a run's database; a new one gets its name when its tables are whole, or a kill would leave half of them."""
    file = root / DATABASE
    if not file.exists():
        partial = file.with_name(f"{DATABASE}.partial")
        partial.unlink(missing_ok=True)
        RDBStorage(_address(partial)).engine.dispose()
        partial.replace(file)
    return RDBStorage(_address(file))
