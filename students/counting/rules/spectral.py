"""Fourier transforms, by the closed forms of the algorithm of Cooley and Tukey.

A transform of n = 2^k complex points has (n / 2) k butterflies of one complex multiplication and two complex
additions: 2 n k multiplications and 3 n k additions, 5 n log2 n in all. Any other n is factored: n times the sum of
its prime factors complex multiplications and additions (n^2 for a prime, which is the direct sum), 4 multiplications
and 4 additions each. A transform from or to real numbers costs half, the convention of FFTW's benchmarks (2.5 n log2
n). Scaling by 1 / n is one multiplication a real number. Trivial factors (1, -1, i) are not taken out.

J. W. Cooley, J. W. Tukey, "An algorithm for the machine calculation of complex Fourier series", Math. Comp. 19, 1965.
M. Frigo, S. G. Johnson, "The design and implementation of FFTW3", Proc. IEEE 93, 2005.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from students.counting.axes import drop, plain
from students.counting.calls import Call, Rule
from students.counting.dispatch import COMPLEX, Info, Tracer
from students.counting.rules.charges import Signal, charge


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a whole number, smallest first; none for 1."""
    factors, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors


def transform_operations(points: int) -> tuple[int, int]:
    """Return real (multiplications, additions) of one transform of `points` complex numbers.

    Radix 2: ``2 n log2 n`` and ``3 n log2 n``; mixed radix: ``4 n (p1 + ... + pk)`` each (Cooley and Tukey 1965).
    """
    factors = prime_factors(points)
    if set(factors) <= {2}:
        return 2 * points * len(factors), 3 * points * len(factors)
    return 4 * points * sum(factors), 4 * points * sum(factors)


def _transform(tracer: Tracer, call: Call) -> Any:
    """Charge a transform over some axes; the last one of a real transform costs half."""
    named = call.named()
    source: Tensor = named["self"]
    info, out = tracer.read(source), call.run()
    dims = [int(dim) % source.dim() for dim in named["dim"]]
    axes = info.axes
    if axes is not None:
        drop(axes, dims)
        axes = tuple(plain(size) if place in dims else axes[place] for place, size in enumerate(out.shape))
    multiplies = adds = 0
    real = "c2c" not in call.name
    wide = out if call.name == "_fft_c2r" else source
    narrow = source if call.name == "_fft_c2r" else out
    for dim in dims:
        halved = real and dim == dims[-1]
        shape = wide if halved or not real else narrow
        points = shape.shape[dim]
        each = transform_operations(points)
        transforms = shape.numel() // points
        multiplies += each[0] * transforms // (2 if halved else 1)
        adds += each[1] * transforms // (2 if halved else 1)
    if int(named["normalization"]):
        multiplies += out.numel() * (2 if out.is_complex() else 1)
    after = Info(axes)
    operations = {"multiply": multiplies, "add": adds}
    charge(tracer, call, "elementwise", (Signal(source, info), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of Fourier transforms, by operation name."""
    return {"_fft_r2c": _transform, f"{COMPLEX}_fft_c2c": _transform, f"{COMPLEX}_fft_c2r": _transform}
