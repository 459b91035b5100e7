"""Losses that torch has as one step each.  They open into simpler operators (decompose) but have rules of their own."""

from __future__ import annotations

import warnings
from typing import Any

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentValueError, DTypeError, ShapeError, explain
from tracegrad.ir.families import common_dtype
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Shape, Type, broadcast, size_of
from tracegrad.ops.checks import not_for

REDUCTIONS = ("none", "mean", "sum")


class MseLoss(Op):
    """(x - y)^2, its mean or its sum.  Shapes: (*a), (*b) -> broadcast(a, b) for reduction "none", else ()."""

    masks = "each"
    real_only = True
    inputs, attrs, promotion = ("x", "y"), ("reduction",), "arithmetic"
    function, method = False, False
    samples = ([A(2, 3), A(2, 3), "mean"], [A(2, 3), A(3), "sum"], [A(2, 3), A(2, 3), "none"], [A(), A(), "mean"])

    @staticmethod
    def call(
        F: Ops,
        input: Any,
        target: Any,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        weight: Any = None,
    ) -> Value:  # noqa: A002
        """The squared difference of input and target, reduced; weights multiply the elements before the reduction."""
        chosen = reduction_of("mse_loss", size_average, reduce, reduction)
        warn_of_broadcast("mse_loss", F.shape(input), F.shape(target))
        if weight is None:
            return F.mse_loss(input, target, reduction=chosen)
        weighted = F.mul(F.mse_loss(input, target, reduction="none"), weight)
        return (
            F.div(F.sum(weighted, dim=None, keepdim=False), F.sum(weight, dim=None, keepdim=False))
            if chosen == "mean"
            else reduced(F, weighted, chosen)
        )

    @staticmethod
    def infer(x: Type, y: Type, reduction: str) -> Type:
        """The broadcast shape or a scalar."""
        return _loss_type("mse_loss", reduction, x, y)

    @staticmethod
    def decompose(F: Ops, x: Value, y: Value, reduction: str) -> Value:
        difference = F.sub(x, y)
        return reduced(F, F.mul(difference, difference), reduction)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value, x_type: Type, reduction: str) -> Value:
        return F.sum_to(_mse_slope(F, g, x, y, reduction), shape=x_type.shape)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value, y_type: Type, reduction: str) -> Value:
        return F.neg(F.sum_to(_mse_slope(F, g, x, y, reduction), shape=y_type.shape))

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, y: Value, reduction: str) -> Value:
        return _reduced_rows(F, F.mse_loss(*F.lift(size, batched, x, y), reduction="none"), reduction)


class BinaryCrossEntropyWithLogits(Op):
    """-(y log sigmoid(x) + (1 - y) log(1 - sigmoid(x))), stable for any x.  Shapes: (*a) each (weights broadcast) -> (*a), or () if reduced.

    weight multiplies the elements, pos_weight the terms with y; neither has a derivative.
    """

    masks = "each"
    real_only = True
    inputs, attrs, promotion = ("x", "y", "weight?", "pos_weight?"), ("reduction",), "arithmetic"
    nondiff = ("weight", "pos_weight")
    function, method = False, False
    samples = (
        [A(2, 3), A(2, 3, lo=0.0, hi=1.0), None, None, "mean"],
        [A(2, 3, lo=-90.0, hi=90.0), A(2, 3, lo=0.0, hi=1.0), A(3, lo=0.5), None, "sum"],
        [A(2, 3), A(2, 3, lo=0.0, hi=1.0), A(2, 3, lo=0.5), A(3, lo=0.5), "none"],
        [A(), A(lo=0.0, hi=1.0), None, None, "mean"],
    )

    @staticmethod
    def call(
        F: Ops,
        input: Any,
        target: Any,
        weight: Any = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Any = None,  # noqa: A002
    ) -> Value:
        """The loss of logits against targets in [0, 1].  Raises ValueError when input and target have different shapes."""
        chosen = reduction_of("binary_cross_entropy_with_logits", size_average, reduce, reduction)
        if F.shape(input) != F.shape(target):
            raise ArgumentValueError(
                explain(
                    "binary_cross_entropy_with_logits",
                    f"Target size ({list(F.shape(target))}) must be the same as input size ({list(F.shape(input))})",
                )
            )
        not_for("log_sigmoid_cpu", F.type(input), "biu")
        if not F.is_floating(target):
            problem = "target must be of a floating dtype"
            raise DTypeError(explain("binary_cross_entropy_with_logits", problem, target=F.type(target)))
        for given in (weight, pos_weight):
            if given is not None:
                check_weight("binary_cross_entropy_with_logits", F.shape(input), F.shape(given))
        return F.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction=chosen)

    @staticmethod
    def infer(x: Type, y: Type, weight: Type | None, pos_weight: Type | None, reduction: str) -> Type:
        """The broadcast shape or a scalar."""
        return _loss_type(
            "binary_cross_entropy_with_logits", reduction, x, y, *(t for t in (weight, pos_weight) if t is not None)
        )

    @staticmethod
    def decompose(F: Ops, x: Value, y: Value, weight: Value | None, pos_weight: Value | None, reduction: str) -> Value:
        tail = _softplus_of_minus(F, x)
        if pos_weight is not None:
            tail = F.mul(F.add(F.mul(F.sub(pos_weight, 1.0), y), 1.0), tail)
        loss = F.add(F.mul(F.sub(1.0, y), x), tail)
        return reduced(F, loss if weight is None else F.mul(loss, weight), reduction)

    @staticmethod
    def grad_x(
        F: Ops, g: Value, x: Value, y: Value, weight: Any, pos_weight: Any, x_type: Type, reduction: str
    ) -> Value:
        if pos_weight is None:
            return _weighted_slope(F, g, F.sub(F.sigmoid(x), y), weight, x_type, reduction)
        positive = F.mul(pos_weight, y)
        slope = F.sub(F.mul(F.sigmoid(x), F.add(F.sub(positive, y), 1.0)), positive)
        return _weighted_slope(F, g, slope, weight, x_type, reduction)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, weight: Any, pos_weight: Any, y_type: Type, reduction: str) -> Value:
        slope = F.neg(x)
        if pos_weight is not None:
            slope = F.add(slope, F.mul(F.sub(pos_weight, 1.0), _softplus_of_minus(F, x)))
        return _weighted_slope(F, g, slope, weight, y_type, reduction)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], x: Value, y: Value, weight: Any, pos_weight: Any, reduction: str
    ) -> Value:
        given = [v for v in (x, y, weight, pos_weight) if v is not None]
        flags = [b for v, b in zip((x, y, weight, pos_weight), batched, strict=True) if v is not None]
        lifted = iter(F.lift(size, flags, *given))
        operands = [None if v is None else next(lifted) for v in (x, y, weight, pos_weight)]
        return _reduced_rows(F, F.binary_cross_entropy_with_logits(*operands, reduction="none"), reduction)


class NllLoss(Op):
    """-weight[t] x[t] for the class t of each position, its mean or sum.  Shapes: x (n, c, *q) or (c,), t (n, *q) or (), weight (c,) -> t's shape or ().

    Positions whose class is ignore_index count for nothing; the mean divides by the sum of the weights that took part.
    """

    masks = "picks"
    name = "nll_loss"
    real_only = True
    inputs, attrs, nondiff = ("x", "target", "weight?"), ("reduction", "ignore_index"), ("target", "weight")
    function, method = False, False
    samples = (
        [A(4, 3), I(4, below=3), None, "mean", -100],
        [A(4, 3), I(4, below=3), A(3, lo=0.5), "mean", 1],
        [A(4, 3, 2), I(4, 2, below=3), None, "sum", -100],
        [A(3), I(below=3), None, "none", -100],
    )

    @staticmethod
    def torch_name(node: Node) -> str:
        """torch has images as a case of their own, and turns other inputs of more than two axes into images."""
        x = node.inputs[0]
        axes = len(x.shape if isinstance(x, (Node, Type)) else x)
        if axes < 3:
            return "NllLossBackward0"
        return "ViewBackward0" if axes != 4 and node.attrs[0] == "none" else "NllLoss2DBackward0"

    @staticmethod
    def call(
        F: Ops,
        input: Any,
        target: Any,
        weight: Any = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",  # noqa: A002
    ) -> Value:
        """The negative log likelihood.  Raises ValueError when the batch sizes differ, IndexError for a class out of range."""
        chosen = reduction_of("nll_loss", size_average, reduce, reduction)
        if len(F.shape(input)) == 1 and F.shape(target) == (1,):
            target = F.reshape(target, shape=())
        # asked here, since the kernel would take some targets of another shape
        x, t = F.type(input), F.type(target)
        usual = len(x.shape) == 2 and x.shape[:1] == t.shape and t.dtype is I64 and x.dtype.kind == "f"
        if weight is not None or not usual:
            NllLoss.infer(x, t, None if weight is None else F.type(weight), chosen, ignore_index)
        return F.nll_loss(input, target, weight, reduction=chosen, ignore_index=ignore_index)

    @staticmethod
    def infer(x: Type, target: Type, weight: Type | None, reduction: str, ignore_index: int) -> Type:
        """The target's shape or a scalar."""
        not_for("nll_loss", x, "biu")
        if not x.shape:
            raise ArgumentValueError(explain("nll_loss", "Expected 1 or more dimensions (got 0)"))
        axis = _class_axis(x)
        if axis and x.shape[:1] != target.shape[:1]:
            count = target.shape[0] if target.shape else 0
            problem = f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({count})."
            raise ArgumentValueError(explain("nll_loss", problem, x=x, target=target))
        wanted = (*x.shape[:axis], *x.shape[axis + 1 :])
        if len(x.shape) < 3 and len(target.shape) > 1:
            problem = "0D or 1D target tensor expected, multi-target not supported"
            raise ShapeError(explain("nll_loss", problem, x=x, target=target))
        if target.dtype != I64 and target.dtype.char != "B":
            problem = f"expected target dtype to be Long or Byte, but got {target.dtype}"
            raise DTypeError(explain("nll_loss", problem, target=target))
        if wanted != target.shape:
            problem = f"Expected target size {list(wanted)}, got {list(target.shape)}"
            if not axis:
                problem = f"For 1D input, 1D target must have size 1, but got target size: {target.shape[0]}"
            raise (ShapeError if axis else ArgumentValueError)(explain("nll_loss", problem, x=x, target=target))
        if weight is not None and weight.shape != (x.shape[axis],):
            raise ShapeError(
                explain("nll_loss", "weight must be defined for all classes, or for none", x=x, weight=weight)
            )
        return Type(target.shape if reduction == "none" else (), x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, target: Value, weight: Value | None, reduction: str, ignore_index: int) -> Value:
        factor, at = _class_weights(F, F.type(x), target, weight, ignore_index)
        axis = _class_axis(F.type(x))
        picked = F.reshape(
            F.gather(x, F.reshape(at, shape=_with_axis(F.shape(target), axis)), dim=axis), shape=F.shape(target)
        )
        loss = F.neg(F.mul(picked, factor))
        if reduction != "mean":
            return reduced(F, loss, reduction)
        return F.div(F.sum(loss, dim=None, keepdim=False), F.sum(factor, dim=None, keepdim=False))

    @staticmethod
    def grad_x(F: Ops, g: Value, target: Value, weight: Any, x_type: Type, reduction: str, ignore_index: int) -> Value:
        factor, at = _class_weights(F, x_type, target, weight, ignore_index)
        axis, shape = _class_axis(x_type), F.shape(target)
        if reduction == "mean":
            total = F.sum(factor, dim=None, keepdim=False)
            g = F.div(g, F.clamp_min(total, min=1.0, max=None) if weight is None else total)  # a count may be 0
        parts = F.neg(F.mul(factor, g))
        if weight is not None and reduction == "mean":
            parts = F.where(F.ne(target, ignore_index), parts, 0.0)  # g is nan where nothing counts
        return F.scatter_add(
            F.zeros(x_type),
            F.reshape(at, shape=_with_axis(shape, axis)),
            F.reshape(parts, shape=_with_axis(shape, axis)),
            dim=axis,
        )


def check_weight(operation: str, shape: Shape, weight: Shape) -> None:
    """Raise RuntimeError for weights that would broadcast the losses to another shape."""
    if broadcast(operation, shape, weight) != shape:
        problem = f"output with shape {list(shape)} doesn't match the broadcast shape of weight {list(weight)}"
        raise ShapeError(explain(operation, problem))


def reduction_of(operation: str, size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction that torch's arguments ask for, the two deprecated ones included.  Raises ValueError for an unknown word."""
    if size_average is not None or reduce is not None:
        chosen = "none" if reduce is False else "sum" if size_average is False else "mean"
        text = f"size_average and reduce args will be deprecated, please use reduction='{chosen}' instead."
        warnings.warn(text, UserWarning, stacklevel=4)
        return chosen
    if reduction not in REDUCTIONS:
        raise ArgumentValueError(
            explain(operation, f"{reduction} is not a valid value for reduction", f"Use one of {REDUCTIONS}")
        )
    return reduction


def warn_of_broadcast(operation: str, input_shape: Shape, target_shape: Shape) -> None:
    """The warning that torch gives when a loss broadcasts."""
    if input_shape != target_shape:
        text = (
            f"{operation}: Using a target size ({list(target_shape)}) that is different to the input size ({list(input_shape)}). This will likely lead to "
            "incorrect results due to broadcasting. Please ensure they have the same size."
        )
        warnings.warn(text, UserWarning, stacklevel=4)


def reduced(F: Ops, value: Value, reduction: str) -> Value:
    """The value, its sum or its mean."""
    if reduction == "none":
        return value
    total: Value = F.sum(value, dim=None, keepdim=False)
    return total if reduction == "sum" else F.div(total, float(size_of(F.shape(value))))


def _reduced_rows(F: Ops, value: Value, reduction: str) -> Value:
    """The same for every position of the leading axis."""
    if reduction == "none":
        return value
    shape = F.shape(value)
    total: Value = F.sum(value, dim=tuple(range(1, len(shape))), keepdim=False) if len(shape) > 1 else value
    return total if reduction == "sum" else F.div(total, float(size_of(shape[1:])))


def _loss_type(operation: str, reduction: str, *types: Type) -> Type:
    for t in types:
        not_for(operation, t, "biu")
    shape = broadcast(operation, *(t.shape for t in types))
    return Type(shape if reduction == "none" else (), common_dtype(operation, types))


def _scaled(F: Ops, slope: Value, g: Value, reduction: str) -> Value:
    """slope * g, divided by the number of elements for a mean."""
    count = size_of(F.shape(slope))
    return F.mul(slope, F.div(g, float(max(count, 1))) if reduction == "mean" else g)


def _mse_slope(F: Ops, g: Value, x: Value, y: Value, reduction: str) -> Value:
    return _scaled(F, F.mul(F.sub(x, y), 2.0), g, reduction)


def _weighted_slope(F: Ops, g: Value, slope: Value, weight: Any, operand: Type, reduction: str) -> Value:
    weighted = slope if weight is None else F.mul(slope, weight)
    return F.sum_to(_scaled(F, weighted, g, reduction), shape=operand.shape)


def _softplus_of_minus(F: Ops, x: Value) -> Value:
    """log(1 + exp(-x)) without overflow."""
    total: Value = F.add(F.log1p(F.exp(F.neg(F.abs(x)))), F.relu(F.neg(x)))
    return total


def _class_axis(x: Type) -> int:
    return 1 if len(x.shape) > 1 else 0


def _with_axis(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], 1, *shape[axis:])


def _class_weights(F: Ops, x: Type, target: Value, weight: Any, ignore_index: int) -> tuple[Value, Value]:
    """The factor of every position (0 where it is ignored), and a class that is in range there."""
    counts = F.ne(target, ignore_index)
    at = F.where(counts, target, 0)
    shape = F.shape(target)
    weights = F.ones(Type((x.shape[_class_axis(x)],), x.dtype)) if weight is None else weight
    # index_select also refuses a class that is out of range, with torch's IndexError
    chosen = F.reshape(F.index_select(weights, F.reshape(at, shape=(size_of(shape),)), dim=0), shape=shape)
    return F.where(counts, chosen, 0.0), at


__all__ = ["BinaryCrossEntropyWithLogits", "MseLoss", "NllLoss", "reduced", "reduction_of", "warn_of_broadcast"]
