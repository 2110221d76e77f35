"""Direct methods of linear algebra, by their textbook operation counts.

G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, 2013, sections 3.1 (triangular systems), 3.2 and 3.4
(elimination with partial pivoting) and 4.2 (Cholesky), here as exact sums instead of leading terms. Iterative methods
(eigenvalues, singular values) have no such count and are listed as uncounted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from students.counting.axes import plain
from students.counting.calls import Call, Rule, tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.rules.charges import Signal, charge
from students.counting.rules.products import leading


def cholesky_operations(n: int) -> dict[str, int]:
    """Return the operations of one factorisation: n roots, n (n - 1) / 2 divisions, (n^3 - n) / 6 each of the rest."""
    inner = (n**3 - n) // 6
    return {"square_root": n, "divide": n * (n - 1) // 2, "multiply": inner, "add": inner}


def elimination_operations(n: int) -> dict[str, int]:
    """Return the operations of one LU factorisation with partial pivoting.

    In step k of n - 1 the n - k numbers below the diagonal are compared, divided by the pivot, and (n - k)^2 updated.
    """
    inner = (n - 1) * n * (2 * n - 1) // 6
    return {"compare": n * (n - 1) // 2, "divide": n * (n - 1) // 2, "multiply": inner, "add": inner}


def substitution_operations(n: int, columns: int) -> dict[str, int]:
    """Return the operations of one triangular system: n (n - 1) / 2 products a column, n divisions."""
    inner = columns * n * (n - 1) // 2
    return {"multiply": inner, "add": inner, "divide": columns * n}


def solve_operations(n: int, columns: int) -> dict[str, int]:
    """Return elimination, forward substitution with a unit diagonal, and back substitution."""
    forward = columns * n * (n - 1) // 2
    back, lu = substitution_operations(n, columns), elimination_operations(n)
    return {
        "compare": lu["compare"],
        "divide": lu["divide"] + back["divide"],
        "multiply": lu["multiply"] + forward + back["multiply"],
        "add": lu["add"] + forward + back["add"],
    }


def _operations(name: str, matrix: Tensor, right: Tensor | None) -> Mapping[str, int]:
    """Return the operations of one matrix by the name of the operation."""
    n = matrix.shape[-1]
    columns = n if right is None else 1 if right.dim() == matrix.dim() - 1 else right.shape[-1]
    if "cholesky" in name:
        return cholesky_operations(n)
    if "triangular" in name:
        return substitution_operations(n, columns)
    if "det" in name:
        lu = elimination_operations(n)
        return {**lu, "multiply": lu["multiply"] + n - 1}
    return elimination_operations(n) if "lu" in name else solve_operations(n, columns)


def _direct(tracer: Tracer, call: Call) -> Any:
    """Charge a direct method for every matrix of a batch."""
    named = call.named()
    matrix: Tensor = next(named[name] for name in ("A", "self") if name in named)
    right = named.get("B")
    operands = [one for one in (matrix, right) if isinstance(one, Tensor) and tracer.is_dynamic(one)]
    if len(operands) == 1 and operands[0] is right and "triangular" not in call.name:
        tracer.mark_uncounted(call.name, "its matrix is constant: store the inverse, and multiply by it")
        return call.run()
    infos = [tracer.read(one) for one in operands]
    out = call.run()
    result = tensors_of(out)[0]
    lead = matrix.shape[:-2]
    rows = leading((infos[0], infos[1] if len(infos) > 1 else None), lead)
    each = _operations(call.name, matrix, right)
    after = Info(None if rows is None else (*rows, *(plain(size) for size in result.shape[len(lead) :])))
    operations = {name: number * lead.numel() for name, number in each.items()}
    charge(tracer, call, "elementwise", (Signal(operands[0], infos[0]), Signal(result, after)), operations)
    for tensor in tensors_of(out):
        extra = tuple(plain(size) for size in tensor.shape[len(lead) :])
        tracer.set_info(tensor, Info(None if rows is None else (*rows, *extra)))
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of direct methods, by operation name."""
    names = (
        "linalg_cholesky_ex", "linalg_lu", "linalg_lu_factor_ex", "linalg_inv_ex", "_linalg_solve_ex", "_linalg_det",
        "linalg_solve_triangular",
    )  # fmt: skip
    return dict.fromkeys(names, _direct)
