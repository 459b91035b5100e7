"""The text of generated functions: an operator's eager function and its first-order backward, printed from the definition.

`MODE`, `local`, `general`, `quiet` and the other free names of the text are the globals that generate.py provides.
"""

from __future__ import annotations

import re

from tracegrad.config import GENERATED
from tracegrad.eager.argument_types import takes_number
from tracegrad.ir.half import widens
from tracegrad.ir.op import Op, cotangent_names
from tracegrad.ir.raw import lies_as_operand, raw

_WHOLE_CALL = re.compile(r"^((?:np|K)\.[\w.]+)\((.*)\)$")


def kernel_call(op: type[Op], names: dict[str, str]) -> str:
    """The expression that runs the operator's kernel, silenced where it could warn."""
    text = op.numpy.format(**names) if op.numpy else ""
    if text and op.quiet:
        return text
    found = _WHOLE_CALL.match(text)
    if found is not None and "(" not in found.group(2):
        return f"quiet({found.group(1)}, {found.group(2)})"
    # anything but one call runs as a function of its own, so that no part of it is outside the silent context
    GENERATED[f"RAW_{op.name}"] = raw(op)
    return f"quiet({', '.join([f'RAW_{op.name}', *(names[o] for o in op.operands), *(f'{a}={a}' for a in op.attrs)])})"


def has_fast_path(op: type[Op]) -> bool:
    """Whether a specialised function pays: a few operands or one variadic one, results whose shapes follow from the operands."""
    return (
        0 < len(op.operands) <= 3
        and not op.value_dependent
        and op.pure
        and not (op.variadic and (op.elementwise or len(op.operands) > 1 or op.several()))
        and not (op.several() and op.view)
        and not hasattr(op, "vjp")
    )


def operator_source(op: type[Op], names: tuple[str, ...] = (), public: bool = False) -> str:
    """Text of the eager function: operands by position (named as the operands, or by `names`), attributes by keyword.

    A public function refuses numbers where torch's signature wants Tensors: its fast path does not know them there, and the general path is told.
    """
    shown = names or op.operands
    parameters = [
        f"{'*' if s.startswith('*') else ''}{o}{'=None' if s.endswith('?') else ''}"
        for o, s in zip(shown, op.inputs, strict=True)
    ]
    if op.attrs:
        parameters += [*(["*"] if op.operands and not op.variadic else []), *op.attrs]
    passed = ", ".join(f"*{o}" if s.startswith("*") else f"{o}" for o, s in zip(shown, op.inputs, strict=True))
    attrs = f"({', '.join(op.attrs)}{',' if op.attrs else ''})"
    given = f"({passed}{',' if passed else ''})"
    strict = [o for i, o in enumerate(shown) if not takes_number(op, i, o)] if public and not op.variadic else []
    if strict:
        given = f"CHECKED(OP_{op.name}, NAMES_{op.name}, {given})"
    slow = f"return general(OP_{op.name}, {given}, {attrs})"
    head = f"def {op.name}({', '.join(parameters)}):\n"
    if not has_fast_path(op):
        return f"{head}    {slow}\n"
    return head + "".join(f"    {line}\n" for line in _fast_lines(op, shown, slow, attrs, strict))


def _fast_lines(op: type[Op], shown: tuple[str, ...], slow: str, attrs: str, strict: list[str]) -> list[str]:
    if op.variadic:
        return _variadic_lines(op, shown[0], slow, attrs)
    values, nodes = [f"v{i}" for i in range(len(op.operands))], [f"n{i}" for i in range(len(op.operands))]
    names = {**dict(zip(op.operands, values, strict=True)), **{a: a for a in op.attrs}}
    lines = [
        f"if MODE and (local.trace is not None or MODE >= WATCHED and local.watch is not None): {slow}",
        *_unpack(op, shown, values, nodes, slow, strict),
        f"try: {_type_rule(op, values)}r = {kernel_call(op, names)}",
        f"except Exception: {slow}",
    ]
    followed = [n for n, rule in zip(nodes, op.rules, strict=True) if rule is not None]
    same = promoted_operands(op)
    kinds = ["operand" if o in same else "typed" for o in op.operands]
    inputs = ", ".join(f"{n} or {kind}({v})" for v, n, kind in zip(values, nodes, kinds, strict=True))
    untracked = (
        f"{' and '.join(f'{n} is None' for n in followed)} or MODE and not local.grad_enabled" if followed else "True"
    )
    saved = saved_expression(op, values, nodes)
    if op.several():
        lines += _several_lines(op, untracked, f"({inputs},)", attrs, saved)
    else:
        lines += _single_lines(op, untracked, f"({inputs},)", attrs, saved)
    if op.view:
        lines.append(f"link({shown[0]}, t, OP_{op.name}, {attrs})")
    return [*lines, "return t"]


def _type_rule(op: type[Op], values: list[str]) -> str:
    """The statement that asks the type rule of an operator whose kernel would take what the rule refuses."""
    if not op.strict:
        return ""
    types = [
        f"None if {v} is None else Type({v}.shape, {v}.dtype)" if i.endswith("?") else f"Type({v}.shape, {v}.dtype)"
        for v, i in zip(values, op.inputs, strict=True)
    ]
    return f"OP_{op.name}.infer({', '.join([*types, *op.attrs])}); "


def _single_lines(op: type[Op], untracked: str, inputs: str, attrs: str, saved: str) -> list[str]:
    """Lines that wrap the array r as the Tensor t, with a node unless `untracked` holds."""
    lines = ["if type(r) is not ndarray: r = asarray(r)", "t = new(Tensor); t._data = r"]
    if lies_as_operand(op):
        lines.insert(1, "elif r.ndim > 1 and not r.flags.c_contiguous: r = r.copy()")
    if op.outputs[0] in op.nondiff_outputs or untracked == "True":
        return [*lines, "t._node = None"]
    return [
        *lines,
        f"if {untracked}: t._node = None",
        "else:",
        f"    n = new(Node); n.op = OP_{op.name}; n.inputs = {inputs}; n.attrs = {attrs}; n.saved = {saved}",
        "    n.shape = r.shape; n.dtype = r.dtype; n.seq = tick(); n.needs = True; n.extra = None; t._node = n",
    ]


def _several_lines(op: type[Op], untracked: str, inputs: str, attrs: str, saved: str) -> list[str]:
    """Lines that wrap the tuple of arrays r as the tuple of Tensors t: one node, and a projection of it for each result with a derivative."""
    count = range(len(op.outputs))
    lines = [f"{', '.join(f'r{i}' for i in count)}, = r"]
    for i in count:
        lines += [
            f"if type(r{i}) is not ndarray: r{i} = asarray(r{i})",
            f"t{i} = new(Tensor); t{i}._data = r{i}; t{i}._node = None",
        ]
    types = ", ".join(f"Type(r{i}.shape, r{i}.dtype)" for i in count)
    lines += [
        f"if not ({untracked}):",
        f"    n = new(Node); n.op = OP_{op.name}; n.inputs = {inputs}; n.attrs = {attrs}; n.saved = {saved}",
        f"    n.shape = (); n.dtype = ({types},); n.seq = tick(); n.needs = True; n.extra = None",
    ]
    for i, output in enumerate(op.outputs):
        if output not in op.nondiff_outputs:
            lines += [
                f"    p = new(Node); p.op = OP_project; p.inputs = (n,); p.attrs = ({i},); p.saved = None; p.shape = r{i}.shape; p.dtype = r{i}.dtype",
                f"    p.seq = tick(); p.needs = True; p.extra = None; t{i}._node = p",
            ]
    return [*lines, f"t = ({', '.join(f't{i}' for i in count)},)"]


def _variadic_lines(op: type[Op], shown: str, slow: str, attrs: str) -> list[str]:
    """The body for one variadic operand: all must be Tensors of one dtype, if the operator promotes."""
    GENERATED[f"RAW_{op.name}"] = raw(op)
    same = bool(promoted_operands(op))
    call = ", ".join([f"RAW_{op.name}", "*v0", *(f"{a}={a}" for a in op.attrs)])
    lines = [
        f"if MODE and (local.trace is not None or MODE >= WATCHED and local.watch is not None): {slow}",
        "v0 = []; n0 = []; tracked = False",
        f"for x in {shown}:",
        f"    if type(x) is not Tensor and type(x) is not Parameter: {slow}",
        "    v0.append(x._data); n0.append(x._node)",
        "    if x._node is not None: tracked = True",
        f"if not v0: {slow}",
    ]
    if same:
        lines += ["d = v0[0].dtype", "for v in v0:", f"    if v.dtype is not d: {slow}"]
    lines += [f"try: r = quiet({call})", f"except Exception: {slow}"]
    saved = saved_expression(op, ["tuple(v0)"], ["n0"])
    inputs = "tuple([n or typed(v) for n, v in zip(n0, v0)])"
    untracked = "not tracked or MODE and not local.grad_enabled" if any(op.rules) else "True"
    return [*lines, *_single_lines(op, untracked, inputs, attrs, saved), "return t"]


def promoted_operands(op: type[Op]) -> list[str]:
    """The operands that have the common dtype, which is also the result's."""
    return [o for o in op.operands if op.promotion and op.promotion != "none" and (not op.promoted or o in op.promoted)]


def _unpack(
    op: type[Op], shown: tuple[str, ...], values: list[str], nodes: list[str], slow: str, strict: list[str]
) -> list[str]:
    """Lines that take arrays and nodes out of the operands, and send everything unusual to the general path."""
    lines: list[str] = []
    promoted = promoted_operands(op)
    numbers = len(promoted) == 2 and op.elementwise
    for operand, name, value, node in zip(op.operands, shown, values, nodes, strict=True):
        lines.append(f"if type({name}) is Tensor: {value} = {name}._data; {node} = {name}._node")
        refused = name in strict or (op.tensor_first and operand == op.operands[0])
        if numbers and operand in promoted and not refused:
            lines.append(f"elif type({name}) is float or type({name}) is int: {value} = {name}; {node} = None")
        if f"{operand}?" in op.inputs:
            lines.append(f"elif {name} is None: {value} = {node} = None")
        lines.append(f"elif type({name}) is Parameter: {value} = {name}._data; {node} = {name}._node")
        lines.append(f"else: {slow}")
    if not promoted:
        special = _special_dtypes(op, values[0])
        return [*lines, *([f"if {special}: {slow}"] if special else []), *_equal_dtypes(op, values, slow)]
    taking_part = [values[op.operands.index(o)] for o in promoted]
    if not numbers:
        first, *others = taking_part
        lines.append(f"d = {first}.dtype")
        wrong = (
            ["d is not F32 and d is not F64"] if op.promotion != "compare" else ['d.char in "eE"'] if widens(op) else []
        )  # whole numbers: the type rule may refuse them
        optional = [values[op.operands.index(o)] for o in promoted if f"{o}?" in op.inputs]
        wrong += [
            f"({v} is not None and {v}.dtype is not d)" if v in optional else f"{v}.dtype is not d" for v in others
        ]
        return [*lines, *([f"if {' or '.join(wrong)}: {slow}"] if wrong else [])]
    left, right = taking_part
    lines += [
        f"if type({left}) is ndarray:",
        f"    d = {left}.dtype",
        f"    if (d is not F32 and d is not F64) or (type({right}) is ndarray and {right}.dtype is not d): {slow}",
        f"elif type({right}) is ndarray:",
        f"    d = {right}.dtype",
        f"    if d is not F32 and d is not F64: {slow}",
        f"else: {slow}",
    ]
    return lines


def _special_dtypes(op: type[Op], value: str) -> str:
    """The test that sends complex operands, where it matters, and those of half precision to the general path; "" for none."""
    if op.real_only or op.conjugates:
        return f'{value}.dtype.char in "FDeE"' if widens(op) else f'{value}.dtype.kind == "c"'
    return f"{value}.itemsize == 2" if widens(op) else ""


def _equal_dtypes(op: type[Op], values: list[str], slow: str) -> list[str]:
    """A test that the operands with a derivative have one dtype, where the kernel would take any: the type rule decides about others."""
    first, *others = [(v, o) for v, o, rule in zip(values, op.operands, op.rules, strict=True) if rule is not None] or [
        ("", "")
    ]
    tests = [
        f"({v} is not None and {v}.dtype is not {first[0]}.dtype)"
        if f"{o}?" in op.inputs
        else f"{v}.dtype is not {first[0]}.dtype"
        for v, o in others
    ]
    return [f"if {' or '.join(tests)}: {slow}"] if tests else []


def saved_expression(op: type[Op], values: list[str], nodes: list[str]) -> str:
    """The tuple of what the rules of the followed inputs read; None when they read nothing."""
    parts = []
    results = [f"r{i}" for i in range(len(op.outputs))] if op.several() else ["r"]
    for value, readers in zip([*values, *results], op.saves, strict=True):
        if not readers:
            parts.append("None")
        elif len(readers) == sum(rule is not None for rule in op.rules):
            parts.append(value)
        else:
            parts.append(f"({value} if {' or '.join(f'{nodes[i]} is not None' for i in readers)} else None)")
    return f"({', '.join(parts)},)" if any(p != "None" for p in parts) else "None"


def backward_source(op: type[Op]) -> str:
    """Text of the first-order backward: from the node and its cotangent to sums in `grads`, on raw arrays."""
    count, cotangents = len(op.operands), cotangent_names(op)
    tail = ["*ps" if op.variadic else f"p{count - 1}"]
    lines = [
        f"def back_{op.name}(n, g, grads):",
        f"    {', '.join([*(f'p{i}' for i in range(count - 1)), *tail])}, = n.inputs",
    ]
    results = [f"r{i}" for i in range(len(op.outputs))]
    if any(op.saves):
        lines.append(f"    {', '.join([*(f'v{i}' for i in range(count)), *results])}, = n.saved")
    if op.attrs:
        lines.append(f"    {', '.join(f'a{i}' for i in range(len(op.attrs)))}, = n.attrs")
    names = {**{o: f"v{i}" for i, o in enumerate(op.operands)}, **{a: f"a{i}" for i, a in enumerate(op.attrs)}}
    names |= {
        **{f"{o}_type": f"input_type(n, {i})" for i, o in enumerate(op.operands)},
        **dict(zip(op.outputs, results, strict=True)),
    }
    names |= {
        f"{o}_types": f"tuple([input_type(n, i) for i in range({i}, len(n.inputs))])" for i, o in enumerate(op.operands)
    }
    names |= {name: f"g{i}" for i, name in enumerate(cotangents)} if op.several() else {"g": "g"}
    if op.several():
        read = {name for rule in op.rules if rule is not None for name in rule.reads}
        lines.append(f"    {', '.join(f'g{i}' for i in range(len(cotangents)))}, = g")
        lines += [
            f"    if g{i} is None: g{i} = N.zeros(n.dtype[{i}])" for i, name in enumerate(cotangents) if name in read
        ]
    for i, rule in enumerate(op.rules):
        if rule is None:
            continue
        call = f"GRAD_{op.name}_{i}(N, {', '.join(names[r] for r in rule.reads)})"
        if op.variadic and i == count - 1:
            lines += [
                f"    for p, d in zip(ps, {call}):",
                "        if d is not None and type(p) is Node:",
                "            q = grads.get(p); grads[p] = d if q is None else q + d",
            ]
            continue
        lines += [
            f"    if type(p{i}) is Node:",
            f"        d = {call}",
            "        if d is not None:",
            *([f"            if d.shape != p{i}.shape: d = sum_to(d, p{i}.shape)"] if op.elementwise else []),
            f"            q = grads.get(p{i}); grads[p{i}] = d if q is None else q + d",
        ]
    return "\n".join(lines) + "\n"
