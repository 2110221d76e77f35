"""What is to be known about a corpus before any score on it is believed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """Who recorded it, under what licence, and what a score on it may claim."""

    title: str
    licence: str
    citation: str
    homepage: str
    caveats: tuple[str, ...]
