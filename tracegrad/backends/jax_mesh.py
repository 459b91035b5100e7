"""Values on several devices: arguments are cut by their specs, results are put together again.

A program means the same on a mesh as on one device: every argument and result is the whole value, in each process.  XLA cuts the computation and adds the
communication.  With several processes (jax.distributed) each process reads only its own part of a cut argument.
"""

from __future__ import annotations

from typing import Any

from jax.sharding import NamedSharding

from tracegrad.backends.jax_options import Options
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node


def shardings(
    graph: Graph, options: Options, outlets: tuple[Any, ...] | None
) -> tuple[tuple[NamedSharding, ...], tuple[NamedSharding | None, ...]]:
    """How leaves and outputs of a graph are spread over the mesh of the options; None leaves it to XLA.

    What is written stands as the leaf that has it at the next call.
    """
    leaves = tuple(
        options.sharding(options.in_spec(name), leaf.type, f"argument {name!r}")
        for name, leaf in zip(graph.names, graph.leaves, strict=True)
    )
    count = len(graph.outputs)
    if outlets is None or len(outlets) != count:  # not the last piece of a function
        outlets = tuple([("result", i, count) for i in range(count)])
    outputs: list[NamedSharding | None] = []
    for outlet, output in zip(outlets, graph.outputs, strict=True):
        if outlet is None or not isinstance(output, Node):
            outputs.append(None)
        elif outlet[0] == "leaf":
            outputs.append(leaves[outlet[1]])
        else:
            _, i, count = outlet
            outputs.append(options.sharding(options.out_spec(i, count), output.type, f"result {i}"))
    return leaves, tuple(outputs)
