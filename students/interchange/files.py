"""Reads a network file with the reader for its suffix."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from energy_models.errors import StudentError
from students.interchange.nir_graph import read_nir
from students.interchange.onnx_graph import OnnxGraph, read_onnx
from students.interchange.states import StateLoop
from students.interchange.tflite_graph import read_tflite

STEPS = 64
"""Of a made-up segment, where a file describes one step: every step is the same work but for its values."""
SUFFIXES = (".onnx", ".nir", ".tflite")


def read_network(path: Path, step_s: float | None = None) -> nn.Module:
    """Return the network of a file, in evaluation mode, ready for `students.counting.observe`.

    Parameters
    ----------
    path : Path
        Ends in one of `SUFFIXES`.
    step_s : float or None
        Length of one step [s], for a file whose neurons live in continuous time and that does not say it.

    Raises
    ------
    StudentError
        An unknown suffix, a missing package, or a file that cannot be read or run.
    """
    suffix = path.suffix.lower()
    if suffix == ".nir":
        return read_nir(path, step_s)
    if suffix not in SUFFIXES:
        raise StudentError(
            f"no network is read from a file that ends in {path.suffix!r}", where=str(path),
            remedy=f"Known: {', '.join(SUFFIXES)}; a stored student is a folder",
        )
    if step_s is not None:
        raise StudentError("such a network has no continuous time", where=str(path), remedy="Leave the step out")
    return read_tflite(path) if suffix == ".tflite" else read_onnx(path)


def examples_at_once(network: nn.Module) -> int | None:
    """Return the number of examples that a file's network takes in one call; None where it takes any.

    A network exported for one example runs a batch of windows one by one itself; a stream has to be given one segment.
    """
    group: int | None = getattr(network, "group", None)
    return group if group != 1 or isinstance(network, StateLoop) else None


def absent_weights(network: nn.Module) -> tuple[str, ...]:
    """Return the names of weights of which a file holds the shape only; their values are made up, without zeros."""
    graphs = (one.graph for one in network.modules() if isinstance(one, OnnxGraph))
    return tuple(name for graph in graphs for name in graph.absent)


def arena_of(network: nn.Module) -> int | None:
    """Return the memory that a network's signals need at most, where its file's format plans it [bytes]."""
    return network.graph.arena_bytes if isinstance(network, OnnxGraph) else None


def example_shape(network: nn.Module, given: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Return the shape of one example of a network that was read from a file.

    Parameters
    ----------
    network : nn.Module
        From `read_network`.
    given : tuple of int, or None
        What the user asks for; needed where the file leaves axes open.

    Raises
    ------
    StudentError
        The file leaves axes open and none are given, or the given ones contradict it.
    """
    axes: tuple[int | None, ...] = network.input_axes  # type: ignore[assignment]
    text = " x ".join("open" if axis is None else str(axis) for axis in axes)
    if given is None:
        if isinstance(network, StateLoop) and None not in axes[:-1]:
            axes = (*axes[:-1], STEPS)
        if None in axes:
            raise StudentError(
                f"the file leaves the shape of an example open ({text})", where="input shape",
                remedy="Give it, for example --input-shape 22,256",
            )
        return tuple(axis for axis in axes if axis is not None)
    given = tuple(given)
    fits = len(given) == len(axes) and all(axis in {None, size} for axis, size in zip(axes, given, strict=True))
    if not fits or min(given, default=0) < 1:
        raise StudentError(
            f"an example of shape {given}, where the file has {text}", where="input shape",
            remedy="Leave it out, or give one that fits",
        )
    return given
