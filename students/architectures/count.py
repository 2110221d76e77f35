"""Counts an architecture as any student is counted, at density 1."""

from __future__ import annotations

from pathlib import Path

import torch

from energy_models.quantities import content_digest
from energy_models.workload import Workload, assume_dense
from students.architectures.build import SEED, build_network
from students.architectures.load import load_architecture
from students.architectures.published import comparisons
from students.architectures.schema import Architecture, Input
from students.counting import observe


def architecture_workload(name_or_path: str | Path | Architecture, *, input_bits: int = 32) -> Workload:
    """Return one decode's work of a described network: dense, since its weights and inputs are made up.

    Parameters
    ----------
    name_or_path : str, Path or Architecture
    input_bits : int
        Width of an input element as it reaches the first layer [bits]; 32: float.

    Raises
    ------
    StudentError
        When the name is unknown, or a layer does not fit.
    ProfileError
        When the file has problems.
    """
    architecture = name_or_path if isinstance(name_or_path, Architecture) else load_architecture(name_or_path)
    workload = observe(
        build_network(architecture),
        _inputs(architecture.input),
        name=architecture.name,
        mode="window",
        step_rate_hz=architecture.input.rate_hz,
        input_bits=input_bits,
    )
    dense = assume_dense(workload.replace(provenance={**workload.provenance, **_provenance(architecture)}))
    published = "; ".join(
        f"{one.what} {one.figure.value:,}, counted {one.count:,}: {one.difference if one.is_met else 'NOT MET'}"
        for one in comparisons(architecture, dense)
    )
    return dense.replace(provenance={**dense.provenance, "published": published}) if published else dense


def _inputs(described: Input) -> torch.Tensor:
    """Return one made-up example, shape (1, channels, steps)."""
    generator = torch.Generator().manual_seed(SEED)
    shape = (1, described.channels, described.steps)
    if described.codes is not None:
        return torch.randint(described.codes, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def _provenance(architecture: Architecture) -> dict[str, str]:
    source = architecture.sources[architecture.source]
    return {
        "architecture": architecture.title,
        "architecture_digest": content_digest(architecture),
        "source": f"{source.authors} ({source.year}). {source.title}. {source.venue}. {source.locator}".strip(),
        "assumed": "; ".join(architecture.assumed),
    }
