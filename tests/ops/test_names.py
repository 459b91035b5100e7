"""Operators are loaded when they are asked for by any of their names; tracegrad/ops/names.py says where they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import wrap

import pytest

import tracegrad as tg
from tracegrad.ir.op import REGISTRY
from tracegrad.ops import modules

FILE = Path(tg.__file__).parent / "ops" / "names.py"
LENGTH = 120
HEAD = '''"""Which names the modules of this folder define: written by `pytest tests/ops/test_names.py --bless`."""

from __future__ import annotations

'''


def text(head: str, words: list[str]) -> str:
    """`head`, a string of the words and a comma, as the formatter writes it."""
    one = f'{head}"{" ".join(sorted(words))}",'
    if len(one) <= LENGTH:
        return one
    space = " " * (len(head) - len(head.lstrip()))
    lines = wrap(" ".join(sorted(words)), LENGTH - 7 - len(space))
    return "\n".join([f"{head}(", *(f'{space}    "{line} "' for line in lines), f"{space}),"])


def expected() -> str:
    """The text that names.py must have."""
    defined: dict[str, list[str]] = {module: [] for module in modules()}
    methods: list[str] = []
    for op in REGISTRY.values():
        module = op.__module__.removeprefix("tracegrad.ops.")
        if module in defined:
            names = (op.name, *op.aliases)
            defined[module] += names
            methods += [*(names if op.method else ()), *(f"{n}_" for n in names if op.inplace)]
    entries = "\n".join(text(f'    "{module}": ', names) for module, names in defined.items())
    return (
        f"{HEAD}# operators and their aliases, by module\nDEFINED: dict[str, str] = {{\n{entries}\n}}\n"
        f"\n# methods of tensors\n{text('METHODS = ', methods).removesuffix(',')}\n"
    )


def test_the_list_of_names_is_that_of_the_definitions(request: pytest.FixtureRequest):
    if request.config.getoption("--bless"):
        FILE.write_text(expected())
    assert FILE.read_text() == expected(), "run: pytest tests/ops/test_names.py --bless"


PROGRAM = """
import sys
import tracegrad as tg
from tracegrad.ir.op import REGISTRY

def loaded():
    return {m for m in sys.modules if m.startswith("tracegrad.ops.")}

before = loaded()
assert len(REGISTRY.present()) < len(REGISTRY.places) / 4, len(REGISTRY.present())
for name in NAMES:
    THING
    assert loaded() != before, name
    break
for name in NAMES:
    THING
"""
WAYS = {
    "the registry": ("[o.name for o in OPS]", "assert REGISTRY[name].name == name"),
    "get": ("[o.name for o in OPS]", "assert REGISTRY.get(name).name == name"),
    "in": ("[o.name for o in OPS]", "assert name in REGISTRY"),
    "alias": ("[a for o in OPS for a in o.aliases]", "assert name in REGISTRY.called(name).aliases"),
    "function": (
        "[n for o in OPS if o.function for n in (o.name, *o.aliases)]",
        "assert callable(getattr(tg, name)) and getattr(tg, name).__doc__",
    ),
    "method": (
        "[n for o in OPS if o.method for n in (o.name, *o.aliases)]",
        "assert callable(getattr(tg.Tensor, name)) and getattr(tg.Tensor, name).__doc__",
    ),
    "in-place method": (
        "[n + '_' for o in OPS if o.inplace for n in (o.name, *o.aliases)]",
        "assert callable(getattr(tg.Tensor, name))",
    ),
    "arrays": ("[o.name for o in OPS]", "from tracegrad.ir.raw import N; assert callable(getattr(N, name))"),
    "nodes": ("[o.name for o in OPS]", "from tracegrad.ir.builder import B; assert callable(getattr(B, name))"),
    "tensors": ("[o.name for o in OPS]", "from tracegrad.eager.dispatch import T; assert callable(getattr(T, name))"),
}


def run(program: str) -> None:
    """Run a program in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_every_operator_is_found_by(way: str):
    names, thing = WAYS[way]
    own = [op for op in REGISTRY.values() if op.__module__.startswith("tracegrad.ops.")]
    wanted = eval(names, {"OPS": reversed(own)})  # so that what is loaded at once does not come first
    assert wanted
    run(PROGRAM.replace("NAMES", repr(wanted)).replace("THING", thing))


def test_a_definition_of_the_user_takes_the_place_of_one_that_is_not_loaded_yet():
    run(
        "import sys, tracegrad as tg\n"
        "from tracegrad.ir.families import Elementwise\n"
        "from tracegrad.ir.op import REGISTRY\n"
        "assert 'tracegrad.ops.normalise' not in sys.modules\n"
        "class LogSoftmax(Elementwise):\n"
        "    'Own.  Shape: (*a) -> (*a).'\n"
        "    numpy, nondiff, samples = 'np.cos({x})', ('x',), ()\n"
        "list(REGISTRY.values())\n"
        "assert REGISTRY['log_softmax'] is LogSoftmax\n"
    )


def test_walking_over_the_operators_meets_all_of_them():
    run(
        "from tracegrad.ir.op import REGISTRY\n"
        "import tracegrad\n"
        "count = len(list(REGISTRY))\n"
        "assert count == len(REGISTRY) == len(REGISTRY.keys()) == len(REGISTRY.items()) == len(dict(REGISTRY))\n"
        "assert count > 200 and set(REGISTRY.places) <= set(REGISTRY) | set(REGISTRY.aliases)\n"
    )


def test_listing_the_names_of_the_package_lists_every_function():
    run(
        "import tracegrad as tg\n"
        "from tracegrad.ir.op import REGISTRY\n"
        "names = dir(tg)\n"
        "assert {'softmax', 'arccos', 'sin', 'sin_'} <= set(names) and not {'full_node', 'project'} & set(names)\n"
        "from tracegrad import *\n"
        "assert softmax is tg.softmax\n"
    )


def test_an_operator_that_does_not_exist_is_an_error_of_the_usual_class():
    assert "no_such_operator" not in REGISTRY and REGISTRY.get("no_such_operator") is None
    with pytest.raises(KeyError):
        REGISTRY["no_such_operator"]
    with pytest.raises(AttributeError, match="no attribute 'no_such_operator'"):
        tg.no_such_operator  # noqa: B018
