"""Every operator with every one of its samples, as arrays: what the generated tests run over."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

import tracegrad  # noqa: F401  (fills the registry)
from tracegrad.autograd.engine import grad
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.node import make_leaf
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.raw import compute
from tracegrad.ir.samples import Body, Sample
from tracegrad.ir.types import Type, type_of

# operators whose samples cannot be values and attributes alone
EXCUSED = {
    "index_mask": "the shape of its result depends on values; tests/ops/test_masks.py",
    "index_mask_backward": "its operands' shapes depend on each other's values; tests/ops/test_masks.py",
    "masked_select_node": "the shape of its result depends on values; tests/ops/test_masks.py",
    "unique_positions": "the shapes of its results depend on values; tests/ops/test_oracle_vocabulary.py",
    "bincount_node": "the shape of its result depends on values; tests/ops/test_oracle_vocabulary.py",
    "repeated_positions": "the shape of its result depends on values; tests/ops/test_oracle_vocabulary.py",
    "nonzero": "the shape of its result depends on values; tests/ops/test_oracle_names.py",
    "project": "its operand is an operator with several results",
    "custom_call": "its attributes are a user's class and objects",
    "function_call": "its attribute is a user's call; tests/autograd/test_function_recorded.py",
    "while_backward": "its operands and attributes follow from those of a loop; tests/ops/test_control_flow.py",
}
# operators with vectors that have a free phase: for complex operands only some cotangents have a meaning; tests/ops/test_oracle_factorizations.py
PHASES = {"linalg_eigh_node", "linalg_eig_node", "linalg_svd_node", "check_phase"}
COMPLEX_KINDS = {"array": "complex", "symmetric": "hermitian"}
# operators whose backward raises on purpose
NO_BACKWARD = {"igamma", "igammac", "special_zeta", "floor_divide", "ldl_node", "geqrf_node"}


class Case:
    """One sample of one operator, drawn with a fixed seed; a number written "3 complex" draws its floating operands as complex ones."""

    def __init__(self, op: type[Op], number: int | str) -> None:
        sample = list(op.samples[int(str(number).split()[0])])
        if isinstance(number, str):
            sample = [
                v._replace(kind=COMPLEX_KINDS.get(v.kind, v.kind)) if isinstance(v, Sample) else v for v in sample
            ]
        count = len(sample) - len(op.attrs)
        self.op, self.number = op, number
        drawn = [v for v in sample[:count] if isinstance(v, Sample)]
        self.symmetric = {i for i, v in enumerate(drawn) if v.kind in ("symmetric", "hermitian")}
        self.generator = np.random.default_rng(zlib.crc32(f"{op.name} {number}".encode()))
        self.values: tuple[Any, ...] = tuple(
            v.draw(self.generator) if isinstance(v, Sample) else v for v in sample[:count]
        )
        self.attrs: tuple[Any, ...] = tuple(
            attribute_of(name, v) for name, v in zip(op.attrs, sample[count:], strict=True)
        )

    def __repr__(self) -> str:
        return f"{self.op.name}-{self.number}"

    def take_bodies(self, dtype: Any) -> None:
        """Draw the bodies among the attributes for floating operands of this dtype."""
        given = self.op.samples[int(str(self.number).split()[0])][-len(self.op.attrs) or None :]
        if any(isinstance(v, Body) for v in given):
            self.attrs = tuple(attribute_of(name, v, dtype) for name, v in zip(self.op.attrs, given, strict=True))

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The operands that are arrays."""
        return tuple(v for v in self.values if isinstance(v, np.ndarray))

    @property
    def keywords(self) -> dict[str, Any]:
        """The attributes by name."""
        return dict(zip(self.op.attrs, self.attrs, strict=True))

    def types(self) -> tuple[Any, ...]:
        """The types of the operands; None for an absent one."""
        return tuple(None if v is None else type_of(v) for v in self.values)

    def results(self) -> tuple[Type, ...]:
        """The result types by the type rule."""
        found = self.op.type_rule(self.types(), self.attrs)
        return (found,) if isinstance(found, Type) else tuple(found)

    def followed(self) -> tuple[int, ...]:
        """Positions among `arrays` whose derivative the definition gives."""
        places = [i for i, v in enumerate(self.values) if isinstance(v, np.ndarray)]
        last = len(self.op.operands) - 1
        if hasattr(self.op, "vjp"):
            return tuple(n for n, i in enumerate(places) if self.values[i].dtype.kind in "fc")
        return tuple(
            n
            for n, i in enumerate(places)
            if self.op.rules[min(i, last)] is not None and self.values[i].dtype.kind in "fc"
        )

    def differentiable(self) -> tuple[int, ...]:
        """Positions of the results that have a derivative."""
        if hasattr(self.op, "vjp"):
            return tuple(i for i, t in enumerate(self.results()) if t.dtype.kind in "fc")
        return tuple(
            i for i, (name, t) in enumerate(zip(self.op.outputs, self.results(), strict=True))
            if name not in self.op.nondiff_outputs and t.dtype.kind in "fc"
        )  # fmt: skip

    def raw(self, arrays: Any) -> tuple[np.ndarray, ...]:
        """The kernel's results for other arrays in the same places."""
        rest = iter(arrays)
        found = compute(self.op, tuple(next(rest) if isinstance(v, np.ndarray) else v for v in self.values), self.attrs)
        return tuple(np.asarray(r) for r in (found if self.op.several() else (found,)))

    def eager(self, tensors: Any) -> tuple[Tensor, ...]:
        """The operator on Tensors in the places of the arrays."""
        rest = iter(tensors)
        inputs = [next(rest) if isinstance(v, np.ndarray) else v for v in self.values]
        found = getattr(T, self.op.name)(*inputs, **self.keywords)
        return tuple(found) if self.op.several() else (found,)

    def vjp(self, arrays: Any, cotangents: Any, create_graph: bool = False) -> list[np.ndarray]:
        """The gradients of the followed arrays, on the tape."""
        tensors = [handle(np.array(a), None) for a in arrays]
        wanted = [tensors[i].requires_grad_() for i in self.followed()]
        made = self.eager(tensors)
        roots, given = [made[i] for i in self.differentiable()], [handle(np.array(g), None) for g in cotangents]
        return [g._data for g in grad(roots, wanted, given, create_graph=create_graph, materialize_grads=True)]

    def cotangents(self) -> list[np.ndarray]:
        """Random cotangents of the differentiable results."""
        return [normal(self.generator, self.results()[i].shape, self.results()[i].dtype) for i in self.differentiable()]

    def directions(self) -> list[np.ndarray]:
        """Random tangents of the followed arrays."""
        found = [(i, normal(self.generator, self.arrays[i].shape, self.arrays[i].dtype)) for i in self.followed()]
        return [(v + v.conj().swapaxes(-1, -2)) / 2 if i in self.symmetric else v for i, v in found]

    def graph(self) -> Graph:
        """The operator as a graph over its arrays."""
        leaves = [make_leaf(type_of(a)) for a in self.arrays]
        rest = iter(leaves)
        inputs = [next(rest) if isinstance(v, np.ndarray) else v for v in self.values]
        found = getattr(B, self.op.name)(*inputs, **self.keywords)
        return Graph(leaves, found if self.op.several() else (found,))


def attribute_of(name: str, value: Any, dtype: Any = np.float64) -> Any:
    """The attribute that a sample stands for: a dtype by its name, the Graph of a body."""
    if isinstance(value, Body):
        leaves = [make_leaf(Type(v.shape, np.dtype(dtype)), needs=True) for v in value.inputs]
        return Graph(leaves, value.function(B, *leaves))
    return np.dtype(value) if name == "dtype" and isinstance(value, str) else value


def normal(generator: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Normal numbers of a dtype; both parts of complex ones."""
    found = np.asarray(generator.normal(size=shape))
    return (found + 1j * generator.normal(size=shape) if dtype.kind == "c" else found).astype(dtype)


def run(graph: Graph, arrays: Any) -> list[Any]:
    """The outputs of a graph by the raw kernels, node after node: the reference for every backend."""
    return [
        np.asarray(v)
        for v in evaluate(
            graph,
            dict(zip(graph.leaves, arrays, strict=True)),
            lambda op, inputs, attrs, node: compute(op, inputs, attrs),
        )
    ]


def shifted(arrays: Any, places: Any, directions: Any, step: float) -> list[np.ndarray]:
    """The arrays, those at `places` moved by step * direction."""
    moved = list(arrays)
    for place, v in zip(places, directions, strict=True):
        moved[place] = np.asarray(moved[place] + step * v, moved[place].dtype)
    return moved


def dot(xs: Any, ys: Any) -> float:
    """The sum of all products; of complex numbers the real part of conj(x) * y, which is the product of pairs of real ones."""
    with np.errstate(all="ignore"):
        return float(
            sum(
                np.sum(np.real(np.conj(np.asarray(x, np.complex128)) * np.asarray(y, np.complex128)))
                for x, y in zip(xs, ys, strict=True)
            )
        )


OPERATORS = [
    op for op in sorted(REGISTRY.values(), key=lambda op: op.name) if not op.composite and op.name not in EXCUSED
]


def takes_complex(op: type[Op], number: int) -> bool:
    """Whether the operator takes complex numbers in the place of this sample's floating operands."""
    sample = op.samples[number]
    if op.real_only or op.name in PHASES or any(isinstance(v, Body) for v in sample):
        return False
    if not any(isinstance(v, Sample) and v.kind in COMPLEX_KINDS for v in sample):
        return False
    try:
        case = Case(op, f"{number} complex")
        case.results()
    except (RuntimeError, TypeError, IndexError):
        return False
    return True


CASES: list[tuple[type[Op], Any]] = [
    (op, number)
    for op in OPERATORS
    for n in range(len(op.samples))
    for number in ((n, f"{n} complex") if takes_complex(op, n) else (n,))
]


def every_case(function: Any) -> Any:
    """Parametrise a test by operator and sample, so that a failure names both."""
    return pytest.mark.parametrize(("op", "number"), CASES, ids=[f"{op.name}-{number}" for op, number in CASES])(
        function
    )


def smooth_cases(function: Any) -> Any:
    """Like every_case, for the samples that have a derivative."""
    chosen = [(op, n) for op, n in CASES if op.name not in NO_BACKWARD and _has_derivative(op, n)]
    return pytest.mark.parametrize(("op", "number"), chosen, ids=[f"{op.name}-{n}" for op, n in chosen])(function)


def _has_derivative(op: type[Op], number: int) -> bool:
    try:
        case = Case(op, number)
        return bool(case.followed() and case.differentiable())
    except (RuntimeError, ValueError, TypeError, IndexError):
        return True  # a sample that is not valid is reported by the tests, one by one
