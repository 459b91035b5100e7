"""The Jacobians that gradcheck compares: by central differences, by reverse mode and by forward mode.

A Jacobian is a matrix (elements of the input, elements of the result).  For a complex input its entries are d/d(re) + i d/d(im) of a real number: the real part
of a result, or the imaginary one.  Forward mode has complex entries where the result is complex, along the real or the imaginary axis of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tracegrad.autograd.engine import grad
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import GradcheckError, MissingAttributeError, explain
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]
RANDOM_SEED = 20240229  # of the directions in fast mode


class Options(NamedTuple):
    """How closely two derivatives must agree."""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    fast: bool


class Problem(NamedTuple):
    """A function at its arguments: its results, recorded once, and the arguments that require grad."""

    func: Callable[..., Any]
    arguments: tuple[Any, ...]
    followed: list[Tensor]
    outputs: list[Tensor]
    options: Options

    def values(self) -> list[Array]:
        """The results at the present values of the arguments, in double precision."""
        return [_vector(t) for t in tensors_of_result(self.func(*self.arguments))]


def problem_of(func: Callable[..., Any], arguments: tuple[Any, ...], options: Options) -> Problem:
    """Call the function once, in the caller's grad mode."""
    outputs = tensors_of_result(func(*arguments))
    return Problem(
        func, arguments, [a for a in arguments if isinstance(a, Tensor) and a.requires_grad], outputs, options
    )


def tensors_of_result(result: Any) -> list[Tensor]:
    """One Tensor or several as a list.  Raises AttributeError for anything else."""
    items = list(result) if isinstance(result, (tuple, list)) else [result]
    for item in items:
        if not isinstance(item, Tensor):
            problem = (
                f"the function must return Tensors: {type(item).__name__!r} object has no attribute 'requires_grad'"
            )
            raise MissingAttributeError(explain("gradcheck", problem))
    return items


def is_complex(t: Tensor) -> bool:
    """Whether t has complex elements."""
    return t._data.dtype.kind == "c"


def _vector(t: Tensor) -> Array:
    return np.array(t._data, np.complex128 if is_complex(t) else np.float64).reshape(-1)


class Differences:
    """Central differences of all results, by the input that is moved; computed when first asked for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._found: dict[tuple[int, bool], list[Array]] = {}

    def along(self, x_index: int, imaginary: bool) -> list[Array]:
        """For each result the matrix of its changes as each element of an input moves along the real (or imaginary) axis."""
        key = (x_index, imaginary)
        if key not in self._found:
            x = self.problem.followed[x_index]
            rows = [self._move(x, at, 1j if imaginary else 1.0) for at in np.ndindex(*x._data.shape)]
            self._found[key] = [
                np.array([row[i] for row in rows]) if rows else np.zeros((0, o._data.size))
                for i, o in enumerate(self.problem.outputs)
            ]
        return self._found[key]

    def _move(self, x: Tensor, at: Any, direction: complex) -> list[Array]:
        eps, before = self.problem.options.eps, x._data[at]
        try:
            x._data[at] = before + eps * direction
            high = self.problem.values()
            x._data[at] = before - eps * direction
            low = self.problem.values()
        finally:
            x._data[at] = before
        return [(h - w) / (2 * eps) for h, w in zip(high, low, strict=True)]

    def jacobian(self, output: int, x_index: int, imaginary: bool) -> Array:
        """The Jacobian of one part of a result."""
        part = np.imag if imaginary else np.real
        found: Array = part(self.along(x_index, False)[output])
        if is_complex(self.problem.followed[x_index]):
            found = found + 1j * part(self.along(x_index, True)[output])
        return found

    def projected(self, output: int, x: Tensor, v: Array) -> Array:
        """The change of a result as an input moves along v."""
        eps, before = self.problem.options.eps, x._data.copy()
        step = (eps * v).reshape(x._data.shape)
        try:
            x._data[...] = before + step
            high = self.problem.values()[output]
            x._data[...] = before - step
            low = self.problem.values()[output]
        finally:
            x._data[...] = before
        return (high - low) / (2 * eps)


def vjp(problem: Problem, output: int, cotangent: Array) -> list[Array]:
    """The gradients of all inputs for one cotangent of one result, as vectors."""
    o = problem.outputs[output]
    g = handle(np.asarray(cotangent, o._data.dtype).reshape(o._data.shape), None)
    found = grad(o, problem.followed, g, retain_graph=True, allow_unused=True)
    return [
        np.zeros(x._data.size, np.complex128 if is_complex(x) else np.float64) if f is None else _vector(f)
        for x, f in zip(problem.followed, found, strict=True)
    ]


def analytical(problem: Problem, output: int, imaginary: bool) -> list[Array]:
    """The Jacobians of one part of a result with respect to all inputs, by one sweep per element of the result."""
    size = problem.outputs[output]._data.size
    columns = [vjp(problem, output, row * (1j if imaginary else 1)) for row in np.eye(size)]
    return [np.array([c[j] for c in columns]).reshape(size, x._data.size).T for j, x in enumerate(problem.followed)]


def agree(a: Array, n: Array, options: Options, scale: float = 1.0) -> bool:
    """Whether two derivatives are equal within the tolerances."""
    return bool(np.allclose(a, n, options.rtol, options.atol * scale)) if a.size else True


def check_jacobians(problem: Problem, differences: Differences, output: int, imaginary: bool) -> None:
    """Compare whole Jacobians."""
    for j, a in enumerate(analytical(problem, output, imaginary)):
        n = differences.jacobian(output, j, imaginary)
        if not agree(a, n, problem.options):
            raise GradcheckError(_mismatch(problem, a, n, (output, j), _prefix(problem.outputs[output], imaginary)))


def _prefix(value: Tensor, imaginary: bool, kind: str = "outputs") -> str:
    """Which part of complex numbers is looked at."""
    if not is_complex(value):
        return ""
    return f"While considering the {'imaginary' if imaginary else 'real'} part of complex {kind} only, "


def _shown(matrix: Array) -> str:
    return repr(handle(np.asarray(matrix), None))


def _mismatch(problem: Problem, a: Array, n: Array, places: tuple[int, int], prefix: str, mode: str = "") -> str:
    """What the message says of two Jacobians that differ: both matrices, and the worst entry with its place."""
    i, j = places
    text = f"{prefix}Jacobian {mode}mismatch for output {i} with respect to input {j},\n"
    return f"gradcheck: {text}numerical:{_shown(n)}\nanalytical:{_shown(a)}\n{_worst(problem, a, n, places)}\n"


def _worst(problem: Problem, a: Array, n: Array, places: tuple[int, int]) -> str:
    difference = np.abs(a - n)
    row, column = np.unravel_index(np.argmax(np.where(np.isnan(difference), np.inf, difference)), difference.shape)
    x, output = problem.followed[places[1]], problem.outputs[places[0]]
    at_x, at_out = (tuple(map(int, np.unravel_index(k, t._data.shape))) for k, t in ((row, x), (column, output)))
    return (
        f"worst entry: d output{list(at_out)} / d input{list(at_x)}: analytical {a[row, column]:.10g}, "
        f"numerical {n[row, column]:.10g}, difference {difference[row, column]:.3g}"
    )


def unit(generator: np.random.Generator, t: Tensor) -> Array:
    """A random vector of length 1 with an entry for each element of t, complex if t is."""
    v = generator.standard_normal(t._data.size)
    if is_complex(t):
        v = v + 1j * generator.standard_normal(t._data.size)
    return v / max(float(np.linalg.norm(v)), 1e-300)


def check_projections(problem: Problem, differences: Differences, output: int, imaginary: bool) -> None:
    """Compare u . J v for random unit vectors; on a mismatch the whole Jacobians, for the message."""
    generator = np.random.default_rng(RANDOM_SEED)
    o = problem.outputs[output]
    u = np.real(unit(generator, o))
    gradients = vjp(problem, output, u * (1j if imaginary else 1))
    for j, (x, g) in enumerate(zip(problem.followed, gradients, strict=True)):
        v = unit(generator, x)
        moved = differences.projected(output, x, v)
        numerical = np.asarray(u @ (np.imag(moved) if imaginary else np.real(moved)))
        found = np.asarray(np.real(np.vdot(g, v)))
        scale = float(np.abs(u).sum() * np.abs(v).sum())
        if not agree(found, numerical, problem.options, scale):
            a, n = analytical(problem, output, imaginary)[j], differences.jacobian(output, j, imaginary)
            raise GradcheckError(_fast_mismatch(problem, found, numerical, a, n, (output, j), _prefix(o, imaginary)))


def _fast_mismatch(
    problem: Problem,
    found: Array,
    numerical: Array,
    a: Array,
    n: Array,
    places: tuple[int, int],
    prefix: str,
    mode: str = "",
) -> str:
    text = f"{prefix}Jacobian {mode}mismatch for output {places[0]} with respect to input {places[1]},\n"
    slow = (
        ""
        if not agree(a, n, problem.options)
        else (
            "\nThe whole Jacobians agree within the tolerances: fast mode is stricter here. Use slow mode, or larger tolerances.\n"
        )
    )
    return (
        f"gradcheck: {text}numerical:{numerical.item():.10g}\nanalytical:{found.item():.10g}\n\n"
        "These numbers are projections of the Jacobians on random directions (fast mode).  In slow mode:\n\n"
        f"Numerical:\n {_shown(n)}\nAnalytical:\n{_shown(a)}\n\n"
        f"The max per-element difference (slow mode) is: {np.max(np.abs(a - n), initial=0)}.\n"
        f"{_worst(problem, a, n, places) if a.size else ''}\n{slow}"
    )


def function_of_followed(problem: Problem) -> Callable[..., tuple[Tensor, ...]]:
    """The function of the arguments that require grad alone."""
    places = [i for i, a in enumerate(problem.arguments) if isinstance(a, Tensor) and a.requires_grad]

    def function(*values: Tensor) -> tuple[Tensor, ...]:
        filled = list(problem.arguments)
        for i, v in zip(places, values, strict=True):
            filled[i] = v
        return tuple(tensors_of_result(problem.func(*filled)))

    return function


def tangents(problem: Problem, index: int, direction: Array) -> list[Array]:
    """The tangents of all results for one direction of one input, as vectors."""
    along = [np.zeros(x._data.shape, x._data.dtype) for x in problem.followed]
    along[index] = direction.reshape(along[index].shape).astype(along[index].dtype)
    given = tuple(handle(a, None) for a in along)
    return [_vector(t) for t in slots.jvp(function_of_followed(problem), tuple(problem.followed), given)[1]]


def check_forward(problem: Problem, differences: Differences) -> None:
    """Compare the tangents of forward mode with central differences."""
    generator = np.random.default_rng(RANDOM_SEED)
    for j, x in enumerate(problem.followed):
        for imaginary in (True, False) if is_complex(x) else (False,):
            compare = _compare_direction if problem.options.fast else _compare_directions
            compare(problem, differences, j, imaginary, generator)


def _compare_directions(
    problem: Problem, differences: Differences, j: int, imaginary: bool, _generator: np.random.Generator
) -> None:
    x = problem.followed[j]
    rows = [tangents(problem, j, row * (1j if imaginary else 1)) for row in np.eye(x._data.size)]
    for i, n in enumerate(differences.along(j, imaginary)):
        a = np.array([row[i] for row in rows]).reshape(n.shape)
        if problem.outputs[i]._data.dtype.kind in "fcV" and not agree(a, n, problem.options):
            prefix = _prefix(x, imaginary, "inputs")
            raise GradcheckError(_mismatch(problem, a, n, (i, j), prefix, "computed with forward mode "))


def _compare_direction(
    problem: Problem, differences: Differences, j: int, imaginary: bool, generator: np.random.Generator
) -> None:
    x = problem.followed[j]
    v = np.real(unit(generator, x)) * (1j if imaginary else 1)
    found = tangents(problem, j, v)
    for i, o in enumerate(problem.outputs):
        u = np.real(unit(generator, o))
        a, n = np.asarray(u @ found[i]), np.asarray(u @ differences.projected(i, x, v))
        if o._data.dtype.kind in "fcV" and not agree(a, n, problem.options, float(np.abs(u).sum() * np.abs(v).sum())):
            prefix = _prefix(x, imaginary, "inputs")
            rows = np.array([tangents(problem, j, row * (1j if imaginary else 1))[i] for row in np.eye(x._data.size)])
            slow = differences.along(j, imaginary)[i]
            raise GradcheckError(
                _fast_mismatch(problem, a, n, rows, slow, (i, j), prefix, "computed with forward mode ")
            )
