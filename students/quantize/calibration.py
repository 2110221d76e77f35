"""Where clipping thresholds start: the least-squares optimum for the signals and weights of a trained float student."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from brevitas.core.quant import BinaryQuant, TernaryQuant
from brevitas.core.restrict_val import PowerOfTwoRestrictValue
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.layers.grid import LEARNED_THRESHOLD
from students.quantize.signals import bits_of

CANDIDATES = 64
"""Clipping thresholds tried, evenly spaced up to the largest magnitude."""

POWERS = 10
"""Powers of two tried, from the one above the largest magnitude downwards."""

SAMPLES = 65_536
"""Values kept of a signal; the optimum of a sum over so many does not move with more."""


def least_squares_threshold(values: Tensor, levels: int) -> Tensor:
    """Return, per row, the clipping threshold t that minimises ``sum (x - q(x))^2``, shape (rows,).

    ``q(x) = s * clip(round(x / s), -levels, levels)`` with ``s = t / levels``; for values that are never negative this
    is also the unsigned grid. A row of zeros is exact on any grid and gets a threshold of one.

    Parameters
    ----------
    values : Tensor, shape (rows, samples)
    levels : int
        Largest integer of the grid.
    """
    largest = values.abs().amax(dim=1)
    largest = torch.where(largest > 0, largest, torch.ones_like(largest))
    best, least = largest.clone(), torch.full_like(largest, torch.inf)
    for step in range(CANDIDATES, 0, -1):
        threshold = largest * (step / CANDIDATES)
        scale = (threshold / levels).unsqueeze(1)
        error = (values - (values / scale).round().clamp(-levels, levels) * scale).square().sum(dim=1)
        best, least = torch.where(error < least, threshold, best), torch.minimum(error, least)
    return best


def binary_threshold(values: Tensor) -> Tensor:
    """Return, per row, the scale s that minimises ``sum (x - s sign(x))^2``: the mean magnitude, shape (rows,)."""
    found = values.abs().mean(dim=1)
    return torch.where(found > 0, found, torch.ones_like(found))


def power_of_two_threshold(values: Tensor, levels: int) -> Tensor:
    """Return, per row, the power of two t that minimises the error on a grid of step ``t / (levels + 1)``.

    Parameters
    ----------
    values : Tensor, shape (rows, samples)
    levels : int
        Largest integer of the grid, so that its number of steps is a power of two.
    """
    largest = values.abs().amax(dim=1)
    exponent = torch.where(largest > 0, largest, torch.ones_like(largest)).log2().ceil()
    best, least = exponent.exp2(), torch.full_like(exponent, torch.inf)
    for smaller in range(POWERS):
        threshold = (exponent + 1 - smaller).exp2()
        scale = (threshold / (levels + 1)).unsqueeze(1)
        error = (values - (values / scale).round().clamp(-levels, levels) * scale).square().sum(dim=1)
        best, least = torch.where(error < least, threshold, best), torch.minimum(error, least)
    return best


def signal_samples(model: nn.Module, names: Iterable[str], calibration: Tensor) -> dict[str, Tensor]:
    """Return what modules of a float model put out on a calibration set, by name, as rows of shape (1, samples).

    The model runs in its deployed form and is not changed; of a module that runs several times all outputs are taken.
    Long signals are thinned evenly, by a stride that shares no factor with an example's size, so that no channel and no
    step (the padded edges least of all) is preferred.

    Parameters
    ----------
    model : nn.Module
    names : iterable of str
        Paths of the modules to listen to.
    calibration : Tensor, shape (examples, channels, steps)

    Raises
    ------
    StudentError
        A calibration set that is empty, or not finite.
    """
    if calibration.numel() == 0 or not bool(torch.isfinite(calibration).all()):
        raise StudentError(
            "the calibration set is empty or holds numbers that are not finite", where="quantised_from_float",
            remedy="Hand over some of the training examples",
        )
    listened = copy.deepcopy(model).eval()
    samples: dict[str, Tensor] = {}

    def listen(name: str) -> None:
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            stride = max(1, output.numel() // SAMPLES)
            while math.gcd(stride, output[0].numel()) > 1:
                stride += 1
            found = output.detach().flatten()[::stride].unsqueeze(0)
            samples[name] = torch.cat([samples[name], found], dim=1) if name in samples else found

        listened.get_submodule(name).register_forward_hook(keep)

    for name in names:
        listen(name)
    with torch.no_grad():
        listened(calibration)
    return samples


def load_float_weights(model: nn.Module, float_model: nn.Module, unset: str) -> None:
    """Copy a float student's weights into its quantised twin, leaving out only names that end in `unset`.

    Raises
    ------
    StudentError
        The two are not the same network.
    """
    source, target = _named_as_in(model, float_model.state_dict()), model.state_dict()
    wanted = {name: value.shape for name, value in target.items() if not name.endswith(unset)}
    offered = {name: value.shape for name, value in source.items()}
    if foreign := [name for name in sorted(wanted | offered) if wanted.get(name) != offered.get(name)]:
        raise StudentError(
            f"the float student is another network: {', '.join(foreign)} differ or have no counterpart",
            where="quantised_from_float", remedy="Build both from specs that differ in form only",
        )
    model.load_state_dict(target | source)


def _named_as_in(model: nn.Module, source: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a float student's weights by the names that a quantised module has for them (`float_names`)."""
    renamed = {
        f"{path}.{theirs}".lstrip("."): f"{path}.{mine}".lstrip(".")
        for path, module in model.named_modules()
        for mine, theirs in getattr(module, "float_names", {}).items()
    }
    return {renamed.get(name, name): value for name, value in source.items()}


def calibrate(quantiser: Any, values: Tensor) -> None:
    """Set a quantiser's thresholds to the least-squares optimum for values of shape (channels, samples)."""
    parameter = next(value for name, value in quantiser.named_parameters() if name.endswith(LEARNED_THRESHOLD))
    rows = values if parameter.ndim else values.reshape(1, -1)
    with torch.no_grad():
        parameter.copy_(_threshold(quantiser, rows).log2().reshape(parameter.shape))


def _threshold(quantiser: Any, rows: Tensor) -> Tensor:
    parts = list(quantiser.modules())
    is_power = any(isinstance(part, PowerOfTwoRestrictValue) for part in parts)
    if any(isinstance(part, BinaryQuant) for part in parts):
        found = binary_threshold(rows)
        return found.log2().round().exp2() if is_power else found
    bits = bits_of(quantiser.bit_width())
    largest = 2 ** (bits - 1) - 1 if quantiser.is_signed else 2**bits - 1
    if is_power and any(isinstance(part, TernaryQuant) for part in parts):
        found = least_squares_threshold(rows, largest)  # its one step is the threshold itself
        return found.log2().round().exp2()
    return power_of_two_threshold(rows, largest) if is_power else least_squares_threshold(rows, largest)
