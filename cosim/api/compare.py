"""Designs side by side under common uncertainty: which draws less, and how surely."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cosim.api.arguments import rate_of
from cosim.api.works import Work, workload_of
from cosim.workloads.comparison import DesignSource, NamedDesign, Pair, Part, compared, design_parts, design_rows
from energy_models.analysis import spread
from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, Site, load_profile
from energy_models.quantities import html_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class ComparedDesigns:
    """Some designs, least median power first, and every pair of them.

    Parameters
    ----------
    designs : tuple of NamedDesign
    pairs : tuple of Pair
    part : {'decoder', 'device'}
        Whose power is compared.
    """

    designs: tuple[NamedDesign, ...]
    pairs: tuple[Pair, ...]
    part: Part

    def to_frame(self) -> pd.DataFrame:
        """Return one row a design: 5, 50 and 95 % points of its power [W], and why that is no answer if so."""
        import pandas as pd

        names = ("power_5_percent_w", "power_median_w", "power_95_percent_w")
        return pd.DataFrame(
            [
                {"design": one.name, **dict(zip(names, spread(one.power_w), strict=True)), "flaw": one.flaw}
                for one in self.designs
            ]
        )

    def pairs_frame(self) -> pd.DataFrame:
        """Return one row a pair that can be compared: how surely the first takes less, quantiles of the quotient."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "design": pair.first, "against": pair.second, "probability_less": pair.found.probability_less,
                    "ratio_5_percent": pair.found.ratio[0], "ratio_median": pair.found.ratio[1],
                    "ratio_95_percent": pair.found.ratio[2],
                }
                for pair in self.pairs
                if pair.found is not None
            ]
        )

    def summary(self) -> str:
        """Return the designs, least power first, and how surely each takes less than the next, as text."""
        lines = [
            " ".join([f"{row['design']}: {row['5 %']} / {row['50 %']} / {row['95 %']}", str(row["remark"])]).strip()
            for row in design_rows(self.designs)
        ]
        lines += [
            f"{pair.first} takes less than {pair.second} with probability {pair.found.probability_less:.3f}"
            for pair in self.pairs
            if pair.found is not None
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.designs)
        return f"<ComparedDesigns: power of the {self.part}, least first: {names}>"

    def _repr_html_(self) -> str:
        return html_table(f"Power of the {self.part}, least first", design_rows(self.designs))


def compare(
    *designs: str | tuple[Work, str | Path | HardwareProfile],
    decode_rate_hz: float | str,
    site: str | Path | Site | None = None,
    part: Part = "decoder",
    draws: int = 4096,
    seed: int = 0,
) -> ComparedDesigns:
    """Return which design takes less power and how surely: constants that designs share are drawn once for all.

    Parameters
    ----------
    *designs : str or tuple
        ``"WORK@PROFILE"``, or a pair: of what `cosim.estimate` takes as work and machine.
    decode_rate_hz : float or str
        Decisions per second [Hz].
    site : str, Path or Site, optional
        One place for all.
    part : {'decoder', 'device'}
        The decoder alone, or with what surrounds it.
    draws, seed : int
        Draws a power of two.

    Raises
    ------
    CosimError
        Fewer than two designs, one given twice, or anything that cannot be read or priced.
    """
    if part not in ("decoder", "device"):
        raise PriceError(f"there is no part {part!r}", where="cosim.compare", remedy="Give 'decoder' or 'device'")
    rate_hz = rate_of(decode_rate_hz, where="cosim.compare, decode_rate_hz")
    sources = [_source(design) for design in designs]
    found, pairs = compared(sources, site, decode_rate_hz=rate_hz, part=part, draws=draws, seed=seed)
    return ComparedDesigns(tuple(found), tuple(pairs), part)


def _source(design: object) -> DesignSource:
    if isinstance(design, str):
        name, profile = design_parts(design)
        return DesignSource(workload_of(name, where="cosim.compare"), profile, design)
    if isinstance(design, tuple) and len(cast("tuple[object, ...]", design)) == 2:
        work, machine = cast("tuple[Work, str | Path | HardwareProfile]", design)
        return DesignSource(workload_of(work, where="cosim.compare"), load_profile(machine))
    raise PriceError(
        f"{design!r:.60} is no design", where="cosim.compare",
        remedy="Give WORK@PROFILE, or a pair (work, machine) each",
    )
