"""torch.linalg: functions of vectors, matrices and stacks of matrices.  Loaded on first use; each is an operator or is made of operators (docs/linalg.md)."""

from __future__ import annotations

from tracegrad.eager.generate import exported_function as _exported
from tracegrad.errors import LinAlgError

_OWN = (
    "cholesky cholesky_ex cond cross det diagonal eig eigh eigvals eigvalsh householder_product inv inv_ex ldl_factor ldl_factor_ex ldl_solve lstsq lu lu_factor lu_factor_ex lu_solve matrix_exp "
    "matrix_rank multi_dot norm pinv qr slogdet solve solve_ex solve_triangular svd svdvals tensorinv tensorsolve vander vecdot"
)
_SHARED = "matmul matrix_norm matrix_power vector_norm"

globals().update({name: _exported(f"linalg_{name}") for name in _OWN.split()})
globals().update({name: _exported(name) for name in _SHARED.split()})

__all__ = ["LinAlgError", *sorted([*_OWN.split(), *_SHARED.split()])]
