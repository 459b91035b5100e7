"""Complex numbers: their parts, conjugates, sizes and angles, and the views between complex and real memory.

The derivative with respect to a complex value is dL/d(re) + i dL/d(im), torch's convention.  The operators here are not holomorphic: their rules say it as they stand.
"""

from __future__ import annotations

from typing import Any

from tracegrad import dtypes
from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite, Elementwise, Movement
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, C
from tracegrad.ir.types import Type, broadcast
from tracegrad.ops.checks import real_type
from tracegrad.ops.linalg import Product, product_of_vectors


def needs_complex(operation: str, x: Type) -> None:
    """Raise RuntimeError, as torch does, unless x is complex."""
    if x.dtype.kind != "c":
        raise DTypeError(
            explain(operation, f"{operation} is not implemented for tensors with non-complex dtypes.", x=x)
        )


class Conj(Elementwise):
    """The complex conjugate of every element of x: a copy; real tensors are returned as they are.  Shape: (*a) -> (*a)."""

    promotion, linear, involution, quiet, holomorphic = "", ("x",), True, True, False
    function, method = False, False  # eager/complex_values.py has them
    numpy, jax = "np.conjugate({x})", "jnp.conj({x})"
    samples = ([C(2, 3)], [C()], [C(0, 4)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The conjugate; a tensor without imaginary parts itself."""
        return F.conj(input) if F.is_complex(input) else input

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.conj(g)


class ConjPhysical(Conj):
    """The complex conjugate of every element of x in memory of its own.  Shape: (*a) -> (*a)."""

    inplace, function, method = True, True, True
    numpy = "np.conj({x})"

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The conjugate; a tensor without imaginary parts itself."""
        return F.conj_physical(input) if F.is_complex(input) else input

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """x's type."""
        return types[0]


class Real(Movement):
    """The real parts of x, a view of its memory; a real tensor itself.  Shape: (*a) -> (*a)."""

    view, holomorphic, method, torch_name = True, False, False, "SelectBackward0"
    numpy, jax = "{x}.real", "jnp.real({x})"
    samples = ([C(2, 3)], [C()], [C(0, 4)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The real parts; a tensor without imaginary parts itself."""
        return F.real(input) if F.is_complex(input) else input

    @staticmethod
    def infer(x: Type) -> Type:
        """x's shape, the dtype of its parts."""
        return real_type(x)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.complex(g, F.zeros(F.type(g)))

    @staticmethod
    def replaced(F: Ops, x: Value, part: Value) -> Value:
        """x with other real parts: what a write through the view leaves of it."""
        return F.put_part(x, part, imaginary=False)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.real(x)


class Imag(Movement):
    """The imaginary parts of x, a view of its memory.  Shape: (*a) -> (*a).  RuntimeError for real tensors."""

    view, holomorphic, method, torch_name = True, False, False, "SelectBackward0"
    numpy, jax = "{x}.imag", "jnp.imag({x})"
    samples = ([C(2, 3)], [C()], [C(0, 4)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The imaginary parts.  Raises RuntimeError for real tensors."""
        needs_complex("imag", F.type(input))
        return F.imag(input)

    @staticmethod
    def infer(x: Type) -> Type:
        """x's shape, the dtype of its parts."""
        needs_complex("imag", x)
        return real_type(x)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.complex(F.zeros(F.type(g)), g)

    @staticmethod
    def replaced(F: Ops, x: Value, part: Value) -> Value:
        """x with other imaginary parts."""
        return F.put_part(x, part, imaginary=True)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.imag(x)


class PutPart(Elementwise):
    """x with other real or imaginary parts: what a write through x.real or x.imag leaves of it.  Shapes: (*a), (*a) -> (*a)."""

    inputs, attrs, linear, function, method = ("x", "part"), ("imaginary",), ("x", "part"), False, False
    promotion, holomorphic, quiet, torch_name = "none", False, True, "CopySlices"
    numpy, jax = "K.put_part({x}, {part}, {imaginary})", "K.put_part({x}, {part}, {imaginary})"
    samples = ([C(2, 3), A(2, 3), False], [C(), A(), True], [C(0, 4), A(0, 4), True])

    @classmethod
    def infer(cls, x: Type, part: Type, imaginary: bool) -> Type:
        """x's type."""
        needs_complex("put_part", x)
        if part.dtype != real_type(x).dtype:
            raise DTypeError(explain("put_part", "the part must have the dtype of x's parts", x=x, part=part))
        return Type(broadcast("put_part", x.shape, part.shape), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, imaginary: bool) -> Value:
        kept = F.real(g) if imaginary else F.imag(g)
        nothing = F.zeros(F.type(kept))
        return F.complex(kept, nothing) if imaginary else F.complex(nothing, kept)

    @staticmethod
    def grad_part(F: Ops, g: Value, imaginary: bool) -> Value:
        return F.imag(g) if imaginary else F.real(g)


class ComplexOf(Elementwise):
    """re + i im.  Shapes: (*a), (*b) -> broadcast(a, b).  Both operands have one dtype, float32 or float64."""

    name, inputs, linear, holomorphic = "complex", ("re", "im"), ("re", "im"), False
    promotion, method, public, quiet, torch_name = "none", False, ("real", "imag"), True, "ComplexBackward0"
    numpy, jax = "K.complex_of({re}, {im})", "K.complex_of({re}, {im})"
    samples = ([A(2, 3), A(2, 3)], [A(), A()], [A(2, 1), A(3)], [A(0, 4), A(4)])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, the complex dtype of these parts."""
        return _from_parts("complex", *types)

    @staticmethod
    def grad_re(F: Ops, g: Value) -> Value:
        return F.real(g)

    @staticmethod
    def grad_im(F: Ops, g: Value) -> Value:
        return F.imag(g)


def _from_parts(operation: str, a: Type, b: Type) -> Type:
    if a.dtype.name not in ("float32", "float64") or b.dtype.name not in ("float32", "float64"):
        raise DTypeError(explain(operation, "Expected both inputs to be Float or Double tensors", got=f"{a}, {b}"))
    if a.dtype != b.dtype:
        shown = [dtypes.TORCH_CLASS[t.dtype.name] for t in (a, b)]
        raise DTypeError(
            explain(
                operation,
                f"Expected object of scalar type {shown[0]} but got scalar type {shown[1]} for second argument",
            )
        )
    return Type(broadcast(operation, a.shape, b.shape), dtypes.from_numpy(a.dtype).to_complex().numpy)


class Polar(Elementwise):
    """abs * (cos(angle) + i sin(angle)).  Shapes: (*a), (*b) -> broadcast(a, b).  Both operands have one dtype, float32 or float64."""

    inputs, promotion, method, holomorphic = ("abs", "angle"), "none", False, False
    numpy, jax = "K.polar({abs}, {angle})", "K.polar({abs}, {angle})"
    samples = ([A(2, 3), A(2, 3)], [A(), A()], [A(2, 1), A(3)], [A(0, 4), A(4)])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, the complex dtype of these parts."""
        return _from_parts("polar", *types)

    @staticmethod
    def call(F: Ops, abs: Any, angle: Any) -> Value:  # noqa: A002
        """The complex numbers of these sizes and angles.  Raises RuntimeError for other dtypes than float32 and float64."""
        _from_parts("polar", F.type(abs), F.type(angle))
        return F.polar(abs, angle)

    @staticmethod
    def grad_abs(F: Ops, g: Value, angle: Value) -> Value:
        return F.add(F.mul(F.real(g), F.cos(angle)), F.mul(F.imag(g), F.sin(angle)))

    @staticmethod
    def grad_angle(F: Ops, g: Value, abs: Value, angle: Value) -> Value:  # noqa: A002
        return F.mul(abs, F.sub(F.mul(F.imag(g), F.cos(angle)), F.mul(F.real(g), F.sin(angle))))


class Angle(Elementwise):
    """The angle of every element of x in radians; of a real one 0, pi below 0, nan for nan.  Shape: (*a) -> (*a).  Derivative 0 at 0."""

    promotion, pole, holomorphic = "float", "x == 0 (derivative)", False
    numpy, jax = "K.angle({x})", "K.angle({x})"
    samples = ([C(2, 3)], [C()], [C(0, 4)], [A(2, 3)], [A()])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """x's shape, the dtype of its parts."""
        return real_type(super().infer(*types))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type) -> Value:
        if x_type.dtype.kind != "c":
            return F.zeros(x_type)
        re, im = F.real(x), F.imag(x)
        slope, zero = F.div(g, F.add(F.square(re), F.square(im))), F.eq(x, 0)
        return F.complex(F.where(zero, 0.0, F.neg(F.mul(slope, im))), F.where(zero, 0.0, F.mul(slope, re)))


class Sgn(Elementwise):
    """x / abs(x), 0 at 0: the sign of real elements, the direction of complex ones.  Shape: (*a) -> (*a).  Derivative 0 at 0."""

    idempotent, inplace, holomorphic, pole = True, True, False, "x == 0 (derivative)"
    numpy, jax = "K.sgn({x})", "K.sgn({x})"
    samples = ([C(2, 3)], [C()], [C(0, 4)], [A(2, 3)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type, out: Value) -> Value:
        if x_type.dtype.kind != "c":
            return F.zeros(x_type)
        size = F.abs(x)
        along = F.div(F.real(F.mul(g, F.conj(out))), size)  # the part of g that only changes the size of x
        across = F.sub(F.div(g, F.as_dtype(size, x_type.dtype)), F.mul(F.as_dtype(along, x_type.dtype), out))
        return F.where(F.eq(x, 0), 0.0, across)


class ViewAsReal(Movement):
    """The real and imaginary parts of x along a new last axis, a view of its memory.  Shape: (*a) -> (*a, 2)."""

    view, holomorphic, method, torch_name = True, False, False, "ViewAsRealBackward0"
    numpy, jax = "K.view_as_real({x})", "jnp.stack((jnp.real({x}), jnp.imag({x})), -1)"
    samples = ([C(2, 3)], [C()], [C(0, 4)])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's shape with a last axis of 2, the dtype of its parts."""
        if x.dtype.kind != "c":
            raise DTypeError(explain("view_as_real", "view_as_real is only supported for complex tensors", x=x))
        return Type((*x.shape, 2), real_type(x).dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return _joined(F, g)

    @staticmethod
    def replaced(F: Ops, x: Value, part: Value) -> Value:
        """The complex values of these parts."""
        return _joined(F, part)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.view_as_real(x)


def _joined(F: Ops, parts: Value) -> Value:
    """The complex values whose parts stand along the last axis, whatever the layout of the memory."""
    last = len(F.shape(parts)) - 1
    return F.complex(F.select(parts, dim=last, index=0), F.select(parts, dim=last, index=1))


class ViewAsComplex(Movement):
    """The complex values whose parts stand along the last axis, a view of x's memory.  Shape: (*a, 2) -> (*a).

    Raises RuntimeError where the memory of x does not have the parts of each value side by side.
    """

    strict = True
    view, holomorphic, method, quiet, torch_name = True, False, False, True, "ViewAsComplexBackward0"
    numpy, jax = "K.view_as_complex({x})", "jax.lax.complex({x}[..., 0], {x}[..., 1])"
    samples = ([A(2, 3, 2)], [A(2)], [A(0, 4, 2)])

    @staticmethod
    def expression(backend: str, x: str) -> str:
        return f"K.complex_of({x}[..., 0], {x}[..., 1])" if backend == "numpy" else ""

    @staticmethod
    def infer(x: Type) -> Type:
        """x's shape without its last axis, the complex dtype of these parts."""
        if x.dtype.name not in ("float32", "float64"):
            raise DTypeError(
                explain("view_as_complex", "view_as_complex is only supported for half, float and double tensors", x=x)
            )
        if not x.shape:
            raise ShapeError(explain("view_as_complex", "Input tensor must have one or more dimensions", x=x))
        if x.shape[-1] != 2:
            raise ShapeError(explain("view_as_complex", "Tensor must have a last dimension of size 2", x=x))
        return Type(x.shape[:-1], dtypes.from_numpy(x.dtype).to_complex().numpy)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.view_as_real(g)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.view_as_complex(x)


class Vdot(Product):
    """Sum of the products of conj(a) and b.  Shapes: (n,), (n,) -> ()."""

    holomorphic, public = False, ("input", "other")
    tensors = ("other",)
    numpy, jax = "K.dot(np.conjugate({a}), {b})", "jnp.vdot({a}, {b})"
    samples = ([C(3), C(3)], [A(3), A(3)], [C(0), C(0)])

    @staticmethod
    def infer(a: Type, b: Type) -> Type:
        """A scalar of the operands' dtype."""
        return product_of_vectors("vdot", a, b)

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value) -> Value:
        return F.mul(F.conj(g), b)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value) -> Value:
        return F.mul(g, a)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value) -> Value:
        return F.sum(F.mul(F.conj(a), b), dim=(1,), keepdim=False)


class Isreal(Composite):
    """Whether every element of x has no imaginary part.  Shape: (*a) -> (*a), bool."""

    samples = ([C(2, 3)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """True where the imaginary part is 0."""
        t = F.type(input)
        return F.eq(F.imag(input), 0) if t.dtype.kind == "c" else F.full(shape=t.shape, value=True, dtype=dtypes.BOOL)


class Adjoint(Composite):
    """Matrices transposed and conjugated.  Shape: (*p, n, m) -> (*p, m, n).  RuntimeError below two axes."""

    samples = ([C(2, 3)], [A(2, 3)], [C(4, 2, 3)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """conj(input) with its last two axes exchanged."""
        return adjoint_of(F, input, "adjoint")


def adjoint_of(F: Ops, x: Any, name: str) -> Value:
    """The adjoint of x, for the function or property `name`."""
    n = len(F.shape(x))
    if not n and name in ("adjoint", "mH"):
        return F.conj(x) if F.type(x).dtype.kind == "c" else x
    if n < 2:
        text = f"tensor.{name} is only supported on matrices or batches of matrices. Got {n}-D tensor"
        raise ShapeError(explain(name, text))
    turned = F.transpose(x, dim0=n - 2, dim1=n - 1)
    return F.conj(turned) if F.is_complex(x) else turned
