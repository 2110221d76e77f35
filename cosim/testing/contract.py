"""How a contract suite says that a promise is broken."""

from __future__ import annotations

from collections.abc import Callable

from energy_models.errors import CosimError


class ContractError(CosimError):
    """A plug-in that breaks a promise of its group."""


def require(kept: bool, broken: str, *, where: str, remedy: str) -> None:  # a check, not an option
    """Raise a `ContractError` unless a promise was kept."""
    if not kept:
        raise ContractError(broken, where=where, remedy=remedy)


def require_refused(act: Callable[[], object], what: str, *, where: str) -> None:
    """Raise a `ContractError` unless `act` raises one of the project's own errors.

    Parameters
    ----------
    act : callable
        Does what the plug-in must refuse.
    what : str
        What that is, for the message.
    where : str
        Which plug-in.
    """
    try:
        act()
    except ContractError:
        raise
    except CosimError:
        return
    raise ContractError(f"it accepts {what}", where=where, remedy="Raise an error that says what, where and the remedy")
