"""Exported Python: a module that runs without this package and gives the same numbers."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.errors import ArgumentValueError, NotSupportedError
from tracegrad.export.kernel_source import KernelSource
from tracegrad.export.python_source import parameter_name
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.kernels import numpy_kernels

RUNNER = """
import importlib.util, json, sys
import numpy as np
sys.modules["tracegrad"] = None  # importing it raises ImportError
for path in json.loads(sys.stdin.read()):
    spec = importlib.util.spec_from_file_location("exported", path + ".py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = np.load(path + ".npz")
    found = module.compiled(*(given[f"arr_{i}"] for i in range(len(given.files))))
    np.savez(path + ".out.npz", *(found if isinstance(found, tuple) else (found,)))
"""


def array(*shape: int) -> Any:
    """Numbers between -2 and 2 as a Tensor, always the same."""
    return tg.tensor(np.random.default_rng(7).uniform(-2, 2, shape), dtype=tg.float64)


def several_results(x: Any) -> Any:
    values, positions = x.max(dim=1)
    return values * 2, positions


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "arithmetic": (lambda x, y: (x * y - 2) / (y * y + 1.5) + x**3, (array(3, 1), array(4))),
    "reductions": (lambda x: (x.sum(0) + x.mean(dim=1, keepdim=True)).amax(), (array(4, 4),)),
    "reshapes": (lambda x: x.reshape(3, 4).permute(1, 0).unsqueeze(1).expand(4, 2, 3), (array(2, 6),)),
    "where": (lambda x: tg.where(x > 0, x.sqrt(), 0.0), (array(5),)),
    "scipy": (lambda x: tg.erf(x) * 2, (array(5),)),
    "matmul": (lambda a, b: tg.tanh(a @ b), (array(2, 3), array(3, 4))),
    "indexing": (lambda x, i: tg.index_select(x, 0, i) * 2, (array(5, 4), tg.tensor([3, 0, 1]))),
    "several results": (several_results, (array(3, 4),)),
    "composites": (lambda x: tg.logsumexp(tg.log_softmax(x, dim=1) * x, dim=0), (array(3, 4),)),
    "loss": (lambda x, y: tg.nn.functional.mse_loss(x, y), (array(3), array(3))),
    "gradient": (tg.func.grad(lambda x: (tg.softmax(x, dim=1).log() * x).sum()), (array(2, 3),)),
    "second order": (tg.func.grad(lambda x: (tg.func.grad(lambda z: (z.sin() * z.exp()).prod())(x) * x).sum()), (array(4),)),
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[Any], list[Any]]]:
    """For every program: what the exported module gave in a process without this package, and what the function itself gives."""
    folder: Path = tmp_path_factory.mktemp("exported")
    paths = []
    for i, (function, arguments) in enumerate(PROGRAMS.values()):
        graph = tg.compiler.capture(function, *arguments)
        path = str(folder / f"program{i}")
        Path(f"{path}.py").write_text(graph.to_python(), encoding="utf-8")
        np.savez(f"{path}.npz", *(a.detach().numpy() for a in arguments))
        assert not graph.captures
        paths.append(path)
    subprocess.run([sys.executable, "-W", "error", "-c", RUNNER], input=json.dumps(paths), text=True, check=True)
    results = {}
    for path, (name, (function, arguments)) in zip(paths, PROGRAMS.items(), strict=True):
        stored = np.load(f"{path}.out.npz")
        wanted = function(*arguments)
        results[name] = (
            [stored[f"arr_{i}"] for i in range(len(stored.files))],
            list(wanted if isinstance(wanted, tuple) else (wanted,)),
        )
    return results


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_module_gives_the_same_numbers_without_the_package(exported, name):
    found, wanted = exported[name]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-13, atol=1e-13)
        assert a.dtype == b.detach().numpy().dtype and a.shape == tuple(b.shape)


def test_the_module_is_readable(graph):
    source = graph.to_python()
    assert (
        source
        == '''\
"""compiled: a program of 4 operations, written by tracegrad.  Needs NumPy only."""

from __future__ import annotations

import numpy as np


@np.errstate(all="ignore")
def compiled(x, b):
    """(x: f32[2,3], b: f32[3]) -> f32[2], a number."""
    v0 = np.subtract(x, 2.0)  # f32[2,3]
    v1 = np.multiply(v0, v0)  # f32[2,3]  train.py:17
    v2 = np.multiply(v1, b)  # f32[2,3]  train.py:17
    v3 = np.add.reduce(v2, axis=(1,), keepdims=False)  # f32[2]
    return (v3, 2.0)
'''
    )


def test_kernels_stand_in_the_module_as_plain_functions(leaf):
    x = leaf(3)
    source = Graph([x], [B.erf(x)]).to_python()
    assert "Needs NumPy and SciPy only." in source and "\ndef erf(" in source and "K." not in source
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert "tracegrad" not in names and "K" not in names


def test_only_the_kernels_that_are_used_stand_in_the_module():
    source = tg.capture(lambda x: (x * x).sum(), tg.ones(3)).grad().to_python()
    assert set(re.findall(r"^def (\w+)", source, re.M)) == {"full", "broadcast_to", "compiled"}


def test_every_kernel_can_be_exported_beside_every_other():
    kernels = KernelSource()
    assert all(getattr(numpy_kernels, name) for name in numpy_kernels.LATER)  # loads them
    for name, value in vars(numpy_kernels).items():
        if isinstance(value, FunctionType) and name != "__getattr__":
            kernels.need(name)
    module = "\n".join(["from __future__ import annotations", *kernels.imports(), *kernels.sources])
    assert "tracegrad" not in {n.id for n in ast.walk(ast.parse(module)) if isinstance(n, ast.Name)}
    assert not [
        n
        for n in ast.walk(ast.parse(module))
        if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("tracegrad")
    ]
    scope: dict[str, Any] = {}
    exec(compile(module, "<kernels>", "exec"), scope)
    assert set(vars(numpy_kernels)) - {"annotations"} - set(scope) <= {
        "__name__",
        "__doc__",
        "__package__",
        "__loader__",
        "__spec__",
        "__file__",
        "__cached__",
        "__getattr__",
        "LATER",
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [("x", "x"), ("class", "x_class"), ("match", "x_match"), ("None", "x_None"), ("sum", "x_sum"), ("v3", "x_v3"), ("__import__", "x___import__"),
     ("a b", "a_b"), ("1st", "_1st"), ("é", "x__"), ("np", "np_1"), ('"); import os', "x_____import_os"), ("", "x__")],
)  # fmt: skip
def test_names_of_parameters_are_safe(given, shown):
    assert parameter_name(given, {"np"}) == shown


def test_no_two_parameters_have_the_same_name(leaf):
    x, y, z = leaf(), leaf(), leaf()
    source = Graph([x, y], [B.add(B.add(x, y), z)], [z], names=["a b", "a-b", "compiled"]).to_python()
    assert "def compiled(a_b, a_b_1, compiled_1):" in source


def test_a_kernel_and_a_parameter_may_have_the_same_name(leaf):
    x = leaf(3, 1)
    source = Graph([x], [B.broadcast_to(x, shape=(3, 2))], names=["broadcast_to"]).to_python()
    scope: dict[str, Any] = {}
    exec(source, scope)
    assert scope["compiled"](np.ones((3, 1), np.float32)).shape == (3, 2)


@pytest.mark.parametrize("name", ["class", "a b", "np", "1", "", "K", "é", "f(): pass"])
def test_a_bad_function_name_is_refused(graph, name):
    with pytest.raises(ArgumentValueError, match=r"to_python: .* cannot be the name of a function"):
        graph.to_python(name)


def test_the_name_of_a_kernel_is_refused(leaf):
    x = leaf(3, 1)
    with pytest.raises(ArgumentValueError, match="'broadcast_to' is the name of a kernel"):
        Graph([x], [B.broadcast_to(x, shape=(3, 2))]).to_python("broadcast_to")


def test_effects_are_returned_after_the_outputs(leaf):
    x = leaf(3)
    source = Graph([], [B.neg(x)], [x], [(x, B.mul(x, 2.0))]).to_python()
    scope: dict[str, Any] = {}
    exec(source, scope)
    out, new = scope["compiled"](np.ones(3, np.float32))
    assert out.tolist() == [-1, -1, -1] and new.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("outputs", "wanted"), [([], ()), ([1.5], 1.5), ([1, True], (1, True)), ([float("inf"), -0.0], (np.inf, -0.0))]
)
def test_numbers_and_nothing_can_be_returned(outputs, wanted):
    scope: dict[str, Any] = {}
    exec(Graph([], outputs).to_python(), scope)
    assert repr(scope["compiled"]()) == repr(wanted)


def test_special_numbers_keep_their_value(leaf):
    x = leaf(2, dtype="complex128")
    graph = Graph(
        [x], [B.add(x, complex(-0.0, float("inf"))), B.full(shape=(2,), value=float("nan"), dtype=np.dtype(np.float16))]
    )
    scope: dict[str, Any] = {}
    exec(graph.to_python(), scope)
    shifted, filled = scope["compiled"](np.zeros(2, np.complex128))
    assert shifted.imag.tolist() == [np.inf, np.inf] and filled.dtype == np.float16 and np.isnan(filled).all()


def test_an_overflow_is_silent_as_in_the_package(leaf):
    x = leaf(1)
    scope: dict[str, Any] = {}
    exec(Graph([x], [B.exp(x)]).to_python(), scope)
    assert scope["compiled"](np.full(1, 1e3, np.float32)) == np.inf


class Square(tg.autograd.Function):
    """x * x with its own backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


def test_a_custom_function_on_the_tape_has_no_source():
    x = array(3).requires_grad_()
    with pytest.raises(NotSupportedError, match=re.escape("to_python: the custom Function <Square> has no source")):
        Square.apply(x).sum().graph().to_python()


def test_a_recorded_custom_function_is_exported_as_its_forward():
    x = array(3)
    scope: dict[str, Any] = {}
    exec(tg.compiler.capture(lambda x: Square.apply(x).sum(), x).to_python(), scope)
    np.testing.assert_allclose(scope["compiled"](x.numpy()), (x * x).sum().numpy(), rtol=1e-15)
