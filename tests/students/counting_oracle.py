"""An independent counter: numpy loops over every single multiplication. Nothing is shared with the counted code."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

RULES = ("dense_full", "dense_valid", "effective_input", "effective")


@dataclass
class Sites:
    """Multiplications by convention: (needing a multiplier, not needing one)."""

    mac: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    ac: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))

    def see(self, value: float, weight: float, *, padding: bool = False) -> None:
        """One multiplication of a signal element by a weight."""
        kind = self.ac if value in {-1.0, 0.0, 1.0} else self.mac
        kind["dense_full"] += 1
        if padding:
            return
        kind["dense_valid"] += 1
        if value == 0.0:
            return
        kind["effective_input"] += 1
        if weight != 0.0:
            kind["effective"] += 1

    def signed(self) -> Sites:
        """The same sites where every weight is -1, 0 or 1 by its format: a sign and an addition, no multiplier."""
        added = {rule: self.ac[rule] + self.mac[rule] for rule in RULES}
        return Sites(mac=dict.fromkeys(RULES, 0), ac=added)

    def as_tuple(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.mac[rule], self.ac[rule]) for rule in RULES)


def linear(signal: np.ndarray, weight: np.ndarray) -> Sites:
    """Signal (..., inputs), weight (outputs, inputs)."""
    sites = Sites()
    for row in signal.reshape(-1, signal.shape[-1]):
        for output in range(weight.shape[0]):
            for place in range(weight.shape[1]):
                sites.see(row[place], weight[output, place])
    return sites


def convolution(  # noqa: PLR0917  as torch hands them over
    signal: np.ndarray,
    weight: np.ndarray,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    groups: int,
) -> Sites:
    """Signal (channels, *lengths), weight (outputs, channels / groups, *kernel)."""
    sites = Sites()
    lengths, kernel = signal.shape[1:], weight.shape[2:]
    axes = range(len(lengths))
    outputs = [(lengths[a] + sum(pads[a]) - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in axes]
    per_group = weight.shape[0] // groups
    for output in range(weight.shape[0]):
        first = output // per_group * weight.shape[1]
        for position in itertools.product(*(range(n) for n in outputs)):
            for channel in range(weight.shape[1]):
                for tap in itertools.product(*(range(n) for n in kernel)):
                    place = [position[a] * stride[a] + tap[a] * dilation[a] - pads[a][0] for a in axes]
                    inside = all(0 <= place[a] < lengths[a] for a in axes)
                    value = float(signal[(first + channel, *place)]) if inside else 0.0
                    sites.see(value, float(weight[(output, channel, *tap)]), padding=not inside)
    return sites


def accumulator_width(weight: np.ndarray, bias: np.ndarray | None, codes: range) -> int:
    """Narrowest two's complement that holds what each output reaches with the worst inputs, weight (outputs, ...)."""
    extremes = []
    for output, row in enumerate(weight.reshape(len(weight), -1)):
        start = 0 if bias is None else int(bias[output])
        for worst in (max, min):
            total = start
            for one in row:
                total += worst(int(one) * codes[0], int(one) * codes[-1])
            extremes.append(total)
    width = 1
    while not -(2 ** (width - 1)) <= min(extremes) <= max(extremes) <= 2 ** (width - 1) - 1:
        width += 1
    return width


def gru_states(signal: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """States before each step, (steps, units), of one example (steps, inputs), starting at zero."""
    state = np.zeros(weights["weight_hh"].shape[1])
    before = []
    for now in signal:
        before.append(state)
        x = weights["weight_ih"] @ now + weights["bias_ih"]
        h = weights["weight_hh"] @ state + weights["bias_hh"]
        units = len(state)
        reset, update = (1 / (1 + np.exp(-(x[s] + h[s]))) for s in (slice(units), slice(units, 2 * units)))
        candidate = np.tanh(x[2 * units :] + reset * h[2 * units :])
        state = (1 - update) * candidate + update * state
    return np.array(before)


def transposed(  # noqa: PLR0917  as torch hands them over
    signal: np.ndarray,
    weight: np.ndarray,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    cropped: tuple[int, ...],
    outputs: tuple[int, ...],
) -> Sites:
    """Signal (channels, *lengths), weight (channels, outputs / groups, *kernel): every input meets every tap."""
    sites = Sites()
    axes = range(len(outputs))
    for channel in range(signal.shape[0]):
        for position in itertools.product(*(range(n) for n in signal.shape[1:])):
            for output in range(weight.shape[1]):
                for tap in itertools.product(*(range(n) for n in weight.shape[2:])):
                    place = [position[a] * stride[a] + tap[a] * dilation[a] - cropped[a] for a in axes]
                    kept = all(0 <= place[a] < outputs[a] for a in axes)
                    value, factor = float(signal[(channel, *position)]), float(weight[(channel, output, *tap)])
                    sites.see(value, factor, padding=not kept)
    return sites
