"""The operator definitions: each module of this folder is loaded when one of its names is first asked for.

Nothing is listed here.  names.py says which names a module defines and which methods tensors have; `pytest tests/ops/test_names.py --bless` writes it.
A module that it does not mention is loaded at once.
"""

from __future__ import annotations

import os
from importlib import import_module

from tracegrad.ir.op import REGISTRY
from tracegrad.ops.names import DEFINED


def modules() -> list[str]:
    """The names of all modules of definitions."""
    try:
        files = os.listdir(os.path.dirname(__file__))
    except OSError:  # imported from an archive
        return sorted(DEFINED)
    found = {file.removesuffix(".py") for file in files if file.endswith(".py")}
    return sorted(found - {"__init__", "names"})


def load(module: str) -> None:
    """Run one module of definitions, which enters its operators in the registry."""
    import_module(f"tracegrad.ops.{module}")


def load_rest() -> None:
    """Run all modules of definitions."""
    REGISTRY.load_rest = tuple
    for module in modules():
        load(module)


REGISTRY.load, REGISTRY.load_rest = load, load_rest
for _module, _names in DEFINED.items():
    REGISTRY.places |= dict.fromkeys(_names.split(), _module)
for _module in set(modules()) - set(DEFINED):
    load(_module)
