"""torch.nn.utils.parametrizations: weights of given norms, of spectral norm 1, and orthogonal ones."""

from __future__ import annotations

from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import eye, randn, zeros_like
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.errors import ArgumentValueError, NotSupportedError, explain
from tracegrad.nn import functional
from tracegrad.nn.convolutions import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tracegrad.nn.module import Module
from tracegrad.nn.native_functions import _weight_norm, norm_except_dim
from tracegrad.nn.utils.parametrize import register_parametrization

_STEPS_AT_FIRST = 15  # of the power iteration
_MAPS = ("matrix_exp", "cayley", "householder")


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """weight_v at the lengths weight_g."""
        return _weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        """The lengths of a weight, and the weight."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Split a weight in its lengths (original0) and directions (original1).  Source: Salimans and Kingma 2016."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if dim >= weight.ndim or dim < -weight.ndim:
            problem = (
                f"Dimension out of range (expected to be in range of [-{weight.ndim}, {weight.ndim - 1}] but got {dim})"
            )
            raise IndexError(explain("spectral_norm", problem))
        if n_power_iterations <= 0:
            problem = f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            raise ArgumentValueError(explain("spectral_norm", problem))
        self.dim, self.eps = dim % weight.ndim, eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            rows, columns = matrix.shape
            self.register_buffer("_u", functional.normalize(randn(rows, dtype=weight.dtype), dim=0, eps=eps))
            self.register_buffer("_v", functional.normalize(randn(columns, dtype=weight.dtype), dim=0, eps=eps))
            self._power_method(matrix, _STEPS_AT_FIRST)

    def _power_method(self, matrix: Any, steps: int) -> None:
        with no_grad():
            for _ in range(steps):
                self._u = functional.normalize(T.matmul(matrix, self._v), dim=0, eps=self.eps)
                self._v = functional.normalize(T.matmul(T.mT(matrix), self._u), dim=0, eps=self.eps)

    def forward(self, weight: Any) -> Any:
        """weight divided by its largest singular value, which is followed by power iteration while training."""
        if weight.ndim == 1:
            return functional.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return T.div(weight, T.sum(T.mul(u, T.matmul(matrix, v)), dim=None, keepdim=False))

    def right_inverse(self, value: Any) -> Any:
        """The value itself."""
        return value


def as_matrix(weight: Any, dim: int) -> Any:
    """A weight with axis dim first and all others in one."""
    if dim:
        weight = T.permute(weight, dims=(dim, *(i for i in range(weight.ndim) if i != dim)))
    return T.reshape(weight, shape=(weight.shape[0], weight._data.size // max(weight.shape[0], 1)))


def output_axis(module: Module) -> int:
    """The axis of a weight that belongs to the outputs."""
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value.  Source: Miyato et al. 2018."""
    weight = _weight_of(module, name)
    axis = output_axis(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, axis, eps))


def _weight_of(module: Module, name: str) -> Any:
    weight = getattr(module, name, None)
    if weight is None:
        problem = f"Module '{module}' has no parameter or buffer with name '{name}'"
        raise ArgumentValueError(explain("parametrizations", problem))
    return weight


class _Orthogonal(Module):
    def __init__(self, weight: Any, orthogonal_map: str, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ArgumentValueError(explain("orthogonal", "The householder parametrization does not support complex tensors."))  # fmt: skip
        self.shape, self.orthogonal_map, self.trivial = tuple(weight.shape), orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:  # noqa: N803
        """An orthogonal matrix made of the entries of X."""
        n, k = X.shape[-2:]
        flat = n < k
        if flat:
            X, n, k = X.mT, k, n  # noqa: N806
        if self.orthogonal_map == "householder":
            below = X.tril(-1)
            scales = 2.0 / (1.0 + (below * below).sum(-2))
            q = T.linalg_householder_product(below, scales) * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            X = X.tril()  # noqa: N806
            if n != k:
                X = T.cat(X, X.new_zeros((*X.shape[:-2], n, n - k)), dim=X.ndim - 1)  # noqa: N806
            skew = X - X.mH
            if self.orthogonal_map == "matrix_exp":
                q = skew.matrix_exp()
            else:
                one = eye(n, dtype=X.dtype)
                q = T.matmul((one + skew * -0.5).inverse(), one + skew * 0.5)
            q = q[..., :k] if n != k else q
        if self._buffers.get("base") is not None:
            q = T.matmul(self.base, q)
        return q.mT if flat else q

    def right_inverse(self, Q: Any) -> Any:  # noqa: N803
        """Entries from which forward makes Q, or the orthogonal matrix next to it."""
        if tuple(Q.shape) != self.shape:
            problem = f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            raise ArgumentValueError(explain("orthogonal", problem))
        given = Q
        n, k = Q.shape[-2:]
        q = Q.mT if n < k else Q
        if not self.trivial:
            found = self._reflections(q)
            return found.mT if n < k else found
        if n != k:
            wide = q.shape[-2]
            extra = randn(*q.shape[:-2], wide, wide - q.shape[-1], dtype=q.dtype)
            q = T.cat(q, extra, dim=q.ndim - 1)
        self.base = _nearest_frame(q)
        return zeros_like(given) - eye(*given.shape[-2:], dtype=given.dtype)

    def _reflections(self, q: Any) -> Any:
        """The reflections whose product is q, with the signs of their diagonal.  Raises NotImplementedError for the other maps."""
        if self.orthogonal_map != "householder":
            problem = f"It is not possible to assign to the {self.orthogonal_map} parametrization when use_trivialization=False."
            raise NotSupportedError(explain("orthogonal", problem))
        packed, scales = public_function("geqrf")(q)
        signs = packed.diagonal(dim1=-2, dim2=-1).sign()
        signs = T.where(T.eq(scales, 0.0), T.neg(signs), signs)
        k = q.shape[-1]
        one = eye(q.shape[-2], k, dtype=q.dtype)
        return T.where(T.ne(one, 0.0), T.unsqueeze(signs, dim=signs.ndim - 1), packed)


def _nearest_frame(x: Any) -> Any:
    """The orthogonal matrix of the QR factorization whose triangle has a positive diagonal; x itself where it is orthogonal."""
    q, r = T.linalg_qr(x)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Make a weight orthogonal, by "matrix_exp", "cayley" or "householder".  Raises ValueError for other maps and for weights of one axis."""
    weight = _weight_of(module, name)
    if weight.ndim < 2:
        problem = f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        raise ArgumentValueError(explain("orthogonal", problem))
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1] or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _MAPS:
        problem = f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        raise ArgumentValueError(explain("orthogonal", problem))
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
