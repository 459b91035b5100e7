"""One specialised Python function per operator, printed from its definition on first use.

A function object exists from import on, with a body that generates the real one, puts it in its own place (`__code__`) and runs it; so every reference to
the function, however early it was taken, is the fast one afterwards.  `source(name)` shows the text.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from tracegrad.config import GENERATED, local
from tracegrad.dtypes import F32, F64, SCALARS
from tracegrad.eager.argument_types import check_lines, checked, refuse_arguments, refuse_flag, refuse_number
from tracegrad.eager.dispatch import T, general
from tracegrad.eager.function_text import backward_source, has_fast_path, operator_source
from tracegrad.eager.late import late
from tracegrad.eager.tensor import Parameter, Tensor
from tracegrad.eager.views import link
from tracegrad.errors import ArgumentError, explain
from tracegrad.ir.node import Node, input_type, tick
from tracegrad.ir.op import REGISTRY, Op, public_parameters
from tracegrad.ir.raw import N
from tracegrad.ir.types import Type
from tracegrad.kernels import numpy_kernels

SOURCES: dict[str, str] = {}
_lock = threading.RLock()

# NumPy warns about log(0) and overflow, torch does not.  Kernels run in a context of their own whose error state is silent: 30 ns a call against 750 ns for
# np.errstate.  A context cannot be entered twice: a second thread gets RuntimeError there and takes the general path.
_quiet = contextvars.copy_context()
_quiet.run(np.seterr, all="ignore")
# a column beside rows longer than half of the buffer is not spread into it first, which takes as long again
_quiet.run(np.setbufsize, 1024)


def _operand(value: Any) -> Any:
    """What stands in Node.inputs for an untracked operand of the common dtype: its shape, or the number itself."""
    return value.shape if type(value) is np.ndarray else value


def _typed(value: Any) -> Any:
    """The same for an operand of a dtype of its own: its Type."""
    return Type(value.shape, value.dtype) if type(value) is np.ndarray else value


GENERATED.update(
    np=np, K=numpy_kernels, local=local, Tensor=Tensor, Parameter=Parameter, Node=Node, new=object.__new__, tick=tick, general=general, asarray=np.asarray, ndarray=np.ndarray, F32=F32, F64=F64,
    N=N, T=T, sum_to=numpy_kernels.sum_to, link=link, quiet=_quiet.run, operand=_operand, typed=_typed, input_type=input_type, Type=Type,
)  # fmt: skip


def _define(name: str, text: str) -> FunctionType:
    scope_before = GENERATED.get(name)
    exec(compile(text, f"<generated {name}>", "exec"), GENERATED)
    function: FunctionType = GENERATED.pop(name)
    if scope_before is not None:
        GENERATED[name] = scope_before
    return function


def backward_function(op: type[Op]) -> Callable[..., None] | None:
    """The generated backward of an operator with a fast path; None when the generic one is to be used."""
    if not has_fast_path(op):
        return None
    with _lock:
        for i, rule in enumerate(op.rules):
            if rule is not None:
                GENERATED[f"GRAD_{op.name}_{i}"] = rule.function
        text = backward_source(op)
        SOURCES[op.name] = SOURCES.get(op.name, "") + "\n\n" + text
        return _define(f"back_{op.name}", text)


def _generate_operator(op: type[Op]) -> FunctionType:
    GENERATED[f"OP_{op.name}"], GENERATED["OP_project"] = op, REGISTRY["project"]
    text = operator_source(op)
    SOURCES[op.name] = text
    return _define(op.name, text)


def _generate_public(op: type[Op]) -> FunctionType:
    """The public function: `call` with F = T where the definition has one, else the operator under torch's parameter names."""
    return _define(op.name, _public_source(op))


def _generate_exported(op: type[Op]) -> FunctionType:
    """The function of the module: the public one, that also takes `out`.  The method does not, and pays nothing for it."""
    head, body = _public_source(op).split("\n", 1)
    given = head[head.index("(") + 1 : -2].split(", ")
    first = given[0].partition("=")[0]
    if op.call is not None or not has_fast_path(op):  # the fast path sends numbers to a check of its own
        body = "".join(f"    {line}\n" for line in check_lines(op, (first,), 0, 1)) + body
    if op.name in WITHOUT_OUT:
        return _define(op.name, f"{head}\n{body}")
    keyword_from = next((i for i, p in enumerate(given) if p.startswith("*")), len(given))
    names = [p.partition("=")[0] for p in given if p != "*"]
    by_name = [p.partition("=")[0] for p in given[keyword_from + 1 :]]
    args = "".join(f"{n}, " for n in names if n not in by_name)
    named = ", ".join(f"{n!r}: {n}" for n in by_name)
    GENERATED[f"OP_{op.name}"], GENERATED[f"PUBLIC_{op.name}"] = op, public_function(op.name)
    parameters = ", ".join([*given, *([] if keyword_from < len(given) else ["*"]), "out=None"])
    call = f"return WITH_OUT(OP_{op.name}, PUBLIC_{op.name}, out, ({args}), {{{named}}})"
    return _define(op.name, f"def {op.name}({parameters}):\n    if out is not None: {call}\n{body}")


def _public_source(op: type[Op]) -> str:
    if op.call is not None:
        GENERATED[f"CALL_{op.name}"] = op.call
        return _forwarding(op)
    GENERATED[f"OP_{op.name}"] = op
    names = public_parameters(op)
    GENERATED[f"NAMES_{op.name}"] = names
    return operator_source(op, names, public=True)


class _Absent:
    """The default of a parameter that stands for another one, and of that one where it must be given."""

    def __repr__(self) -> str:
        return "<absent>"


_NUMPY_NAMES = {"dim": "axis", "keepdim": "keepdims"}
_ABSENT = _Absent()


def _renamed(function: str, name: str, value: Any, default: Any, alias: str, given: Any) -> Any:
    """The argument for parameter `name` that was given under NumPy's name `alias`.  Raises TypeError when it was given under both."""
    if value is not default:
        raise ArgumentError(explain(function, f"the arguments {name!r} and {alias!r} are one and the same"))
    return given


def _missing(function: str, name: str) -> None:
    raise ArgumentError(f"{function}() missing 1 required positional argument: {name!r}")


GENERATED.update(ABSENT=_ABSENT, RENAMED=_renamed, MISSING=_missing)
GENERATED.update(REFUSE_ARGUMENTS=refuse_arguments, REFUSE_FLAG=refuse_flag)
GENERATED.update(SCALARS=SCALARS, REFUSE_NUMBER=refuse_number, CHECKED=checked)


def _forwarding(op: type[Op]) -> str:
    """`def sum(input, dim=None, keepdim=False): return CALL_sum(T, input, dim, keepdim)` with the parameters of `call`.

    dim and keepdim may also be given under NumPy's names, as in torch.
    """
    code, function = op.call.__code__, op.call
    positional = public_parameters(op)
    keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & 4 else ""
    defaults = function.__defaults__ or ()
    kwdefaults = function.__kwdefaults__ or {}
    first = len(positional) - len(defaults)
    head, passed, lines = [], ["T"], []
    aliases = (
        {} if rest else {n: a for n, a in _NUMPY_NAMES.items() if n in positional and a not in (*positional, *keyword)}
    )
    for i, name in enumerate(positional):
        key = f"DEFAULT_{op.name}_{name}"
        if i >= first:
            GENERATED[key] = defaults[i - first]
        elif name in aliases or "=" in "".join(head):
            key = "ABSENT"
            lines += [f"if {name} is ABSENT: MISSING({op.name!r}, {name!r})"]
        else:
            key = ""
        if name in aliases:
            lines.insert(
                0,
                f"if {aliases[name]} is not ABSENT: {name} = RENAMED({op.name!r}, {name!r}, {name}, {key}, {aliases[name]!r}, {aliases[name]})",
            )
        head.append(f"{name}={key}" if key else name)
        passed.append(name)
    if rest:
        head.append(f"*{rest}")
        passed.append(f"*{rest}")
    elif keyword or aliases:
        head.append("*")
    for name in keyword:
        key = f"DEFAULT_{op.name}_{name}"
        if name in kwdefaults:
            GENERATED[key] = kwdefaults[name]
        head.append(f"{name}={key}" if name in kwdefaults else name)
        passed.append(f"{name}={name}")
    head += [f"{alias}=ABSENT" for alias in aliases.values()]
    lines += check_lines(op, positional, 1, len(positional))
    flags = [n for n in (*positional, *keyword) if function.__annotations__.get(n) == "bool"]
    lines += [f"if {n} is not False and {n} is not True: REFUSE_FLAG({op.name!r}, {n!r}, {n})" for n in flags]
    given = "".join(f"{n}, " for n in (*positional, *keyword))
    lines += [
        f"try: return CALL_{op.name}({', '.join(passed)})",
        "except Exception:",
        f"    REFUSE_ARGUMENTS({op.name!r}, CALL_{op.name}, {(*positional, *keyword)!r}, ({given}))",
        "    raise",
    ]
    return f"def {op.name}({', '.join(head)}):\n" + "".join(f"    {line}\n" for line in lines)


def _first_call(stub: FunctionType, make: Callable[[type[Op]], FunctionType], op: type[Op]) -> None:
    with _lock:
        made = make(op)
        stub.__code__, stub.__defaults__, stub.__kwdefaults__ = made.__code__, made.__defaults__, made.__kwdefaults__
        stub.__doc__ = op.__doc__


def _stub(name: str, key: str, make: Callable[[type[Op]], FunctionType]) -> FunctionType:
    """A function whose first call loads the operator and replaces its own code by the generated one."""

    def pending(*args: Any, _stub_key: str = key, **kwargs: Any) -> Any:
        return FIRST_CALL(_stub_key, args, kwargs)  # type: ignore[name-defined]  # noqa: F821

    stub = FunctionType(pending.__code__, GENERATED, name)
    stub.__qualname__ = name  # what Python says when an argument is missing
    stub.__kwdefaults__, stub.__module__ = {"_stub_key": key}, "tracegrad"
    op = REGISTRY.loaded(name)
    stub.__doc__ = None if op is None else op.__doc__
    _PENDING[key] = (stub, make, name)
    return stub


_PENDING: dict[str, tuple[FunctionType, Callable[[type[Op]], FunctionType], str]] = {}


def _run_pending(key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    stub, make, name = _PENDING[key]
    _first_call(stub, make, REGISTRY[name])
    return stub(*args, **kwargs)


GENERATED["FIRST_CALL"], GENERATED["WITH_OUT"] = _run_pending, late("out", "with_out")
# what torch gives no `out`
WITHOUT_OUT = frozenset(
    (
        "adjoint as_strided as_strided_scatter atleast_1d atleast_2d atleast_3d broadcast_tensors broadcast_to chunk clone "
        "detach diagonal diagonal_scatter dsplit flatten flip hsplit imag index_put isfinite isinf isnan isreal masked_fill "
        "movedim narrow permute positive ravel real relu reshape rsub select select_scatter split split_with_sizes squeeze "
        "t tensor_split tile trace transpose unbind unflatten unsqueeze view_as_complex view_as_real vsplit"
    ).split()
)
_operators: dict[str, FunctionType] = {}
_public: dict[str, FunctionType] = {}
_exported: dict[str, FunctionType] = {}


def operator_function(name: str) -> FunctionType:
    """The eager function of an operator with normalised attributes (what rules call as T.name)."""
    found = _operators.get(name)
    if found is None:
        found = _operators[name] = _stub(name, f"operator {name}", _generate_operator)
    return found


def public_function(name: str) -> FunctionType:
    """The public function of an operator, with torch's signature."""
    found = _public.get(name)
    if found is None:
        found = _public[name] = _stub(name, f"public {name}", _generate_public)
    return found


def exported_function(name: str) -> FunctionType:
    """The function of the module for an operator: `public_function`, and where torch has it the keyword `out`."""
    found = _exported.get(name)
    if found is None:
        found = _exported[name] = _stub(name, f"exported {name}", _generate_exported)
    found.__doc__ = REGISTRY[name].__doc__
    return found


def source(name: str) -> str:
    """The generated text of an operator's eager function and backward."""
    stub = operator_function(name)
    if name not in SOURCES:
        _first_call(stub, _generate_operator, REGISTRY[name])
        backward_function(REGISTRY[name])
    return SOURCES[name]


def _operator_of_namespace(self: Any, name: str) -> Any:
    op = REGISTRY.get(name)
    if op is None:
        raise AttributeError(explain("T", f"there is no operator {name!r}"))
    function = partial(op.call, self) if op.composite else operator_function(name)
    self.__dict__[name] = function
    return function


type(T).__getattr__ = _operator_of_namespace  # type: ignore[method-assign]
