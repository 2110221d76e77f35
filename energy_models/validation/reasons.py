"""Why a bar is missed and what data would mend it, by kind; a test wants a text wherever a bar is missed."""

from __future__ import annotations

from collections.abc import Mapping

MISSED: Mapping[str, str] = {}
