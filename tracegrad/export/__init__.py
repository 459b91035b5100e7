"""How graphs leave the program: text, JSON, Graphviz, networkx, Python.

Importing this package gives Graph all its methods: the exporters and readers here, `verify`, and those of the passes (`grad`, `vjp`, `jvp`, `batch`, `optimise`).
"""

import tracegrad.passes  # noqa: F401  (gives Graph the methods of the passes)
from tracegrad.export.dot import to_dot
from tracegrad.export.json_format import from_json, to_json
from tracegrad.export.networkx_format import to_networkx
from tracegrad.export.python_source import to_python
from tracegrad.ir.graph import Graph
from tracegrad.ir.parse import parse
from tracegrad.ir.text import graph_text
from tracegrad.ir.verify import verify

Graph.to_json = to_json
Graph.to_dot = to_dot
Graph.to_networkx = to_networkx
Graph.to_python = to_python
Graph.from_json = staticmethod(from_json)
Graph.from_text = staticmethod(parse)
setattr(Graph, "verify", verify)  # noqa: B010  (the class does not declare it: verify imports Graph)

__all__ = ["Graph", "from_json", "graph_text", "parse", "to_dot", "to_json", "to_networkx", "to_python"]
