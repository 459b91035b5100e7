"""Nodes from a file's words: every check that the text parser and the JSON reader share.

A fault is a `Problem`, whose message has no place yet; the caller adds line and column or the JSON path, and makes it a FormatError.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.ir.literals import Limits
from tracegrad.ir.node import Node, make_leaf, make_node
from tracegrad.ir.op import REGISTRY, Op, result_types
from tracegrad.ir.text import types_text
from tracegrad.ir.types import DTYPE_OF_SHORT, SHORT_NAMES, Type, literal_type, size_of


class Problem(Exception):
    """What is wrong with one word or line of a file, without its place."""


def checked_type(shape: tuple[int, ...], short: str, limits: Limits) -> Type:
    """The Type of that shape and short dtype name (`f32`)."""
    dtype = DTYPE_OF_SHORT.get(short)
    if dtype is None:
        raise Problem(f"unknown element type {short!r}; it is one of {', '.join(DTYPE_OF_SHORT)}")
    if len(shape) > limits.axes:
        raise Problem(f"{len(shape)} axes are more than the limit of {limits.axes}")
    if any(size < 0 for size in shape) or size_of(shape) > limits.elements:
        raise Problem(f"shape {list(shape)} is outside the limit of {limits.elements} elements")
    return Type(shape, dtype.numpy)


def checked_leaf(type_: Type) -> Node:
    """A leaf read from a file; derivatives flow through the floating and complex ones."""
    return make_leaf(type_, needs=type_.dtype.kind in "fcV")


def operator(name: str) -> type[Op]:
    """The operator of that name."""
    op: type[Op] | None = REGISTRY.get(name)
    if op is None:
        raise Problem(f"unknown operator {name!r}")
    if op.composite:
        raise Problem(f"{name!r} is made of other operators and is never a node")
    return op


def ordered_attributes(op: type[Op], given: dict[str, Any]) -> tuple[Any, ...]:
    """The attribute values in the operator's order."""
    for name in given:
        if name not in op.attrs:
            raise Problem(f"{op.name} has no attribute {name!r}; it has {_listed(op.attrs)}")
    for name in op.attrs:
        if name not in given:
            raise Problem(f"{op.name} needs the attribute {name!r}")
    return tuple(given[name] for name in op.attrs)


def check_operands(op: type[Op], inputs: tuple[Any, ...]) -> None:
    """Arity, absent operands, and several results taken apart by `project` only."""
    fixed = len(op.operands) - (1 if op.variadic else 0)
    if len(inputs) < fixed or (len(inputs) > fixed and not op.variadic):
        least = "at least " if op.variadic else ""
        raise Problem(
            f"{op.name} takes {least}{fixed} operand{'s' if fixed != 1 else ''} {_listed(op.inputs)}, got {len(inputs)}"
        )
    for position, value in enumerate(inputs):
        spec = op.inputs[min(position, len(op.inputs) - 1)]
        if value is None and not spec.endswith("?"):
            raise Problem(f"operand {spec.strip('*')!r} of {op.name} cannot be None")
        several = isinstance(value, Node) and isinstance(value.dtype, tuple)
        if several and op.name != "project":
            raise Problem(f"operand {spec.strip('*?')!r} of {op.name} has several results; take one with project")
        if op.name == "project" and not several:
            raise Problem("project needs the value of an operator with several results")


def operand_type(value: Any) -> Any:
    """What a type rule sees of an operand: its Type, the tuple of Types of several results, None for an absent one."""
    if value is None or isinstance(value, Type):
        return value
    if isinstance(value, Node):
        return value.types if isinstance(value.dtype, tuple) else value.type
    return literal_type(value)


def infer(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...]) -> tuple[Type, ...]:
    """The result types by the operator's own rule; whatever it raises is a Problem."""
    if op.name == "project":
        types: tuple[Type, ...] = inputs[0].types
        index = attrs[0]
        if type(index) is not int or not 0 <= index < len(types):
            raise Problem(f"project: index={index!r} is not one of the {len(types)} results")
        return (types[index],)
    try:
        found = result_types(op.type_rule(tuple(operand_type(i) for i in inputs), attrs))
        if all(is_well_formed(t) for t in found):
            return found
        raise Problem(f"{op.name} does not take these attributes: they make no valid type")
    except Problem:
        raise
    except RecursionError:
        raise Problem(f"{op.name}: an attribute is nested too deeply") from None
    except Exception as error:  # a rule may raise anything for attributes of the wrong kind
        raise Problem(f"{op.name} does not take these operands and attributes: {error}") from error


def is_well_formed(t: Type) -> bool:
    """Whether a Type has a tuple of sizes and one of the known NumPy dtypes."""
    sizes = type(t.shape) is tuple and all(type(n) is int and n >= 0 for n in t.shape)
    return sizes and isinstance(t.dtype, np.dtype) and t.dtype.name in SHORT_NAMES


def assemble(
    op: type[Op], inputs: tuple[Any, ...], given: dict[str, Any], types: tuple[Type, ...], location: Any
) -> Node:
    """A node from words that a file gave, with the recorded types checked against those that the operator infers."""
    attrs = ordered_attributes(op, given)
    check_operands(op, inputs)
    if op.value_dependent:
        check_count(op, types)
    else:
        inferred = infer(op, inputs, attrs)
        if tuple(t[:2] for t in inferred) != tuple(t[:2] for t in types):
            raise Problem(f"the type of {op.name} here is {types_text(inferred)}, not {types_text(types)}")
    needs = any(isinstance(i, Node) and i.needs for i in inputs)
    return make_node(op, inputs, attrs, types if op.several() else types[0], needs=needs, extra=location)


def check_count(op: type[Op], types: tuple[Type, ...]) -> None:
    """As many types as the operator has results."""
    if len(types) != len(op.outputs):
        raise Problem(
            f"{op.name} has {len(op.outputs)} result{'s' if op.several() else ''}, the type names {len(types)}"
        )


def _listed(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})" if names else "none"
