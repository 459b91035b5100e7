"""Sums of products over named axes: einsum, tensordot and inner.

All are made of permutations, reshapes and one BLAS product for every pair of operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentValueError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import one_axis, size_of
from tracegrad.ops.reduce import total

Labels = tuple[Any, ...]
ELLIPSIS = "..."
_NOTHING = "must specify the equation string and at least one operand, or at least one operand and its subscripts list"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _terms(text: str) -> list[Any]:
    """The labels of one operand in an equation: letters, and ELLIPSIS at most once."""
    found: list[Any] = []
    rest = text.replace(" ", "")
    at = 0
    while at < len(rest):
        if rest[at] == ".":
            if rest[at : at + 3] != ELLIPSIS or ELLIPSIS in found:
                raise ShapeError(
                    explain("einsum", "found '.' that is not part of any ellipsis, or a second ellipsis", equation=text)
                )
            found.append(ELLIPSIS)
            at += 3
            continue
        if not (rest[at].isascii() and rest[at].isalpha()):
            problem = f"invalid subscript given at index {at} in the equation string, subscripts must be in [a-zA-Z]"
            raise ShapeError(explain("einsum", problem, equation=text))
        found.append(rest[at])
        at += 1
    return found


def _sublist(labels: Any) -> list[Any]:
    """The labels of one operand given as a list of numbers below 52 and Ellipsis."""
    found: list[Any] = []
    for label in labels:
        if label is Ellipsis:
            found.append(ELLIPSIS)
        elif isinstance(label, int) and 0 <= label < len(_LETTERS):
            found.append(_LETTERS[label])
        else:
            raise ArgumentValueError(explain("einsum", "subscripts in a sublist must be within [0, 52)", got=label))
    return found


def _read(args: tuple[Any, ...]) -> tuple[list[list[Any]], list[Any] | None, list[Any]]:
    """(labels of each operand, labels of the result or None, operands) of either form of the arguments."""
    if not args:
        raise ArgumentValueError(explain("einsum", _NOTHING))
    if not isinstance(args[0], str):
        count = len(args) // 2
        operands, lists = list(args[: 2 * count : 2]), [_sublist(v) for v in args[1 : 2 * count : 2]]
        if not operands:
            raise ArgumentValueError(explain("einsum", _NOTHING))
        return lists, _sublist(args[-1]) if len(args) % 2 else None, operands
    operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args[1:])
    left, arrow, right = args[0].partition("->")
    lists = [_terms(part) for part in left.split(",")]
    if len(lists) != len(operands):
        word = "fewer" if len(operands) < len(lists) else "more"
        if not operands:
            raise ArgumentValueError(explain("einsum", _NOTHING))
        raise ShapeError(explain("einsum", f"{word} operands were provided than specified in the equation"))
    return lists, _terms(right) if arrow else None, operands


def _resolved(lists: list[list[Any]], result: list[Any] | None, ranks: list[int]) -> tuple[list[Labels], Labels]:
    """The labels with every ellipsis written out as numbers, counted from the right end, and the labels of the result."""
    widest = 0
    for i, (labels, rank) in enumerate(zip(lists, ranks, strict=True)):
        named = len(labels) - (ELLIPSIS in labels)
        if named > rank or (named != rank and ELLIPSIS not in labels):
            problem = f"the number of subscripts in the equation ({named}) does not match the number of dimensions ({rank}) for operand {i}"
            raise ShapeError(
                explain("einsum", problem + (" and no ellipsis was given" if ELLIPSIS not in labels else ""))
            )
        if ELLIPSIS in labels:
            widest = max(widest, rank - named)
    full = [_written_out(labels, rank - len(labels) + 1, widest) for labels, rank in zip(lists, ranks, strict=True)]
    if result is None:
        flat = [label for labels in full for label in labels if isinstance(label, str)]
        return full, (*range(widest), *sorted(label for label in set(flat) if flat.count(label) == 1))
    found = _written_out(result, widest, widest)
    for label in found:
        if found.count(label) > 1:
            raise ShapeError(explain("einsum", f"output subscript {label} appears more than once in the output"))
        if not any(label in labels for labels in full):
            raise ShapeError(
                explain("einsum", f"output subscript {label} does not appear in the equation for any input operand")
            )
    return full, found


def _written_out(labels: list[Any], count: int, widest: int) -> Labels:
    out: list[Any] = []
    for label in labels:
        out += range(widest - count, widest) if label == ELLIPSIS else [label]
    return tuple(out)


def _check_sizes(full: list[Labels], shapes: list[tuple[int, ...]]) -> None:
    sizes: dict[Any, int] = {}
    for i, (labels, shape) in enumerate(zip(full, shapes, strict=True)):
        for label, size in zip(labels, shape, strict=True):
            known = sizes.get(label, 1)
            if size not in (1, known) and known != 1:
                problem = f"subscript {label} has size {size} for operand {i} which does not broadcast with previously seen size {known}"
                raise ShapeError(explain("einsum", problem))
            if labels.count(label) > 1 and any(s != size for n, s in zip(labels, shape, strict=True) if n == label):
                raise ShapeError(
                    explain(
                        "einsum",
                        f"subscript {label} is repeated for operand {i} but the sizes don't match",
                        shape=shape,
                    )
                )
            sizes[label] = size if known == 1 else known


def _diagonals(F: Ops, x: Any, labels: Labels) -> tuple[Any, Labels]:
    """x with every label once: the diagonal over repeated ones."""
    while len(set(labels)) < len(labels):
        label = next(n for n in labels if labels.count(n) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        x = F.diagonal(x, offset=0, dim1=first, dim2=second)
        labels = (*labels[:first], *labels[first + 1 : second], *labels[second + 1 :], label)
    return x, labels


def _summed(F: Ops, x: Any, labels: Labels, kept: Any) -> tuple[Any, Labels]:
    """x summed over the labels that nothing else has."""
    axes = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not axes:
        return x, labels
    return total(F, x, axes), tuple(label for label in labels if label in kept)


def _as_wide(F: Ops, x: Any, other: Any) -> Any:
    """x as int64 if `other` is that, whatever their numbers of axes: both have the rank of the result in torch."""
    return F.as_dtype(x, I64) if F.type(other).dtype == I64 else x


def _arranged(F: Ops, x: Any, labels: Labels, order: Labels) -> Any:
    """x with its axes in this order of labels."""
    dims = tuple(labels.index(label) for label in order)
    return x if dims == tuple(range(len(dims))) else F.permute(x, dims=dims)


def _without_ones(F: Ops, x: Any, labels: Labels, others: dict[Any, int]) -> tuple[Any, Labels]:
    """x without axes of size 1 that broadcast against a longer axis of the other operand."""
    shape = F.shape(x)
    kept = [i for i, label in enumerate(labels) if shape[i] != 1 or others.get(label, 1) == 1]
    if len(kept) == len(labels):
        return x, labels
    return F.reshape(x, shape=tuple(shape[i] for i in kept)), tuple(labels[i] for i in kept)


def _wide(F: Ops, x: Any, labels: Labels, order: Labels) -> Any:
    """x with its axes in this order, and 1s for the labels that it does not have, those in front left out."""
    here = _arranged(F, x, labels, tuple(n for n in order if n in labels))
    sizes = dict(zip(labels, F.shape(x), strict=True))
    shape = tuple(sizes.get(n, 1) for n in order)
    shape = shape[next((i for i, n in enumerate(order) if n in labels), len(order)) :]
    return here if shape == tuple(F.shape(here)) else F.reshape(here, shape=shape)


def _pair(F: Ops, a: Any, la: Labels, b: Any, lb: Labels, kept: Any, final: Labels) -> tuple[Any, Labels]:
    """The product of two operands, summed over the labels that are not kept: one matrix product, or an elementwise one without sums."""
    sizes_a, sizes_b = dict(zip(la, F.shape(a), strict=True)), dict(zip(lb, F.shape(b), strict=True))
    a, la = _without_ones(F, a, la, sizes_b)
    b, lb = _without_ones(F, b, lb, sizes_a)
    a, la = _summed(F, a, la, {*lb, *kept})
    b, lb = _summed(F, b, lb, {*la, *kept})
    shared = tuple(n for n in la if n in lb and n in kept)
    contracted = tuple(n for n in la if n in lb and n not in kept)
    left, right = tuple(n for n in la if n not in lb), tuple(n for n in lb if n not in la)
    sizes = {**dict(zip(la, F.shape(a), strict=True)), **dict(zip(lb, F.shape(b), strict=True))}
    labels = (*shared, *left, *right)
    if not contracted:
        order = (*(n for n in final if n in labels), *(n for n in labels if n not in final))
        if "f" not in (kinds := F.type(a).dtype.kind + F.type(b).dtype.kind) and "c" not in kinds:
            a, b = (_as_wide(F, v, other) for v, other in ((a, b), (b, a)))  # a sum of small integers is int64
        return F.mul(_wide(F, a, la, order), _wide(F, b, lb, order)), order
    if F.type(a).dtype != F.type(b).dtype:
        raise DTypeError(
            explain(
                "einsum", "operands must have the same dtype", "Convert one with .to(dtype)", a=F.type(a), b=F.type(b)
            )
        )
    batch, rows, inside, columns = (
        size_of(tuple(sizes[n] for n in group)) for group in (shared, left, contracted, right)
    )
    lead = (batch,) if shared else ()
    x = F.reshape(_arranged(F, a, la, (*shared, *left, *contracted)), shape=(*lead, rows, inside))
    y = F.reshape(_arranged(F, b, lb, (*shared, *contracted, *right)), shape=(*lead, inside, columns))
    product = F.bmm(x, y) if shared else F.mm(x, y)
    return F.reshape(product, shape=tuple(sizes[n] for n in labels)), labels


def _cheapest(full: list[Labels], sizes: dict[Any, int], final: Labels) -> tuple[int, int]:
    """The pair of operands whose product grows the memory least."""
    best, chosen = None, (0, 1)
    for i in range(len(full)):
        for j in range(i + 1, len(full)):
            rest = {*final, *(n for k, labels in enumerate(full) if k not in (i, j) for n in labels)}
            made, both = {*full[i], *full[j]} & rest, {*full[i], *full[j]}
            cost = (
                size_of(tuple(sizes[n] for n in made)) - sum(size_of(tuple(sizes[n] for n in full[k])) for k in (i, j)),
                size_of(tuple(sizes[n] for n in both)),
            )
            if best is None or cost < best:
                best, chosen = cost, (i, j)
    return chosen


class Einsum(Composite):
    """Sums of products over axes that are named by letters.

    Shapes: equation "ij,jk->ik": (n, k), (k, m) -> (n, m).  "..." stands for any axes; without "->" the result has the labels that appear once, sorted.
    """

    method, samples = (
        False,
        (["ij,jk->ik", A(2, 3), A(3, 4)], ["ii", A(3, 3)], ["...ij->...ji", A(2, 3, 2)], ["i,j", A(2), A(0)]),
    )

    @staticmethod
    def call(F: Ops, *args: Any) -> Value:
        """einsum(equation, *operands), or einsum(operand, [labels], ..., [labels of the result]) with labels as numbers below 52."""
        lists, result, values = _read(args)
        shapes = [tuple(F.shape(v)) for v in values]
        full, final = _resolved(lists, result, [len(s) for s in shapes])
        _check_sizes(full, shapes)
        sizes: dict[Any, int] = {}
        for labels, shape in zip(full, shapes, strict=True):
            sizes |= {n: max(s, sizes.get(n, 1)) if s else 0 for n, s in zip(labels, shape, strict=True)}
        terms = [_diagonals(F, v, labels) for v, labels in zip(values, full, strict=True)]
        while len(terms) > 1:
            i, j = _cheapest([labels for _, labels in terms], sizes, final) if len(terms) > 2 else (0, 1)
            (a, la), (b, lb) = terms[i], terms[j]
            rest = [t for k, t in enumerate(terms) if k not in (i, j)]
            terms = [*rest, _pair(F, a, la, b, lb, {*final, *(n for _, labels in rest for n in labels)}, final)]
        x, labels = _summed(F, *terms[0], final)
        if labels == final and (len(values) > 1 or len(labels) < len(terms[0][1])):
            return x
        turned = F.permute(x, dims=tuple(labels.index(n) for n in final))
        return turned if len(values) == 1 else F.named(turned, called="ViewBackward0")


class Tensordot(Composite):
    """The sum of products over axes of both operands.  Shapes: (*p, *s), (*s, *q) -> (*p, *q) for dims=len(s)."""

    method, samples = (
        False,
        ([A(2, 3), A(3, 4), 1], [A(2, 3), A(2, 3), 2], [A(2), A(3), 0], [A(2, 3), A(3, 2), ([0], [1])]),
    )

    @staticmethod
    def call(F: Ops, a: Any, b: Any, dims: Any = 2) -> Value:
        """dims: how many axes at the end of a and the start of b, or the two lists of axes."""
        first, second = tuple(F.shape(a)), tuple(F.shape(b))
        over_a, over_b = _tensordot_axes(dims, len(first), len(second))
        for i, j in zip(over_a, over_b, strict=True):
            if first[i] != second[j] and 1 not in (first[i], second[j]):
                problem = f"contracted dimensions need to match, but first has size {first[i]} in dim {i} and second has size {second[j]} in dim {j}"
                raise ShapeError(explain("tensordot", problem))
            if first[i] != second[j]:  # a single element there stands for all
                a, b = (
                    (total(F, a, (i,), keepdim=True, same=True), b)
                    if second[j] == 1
                    else (a, total(F, b, (j,), keepdim=True, same=True))
                )
                first, second = tuple(F.shape(a)), tuple(F.shape(b))
        if F.type(a).dtype != F.type(b).dtype:
            raise DTypeError(explain("tensordot", "both inputs should have same dtype", a=F.type(a), b=F.type(b)))
        left = tuple(i for i in range(len(first)) if i not in over_a)
        right = tuple(j for j in range(len(second)) if j not in over_b)
        count = size_of(tuple(first[i] for i in over_a))
        rows, columns = tuple(first[i] for i in left), tuple(second[j] for j in right)
        x = F.reshape(_arranged(F, a, tuple(range(len(first))), (*left, *over_a)), shape=(size_of(rows), count))
        y = F.reshape(_arranged(F, b, tuple(range(len(second))), (*over_b, *right)), shape=(count, size_of(columns)))
        return F.reshape(F.mm(x, y), shape=(*rows, *columns))


def _tensordot_axes(dims: Any, ndim_a: int, ndim_b: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(dims, int):
        if dims < 0 or dims > min(ndim_a, ndim_b):
            problem = (
                f"tensordot expects dims >= 0 and at most the number of axes of both operands, but got dims={dims}"
            )
            raise ShapeError(explain("tensordot", problem))
        return tuple(range(ndim_a - dims, ndim_a)), tuple(range(dims))
    pair = dims.tolist() if hasattr(dims, "tolist") else dims
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise ShapeError(explain("tensordot", "dims must be an int or two lists of axes", dims=dims))
    found = [((v,) if isinstance(v, int) else tuple(v)) for v in pair]
    if len(found[0]) != len(found[1]):
        raise ShapeError(explain("tensordot", "both dimension lists should have same length", dims=dims))
    over = [tuple(one_axis("tensordot", n, d) for d in v) for n, v in zip((ndim_a, ndim_b), found, strict=True)]
    if any(len(set(v)) < len(v) for v in over):
        raise ShapeError(explain("tensordot", "an axis appears multiple times in the list of dims", dims=dims))
    return over[0], over[1]


class Inner(Composite):
    """Sums of products over the last axes.  Shapes: (*p, n), (*q, n) -> (*p, *q); a scalar multiplies."""

    tensors = ("other",)
    samples = ([A(3), A(3)], [A(2, 3), A(3)], [A(2, 3), A(4, 3)], [A(), A(2)])

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """The inner products of all rows of input with all rows of other."""
        a, b = F.shape(input), F.shape(other)
        if not a or not b:
            return F.mul(input, other)
        if a[-1] != b[-1]:
            problem = (
                f"inner() the last dimension must match on both input tensors but got shapes {list(a)} and {list(b)}"
            )
            raise ShapeError(explain("inner", problem))
        return F.tensordot(input, other, ([-1], [-1]))


class Kron(Composite):
    """The Kronecker product: every element of a times all of b.  Shapes: (n1, m1), (n2, m2) -> (n1 * n2, m1 * m2), for any equal number of axes."""

    tensors = ("other",)
    samples = ([A(2, 3), A(3, 2)], [A(2), A(2, 2)], [A(), A(3)], [A(0, 2), A(2, 1)])

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """The product of block (i, j): input[i, j] * other."""
        rank = max(len(F.shape(input)), len(F.shape(other)))
        a, b = ((1,) * (rank - len(F.shape(v))) + tuple(F.shape(v)) for v in (input, other))
        wide_a = F.reshape(input, shape=tuple(n for size in a for n in (size, 1)))
        wide_b = F.reshape(other, shape=tuple(n for size in b for n in (1, size)))
        return F.unsafe_view(F.mul(wide_a, wide_b), shape=tuple(n * m for n, m in zip(a, b, strict=True)))
