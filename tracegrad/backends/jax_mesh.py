"""Values on several devices: arguments are cut by their specs, results are put together again.

A program means the same on a mesh as on one device: every argument and result is the whole value, in each process.  XLA cuts the computation and adds the
communication.  With several processes (jax.distributed) each process reads only its own part of a cut argument.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding

from tracegrad.backends.base import Array
from tracegrad.backends.jax_options import Options
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node


def shardings(graph: Graph, options: Options) -> tuple[tuple[NamedSharding, ...], tuple[NamedSharding | None, ...]]:
    """How leaves and outputs of a graph are spread over the mesh of the options; None leaves it to XLA."""
    leaves = tuple(
        options.sharding(options.in_spec(name), leaf.type, f"argument {name!r}")
        for name, leaf in zip(graph.names, graph.leaves, strict=True)
    )
    outputs = tuple(
        options.sharding(options.out_spec(i, len(graph.outputs)), output.type, f"result {i}")
        if isinstance(output, Node)
        else None
        for i, output in enumerate(graph.outputs)
    )
    return leaves, outputs


def placed(array: Any, sharding: NamedSharding) -> jax.Array:
    """The array on the devices of the mesh that belong to this process, each with its part."""
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, sharding, whole.__getitem__)


def gathered(result: jax.Array) -> Array:
    """The whole value of a result, in memory of its own."""
    if result.is_fully_replicated:
        return np.array(result.addressable_data(0))
    if result.is_fully_addressable:
        return np.array(result)
    return np.array(multihost_utils.process_allgather(result, tiled=True))
