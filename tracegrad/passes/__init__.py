"""The passes, each a function from Graph to Graph.  Their order is in pipeline.py.

Importing this package gives every Graph the methods `vjp`, `grad`, `jvp`, `batch` and `optimise`.
"""

from __future__ import annotations

from tracegrad.ir.graph import Graph
from tracegrad.passes.batch import batch_graph, batched_outputs
from tracegrad.passes.canonicalise import canonicalise
from tracegrad.passes.cse import cse
from tracegrad.passes.dce import dce
from tracegrad.passes.decompose import decompose
from tracegrad.passes.differentiate import grad_graph, vjp_graph
from tracegrad.passes.fold import fold
from tracegrad.passes.jvp import jvp_graph
from tracegrad.passes.pipeline import optimise, prepare
from tracegrad.passes.simplify import simplify
from tracegrad.passes.stabilise import stabilise

__all__ = ["batch_graph", "batched_outputs", "canonicalise", "cse", "dce", "decompose", "fold", "grad_graph", "jvp_graph", "optimise",
           "prepare", "simplify", "stabilise", "vjp_graph"]  # fmt: skip

for _name, _function in (
    ("vjp", vjp_graph),
    ("grad", grad_graph),
    ("jvp", jvp_graph),
    ("batch", batch_graph),
    ("optimise", optimise),
):
    setattr(Graph, _name, _function)
