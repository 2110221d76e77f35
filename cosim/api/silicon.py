"""Published figures of silicon beside what is predicted for them, as a table."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import pandas as pd

from energy_models.validation import ROW_KINDS, all_rows


def measured_figures() -> pd.DataFrame:
    """Return every published figure that the energy models are held against, by its id.

    Columns: ``kind`` of machine, ``what`` network, ``machine``, ``quantity`` and ``unit``; ``predicted`` with the
    central 90 % ``low`` to ``high``, ``measured``, ``ratio`` of the two, whether it is ``in_band``; ``role`` is
    ``held out`` where no constant of the prediction came from the row, else ``fitted``; ``source`` and ``note``.
    """
    rows = [
        {
            "id": one.id, "kind": ROW_KINDS[kind], "what": one.what, "machine": one.machine, "quantity": one.quantity,
            "unit": one.unit, "predicted": one.predicted.nominal, "low": one.predicted.low,
            "high": one.predicted.high, "measured": one.measured, "ratio": one.ratio,
            "in_band": one.predicted.low <= one.measured <= one.predicted.high, "role": one.role,
            "source": one.source, "note": one.note,
        }
        for kind, found in all_rows().items()
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("id")
