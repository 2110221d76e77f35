"""Why a bar is missed and what data would mend it, by kind; a test wants a text wherever a bar is missed."""

from __future__ import annotations

from collections.abc import Mapping

MISSED: Mapping[str, str] = {
    "system": (
        "The two totals of GAPses are two to three times the sum: by its own abstract 98 % of the first is not "
        "classification, and no source read says what the glasses draw between inferences. The other three are met by "
        "front ends of other designs, hence their wide bands. Currents by part, idle and active, would mend both."
    ),
}
