"""The page of shipped architectures: ``python docs/make/architectures_page.py > docs/architectures.md``."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from energy_models.workload import Workload
from students.architectures.build import outline, parameter_count
from students.architectures.count import architecture_workload
from students.architectures.load import architecture_names, load_architecture
from students.architectures.published import Comparison, comparisons, counted_products
from students.architectures.schema import Architecture

HEADER = """# Architectures

Networks that can be costed without their code or weights: each is one TOML file in `students/architectures/data`, built
with fixed random weights and counted at density 1 (every operand taken as non-zero and graded, since its weights and
inputs are made up). Their batch norms fold, their attention, norms and functions are counted like a student's. Products
are textbook products (`dense_full`) of one decode.

What a file does not list under *assumed* is in its source. Figures are compared in
`tests/students/test_architectures_literature.py`.

## Writing one

A file of your own is loaded by its path, all its problems reported at once:

    name = "small"                       # the file's stem
    title = "Small"
    task = "motor imagery, 2 classes"
    source = "own"
    where = "notebook, page 3"
    outputs = [2]                        # shape of an answer, checked
    assumed = ["taps: 25, as in Shallow ConvNet"]      # "what: value, why", everything the source leaves open
    layers = [
      { kind = "conv1d", out = 8, kernel = 25, padding = "same", bias = false },
      { kind = "batch_norm" },
      { kind = "pool", function = "average", kernel = [50] },
      { kind = "permute", order = [2, 1] },
      { kind = "repeat", times = 2, layers = [{ kind = "transformer_layer", heads = 2, feed_forward = 16 }] },
      { kind = "mean", axes = [1] },
      { kind = "linear", out = 2 },
    ]

    [input]
    channels = 8
    steps = 500
    rate_hz = 250.0

    [published.parameters]               # optional, as is [published.products]; held against
    value = 2834
    source = "own"
    where = "table 1"

    [sources.own]
    title = "..."
    authors = "..."
    year = 2026
    venue = "..."
    read = "original"

Shapes leave out the batch axis; the first is `(channels, steps)`. Every kind of layer and its fields are in
`students/architectures/blocks.py`. A published figure that is not met exactly needs a `tolerance` and a `deviation`
that says why. Spiking networks have no place here: their work is their spikes.

## Those that ship

This page is made by `python docs/make/architectures_page.py > docs/architectures.md`, and a test keeps it current.

*Reference* is a figure of the source, or of its code or layers counted by another program; what it covers and how
far it is met stands below the table. *Assumed* is the number of items the sources leave open.

| name | network | input | parameters | reference | products | reference | assumed |
|---|---|---|---:|---:|---:|---:|---:|
"""


def architectures_page(workloads: Mapping[str, Workload]) -> str:
    """Return the page of the architectures of these names, given their counts."""
    architectures = [load_architecture(name) for name in workloads]
    rows = "".join(_row(architecture, workloads[architecture.name]) for architecture in architectures)
    notes = [_notes(architecture, workloads[architecture.name]) for architecture in architectures]
    return HEADER + rows + "\n" + "\n".join(notes)


def _row(architecture: Architecture, workload: Workload) -> str:
    published, read = architecture.published, architecture.input
    cells = (
        f"[`{architecture.name}`](#{architecture.name})",
        architecture.title,
        f"{read.channels} x {read.steps} at {read.rate_hz:g} Hz",
        f"{parameter_count(outline(architecture)):,}",
        "" if published.parameters is None else f"{published.parameters.value:,}",
        f"{counted_products(workload, None):,}",
        "" if published.products is None else f"{published.products.value:,}",
        str(len(architecture.assumed)),
    )
    return f"| {' | '.join(cells)} |\n"


def _notes(architecture: Architecture, workload: Workload) -> str:
    source = architecture.sources[architecture.source]
    lines = [
        f"## {architecture.name}\n",
        f"{architecture.title}: {architecture.task}. Layers from {architecture.where} of {source.authors} "
        f"({source.year}), *{source.title}*, {source.venue}{f', {source.locator}' if source.locator else ''}.\n",
    ]
    lines += [_comparison(one, architecture) for one in comparisons(architecture, workload)]
    if architecture.assumed:
        lines += ["Assumed:\n", *(f"- {item}" for item in architecture.assumed), ""]
    return "\n".join(lines)


def _comparison(one: Comparison, architecture: Architecture) -> str:
    figure = one.figure
    record = architecture.sources[figure.source]
    covers = " with stored weights only" if figure.covers == "stored_weights" else ""
    reason = f" ({figure.deviation})" if figure.deviation else ""
    return (
        f"{one.what.capitalize()}{covers}: {one.count:,} here, {figure.value:,} in the reference, "
        f"{one.difference}{reason}. "
        f"Reference: {record.title}, {figure.where}.\n"
    )


if __name__ == "__main__":
    sys.stdout.write(architectures_page({name: architecture_workload(name) for name in architecture_names()}))
