"""Why a bar is missed and what data would mend it, by kind; a test wants a text wherever a bar is missed."""

from __future__ import annotations

from collections.abc import Mapping

MISSED: Mapping[str, str] = {
    "event": (
        "Four rows are one synaptic operation of other 28 nm chips on a core set to ODIN and ReckOn: they span 17-fold,"
        " TrueNorth's own 10-fold, because they divide different powers by operations at different rates. With its own "
        "profile TrueNorth is met within 1 % at the same supply and 9 % at another. "
        "Loihi's published energies per event were simulated at 0.75 V, and a board drew less than even their minima. "
        "Xylo's detectors state neither network nor clock. Static power apart from energy per event, as ODIN has it, "
        "and spike counts beside each power would mend all three."
    ),
    "transfer": (
        "Power under load belongs to a chip, not to a core: the Cortex-M7 that ran EEGNet in float32 drew three times "
        "what the STM32H7A3 draws in int8, at a supply and clock that its abstract does not state. Mr. Wolf's cycles "
        "are 38 % too few for Vega, whose figures contain the start of its cluster and whose clock of the memories is "
        "a third of the cluster's. One measured network on the chip itself mends either: calibrate it."
    ),
    "system": (
        "The two totals of GAPses are two to three times the sum: by its own abstract 98 % of the first is not "
        "classification, and no source read says what the glasses draw between inferences. The other three are met by "
        "front ends of other designs, hence their wide bands. Currents by part, idle and active, would mend both."
    ),
}
