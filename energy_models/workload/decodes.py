"""Work that is the same in every decode, counted once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from energy_models.errors import WorkloadError
from energy_models.workload.count import Count
from energy_models.workload.layers import EVENT_COUNTS, LayerWork
from energy_models.workload.products import CONVENTIONS, Conventions, Products


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

    return _with_counts(row, again)


def over_one_decode(row: LayerWork) -> LayerWork:
    """Return a row that is the same in every decode, counted over one of them.

    Raises
    ------
    WorkloadError
        If it differs between decodes.
    """

    def once(count: Count) -> Count:
        if count.squares * count.decodes != count.total**2:
            raise WorkloadError(
                "its work differs between decodes", where=row.name, remedy="Count it over the recordings that are meant"
            )
        return Count.constant(count.total // count.decodes, 1)

    return _with_counts(row, once)


def _with_counts(row: LayerWork, change: Callable[[Count], Count]) -> LayerWork:
    products = row.products and Conventions(*(
        Products(change(kept.multiply_accumulate), change(kept.accumulate))
        for kept in (getattr(row.products, name) for name in CONVENTIONS)
    ))  # fmt: skip
    optional = {name: change(count) for name in EVENT_COUNTS if (count := getattr(row, name)) is not None}
    operations = {kind: change(count) for kind, count in row.operations.items()}
    return dataclasses.replace(row, products=products, operations=operations, **optional)
