"""place: the sum of values that stand at slices of one axis.  Passes make it of the gradients of slices; it has no public name."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type


class Place(Op):
    """Zeros of `shape` to which each of xs is added in a slice of axis dim.  Shapes: (*a, n, *b), (*a, m, *b), ... -> shape = (*a, k, *b).

    Part i stands at starts[i], starts[i] + steps[i], ...; parts may overlap.
    """

    stored = True
    inputs, attrs, linear, quiet = ("*xs",), ("shape", "dim", "starts", "steps"), ("xs",), True
    function, method = False, False
    numpy = jax = "K.place({xs}, {shape}, {dim}, {starts}, {steps})"
    samples = (
        [A(3), A(2), (5,), 0, (0, 3), (1, 1)],
        [A(2, 4), A(2, 3), (2, 6), 1, (0, 1), (1, 2)],
        [A(5), A(5), A(1), (5,), 0, (0, 0, 4), (1, 1, 1)],
        [A(0, 3), (2, 3), 0, (1,), (1,)],
    )

    @staticmethod
    def infer(xs: tuple[Type, ...], shape: Shape, dim: int, starts: tuple[int, ...], steps: tuple[int, ...]) -> Type:
        """The given shape and the parts' common dtype."""
        if not xs or not len(xs) == len(starts) == len(steps) or not 0 <= dim < len(shape):
            raise ShapeError(
                explain(
                    "place",
                    f"{len(xs)} parts do not go with {len(starts)} starts and {len(steps)} steps on axis {dim} of {list(shape)}",
                )
            )
        for x, start, step in zip(xs, starts, steps, strict=True):
            fits = len(x.shape) == len(shape) and (*x.shape[:dim], shape[dim], *x.shape[dim + 1 :]) == tuple(shape)
            if not fits or start < 0 or step < 1 or (x.shape[dim] and start + step * (x.shape[dim] - 1) >= shape[dim]):
                raise ShapeError(
                    explain(
                        "place",
                        f"a part does not fit into shape {list(shape)} at {start} with step {step} of axis {dim}",
                        part=x,
                    )
                )
        if any(x.dtype != xs[0].dtype for x in xs):
            raise ShapeError(explain("place", f"the parts have different dtypes: {', '.join(map(str, xs))}"))
        return Type(shape, xs[0].dtype)

    @staticmethod
    def statements(target: str, operands: tuple[str, ...], node: Node) -> list[str]:
        """One line per part: which slices these are is known here, so no loop is left for the run."""
        shape, dim, starts, steps = node.attrs
        dtype = f"np.{node.dtype.name}" if node.dtype.kind != "V" else "np.dtype('bfloat16')"
        lines = [f"{target} = np.zeros({shape}, {dtype})"]
        for i, (name, part, start, step) in enumerate(zip(operands, node.inputs, starts, steps, strict=True)):
            stop = start + step * (part.shape[dim] - 1) + 1 if part.shape[dim] else start
            text = f"{start}:{stop}" + (f":{step}" if step != 1 else "")
            lines.append(f"{target}[{':, ' * dim}{text}] {'+=' if i else '='} {name}")
        return lines

    @staticmethod
    def grad_xs(
        F: Ops, g: Value, xs_types: tuple[Type, ...], dim: int, starts: tuple[int, ...], steps: tuple[int, ...]
    ) -> tuple[Value, ...]:
        return tuple(
            F.slice(g, dim=dim, start=start, stop=max(start, start + (x.shape[dim] - 1) * step + 1), step=step)
            for x, start, step in zip(xs_types, starts, steps, strict=True)
        )

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, xs: tuple[Value, ...], shape: Shape, dim: int, starts: Any, steps: Any
    ) -> Value:
        return F.place(*F.lift(size, batched, *xs), shape=(size, *shape), dim=dim + 1, starts=starts, steps=steps)
