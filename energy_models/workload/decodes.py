"""Work that is the same in every decode, counted once."""

from __future__ import annotations

import dataclasses

from energy_models.errors import WorkloadError
from energy_models.workload.layers import CONVENTIONS, EVENT_COUNTS, Conventions, Count, LayerWork, Products


def tile_over_decodes(row: LayerWork, decodes: int) -> LayerWork:
    """Return a row counted over one decode as the same work over many; one counted over as many is returned as it is.

    Raises
    ------
    WorkloadError
        If the row was counted over another number of decodes, more than one.
    """

    def again(count: Count) -> Count:
        if count.decodes == decodes:
            return count
        if count.decodes != 1:
            raise WorkloadError(
                f"it was counted over {count.decodes} decodes, neither {decodes} nor one",
                where=row.name,
                remedy="Count both over the same recordings, or that over one decode",
            )
        return Count.constant(count.total, decodes)

    products = row.products and Conventions(*(
        Products(again(kept.multiply_accumulate), again(kept.accumulate))
        for kept in (getattr(row.products, name) for name in CONVENTIONS)
    ))  # fmt: skip
    optional = {name: again(count) for name in EVENT_COUNTS if (count := getattr(row, name)) is not None}
    operations = {kind: again(count) for kind, count in row.operations.items()}
    return dataclasses.replace(row, products=products, operations=operations, **optional)
