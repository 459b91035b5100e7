"""The JAX backend: a graph as Python source over jax.numpy, compiled by XLA as one function.

float64 works without touching the user's JAX configuration (`enable_x64` is entered around trace and every call; it is thread-local).  A call waits for its
results and copies them, because XLA on the CPU reads the caller's NumPy buffers while it runs and may hand them back as results.  This module imports JAX;
`backends.base.backend` imports it on first use.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tracegrad.backends.base import Array
from tracegrad.backends.source import body_names, literal_source, node_expression, source_names, types_comment
from tracegrad.errors import VerifyError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.kernels import jax_kernels


class JaxExecutable:
    """A graph compiled by XLA.  `source` is the text of the traced function."""

    def __init__(self, graph: Graph) -> None:
        self.source = jax_source(graph)
        scope: dict[str, Any] = {"np": np, "jnp": jnp, "jax": jax, "K": jax_kernels}
        exec(compile(self.source, "<generated JAX function>", "exec"), scope)
        self._jitted = jax.jit(scope["compiled"])
        self._types = [o.type if isinstance(o, Node) else None for o in graph.outputs]
        self._checked = False

    def __call__(self, *arrays: Any) -> tuple[Array, ...]:
        """The outputs for these inputs and captures: fresh NumPy arrays."""
        with jax.enable_x64(True):
            results = self._jitted(*arrays)
            jax.block_until_ready(results)
        out = tuple(np.array(r) for r in results)
        if not self._checked:
            self._check(out)
        return out

    def _check(self, results: tuple[Array, ...]) -> None:
        """The first call proves that XLA's types are those of the graph."""
        for i, (array, t) in enumerate(zip(results, self._types, strict=True)):
            if t is not None and (array.shape != t.shape or array.dtype != t.dtype):
                raise VerifyError(
                    explain(
                        "jax backend",
                        f"output {i} should be {t}, XLA gave {array.dtype}{list(array.shape)}",
                        "This is a fault of tracegrad",
                    )
                )
        self._checked = True


def jax_source(graph: Graph) -> str:
    """The text of `def compiled(a0, ..., c0, ...)` over jax.numpy, which returns a tuple, behind the functions of its bodies."""
    bodies = body_names(graph)
    functions = [line for body, name in bodies.items() for line in [*_function(body, name, bodies), "", ""]]
    return "\n".join([*functions, *_function(graph, "compiled", bodies), ""])


def _function(graph: Graph, name: str, bodies: dict[Graph, str]) -> list[str]:
    """The lines of the function of one graph."""
    names = source_names(graph, bodies)
    parameters = ", ".join(names[leaf] for leaf in graph.leaves)
    lines = [
        f"    # {names[leaf]}: {leaf.type} = {shown}" for leaf, shown in zip(graph.leaves, graph.names, strict=True)
    ]
    lines += [f"    {names[n]} = {node_expression(n, names, 'jax')}  # {types_comment(n)}" for n in graph.nodes]
    results = "".join(f"{names[o] if isinstance(o, Node) else literal_source(o)}, " for o in graph.outputs).rstrip()
    return [f"def {name}({parameters}):", *lines, f"    return ({results})"]


compile_graph = JaxExecutable
