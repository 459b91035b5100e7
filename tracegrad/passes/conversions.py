"""Rules for dtypes and for the parts of complex values: what is put together and taken apart again.  Part of simplify."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import F64
from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A, C, M
from tracegrad.passes.patterns import reads
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"
PARTS = {"x": A(2, 3), "y": A(3)}
Z = {"z": C(2, 3)}


def _cast_before_repeating(F: Builder, node: Node, uses: Uses) -> Any:
    """A repeated value is converted before it is repeated."""
    source = node.inputs[0]
    if not isinstance(source, Node) or source.op is None or source.op.name != "broadcast_to" or uses(source) > 1:
        return None
    return F.broadcast_to(F.cast(source.inputs[0], dtype=node.dtype), shape=node.shape)


def _conj_of_real(F: Builder, node: Node, uses: Uses) -> Any:
    """conj and real of a real value do nothing."""
    x = node.inputs[0]
    return x if isinstance(x, Node) and x.dtype.kind != "c" and x.type == node.type else None


RULES: tuple[AnyRule, ...] = (
    Rule("real(complex(x, y)) -> x", lambda F, x, y: F.real(F.complex(x, y)), lambda F, x: x, given=lambda x, out: x.type == out,
         stage=STAGE, exactness="exact", examples=(PARTS,)),
    Rule("imag(complex(x, y)) -> y", lambda F, x, y: F.imag(F.complex(x, y)), lambda F, y: y, given=lambda y, out: y.type == out,
         stage=STAGE, exactness="exact", examples=({"x": A(3), "y": A(2, 3)},)),
    Rule("complex(real z, imag z) -> z", lambda F, z: F.complex(F.real(z), F.imag(z)), lambda F, z: z,
         stage=STAGE, exactness="exact", examples=(Z,)),
    Rule("real(conj z) -> real z", lambda F, z: F.real(F.conj(z)), lambda F, z: F.real(z), stage=STAGE, exactness="exact", examples=(Z,)),
    Rule("imag(conj z) -> neg(imag z)", lambda F, z: F.imag(F.conj(z)), lambda F, z: F.neg(F.imag(z)),
         stage=STAGE, exactness="exact", examples=(Z,)),
    Rule("abs(conj z) -> abs z", lambda F, z: F.abs(F.conj(z)), lambda F, z: F.abs(z), stage=STAGE, exactness="exact", examples=(Z,)),
    Rule("conj(complex(x, y)) -> complex(x, neg y)", lambda F, x, y: F.conj(F.complex(x, y)), lambda F, x, y: F.complex(x, F.neg(y)),
         alone=True, stage=STAGE, exactness="exact", examples=(PARTS,)),
    Rewrite("conj x -> x, x real", _conj_of_real, roots=("conj",), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.conj(x), (A(2, 3),)),)),
    Rule("view_as_real(view_as_complex x) -> x", lambda F, x: F.view_as_real(F.view_as_complex(x)), lambda F, x: x,
         stage=STAGE, exactness="exact", examples=({"x": A(3, 2)},)),
    Rule("view_as_complex(view_as_real z) -> z", lambda F, z: F.view_as_complex(F.view_as_real(z)), lambda F, z: z,
         stage=STAGE, exactness="exact", examples=(Z,)),
    Rewrite("cast of a repeated value -> repeated cast", _cast_before_repeating, roots=("cast",),
            when=lambda op, kinds: reads(kinds, "broadcast_to"), stage=STAGE, exactness="exact",
            examples=((lambda F, m: F.cast(F.broadcast_to(m, shape=(4, 3)), dtype=F64), (M(3),)),)),
)  # fmt: skip
