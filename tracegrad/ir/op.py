"""Op: the form of an operator definition.  A subclass body IS the definition; it is checked when the class is made.

What a definition may contain is listed in docs/add_an_operator.md.  Nothing about an operator is written anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tracegrad.errors import DefinitionError
from tracegrad.ir.types import Type

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_keys, dict_values

RESERVED = frozenset({"F", "out", "g", "batched", "size"})
RESERVED_WITH_RULES = frozenset({"n", "r", "t"})  # variables of the eager function that makes a node


class Rule(NamedTuple):
    """A derivative rule: its function and the names it reads after F and the cotangents."""

    function: Callable[..., Any]
    reads: tuple[str, ...]


class Registry(dict[str, "type[Op]"]):
    """The operators by name.

    Most of them live in modules that are loaded when one of their names is first asked for: [name], get, `in` and `called` load what they need, and
    walking over the operators loads all.  `present` and `loaded` look at what has been loaded so far.
    """

    aliases: dict[str, str]  # another name -> the operator's own
    places: dict[str, str]  # a name, which may be an alias -> the module of definitions that it comes from
    load: Callable[[str], Any]  # runs one of these modules; tracegrad.ops sets both
    load_rest: Callable[[], Any]  # runs all modules of definitions, also those that `places` does not know

    def __init__(self) -> None:
        super().__init__()
        self.places, self.aliases = {}, {}
        self.load, self.load_rest = str, tuple

    def present(self) -> list[type[Op]]:
        """The operators that are loaded."""
        return list(super().values())

    def loaded(self, name: str) -> type[Op] | None:
        """The operator of this name if it is loaded."""
        return super().get(name)

    def called(self, name: str) -> type[Op] | None:
        """The operator of this name or alias, whether its functions are public or not."""
        if not super().__contains__(name) and name not in self.aliases:
            self._find(name)
        found = super().get(name)
        return super().get(self.aliases.get(name, "")) if found is None else found

    def add(self, op: type[Op]) -> None:
        """Enter a definition.  One of the user takes the place of the package's own one, which is loaded before."""
        if op.name in self.places and not op.__module__.startswith("tracegrad.ops."):
            self._find(op.name)
        self[op.name] = op
        for alias in op.aliases:
            self.aliases[alias] = op.name

    def _find(self, name: str) -> None:
        place = self.places.get(name)
        if place is None:
            self.load_rest()
        else:
            self.load(place)

    def __missing__(self, name: str) -> type[Op]:
        self._find(name)
        found = super().get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """The operator, or `default` where there is none of this name."""
        if not super().__contains__(name):
            self._find(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        self.load_rest()
        return super().__iter__()

    def __len__(self) -> int:
        self.load_rest()
        return super().__len__()

    def keys(self) -> dict_keys[str, type[Op]]:
        """The names of all operators."""
        self.load_rest()
        return super().keys()

    def values(self) -> dict_values[str, type[Op]]:
        """All operators."""
        self.load_rest()
        return super().values()

    def items(self) -> dict_items[str, type[Op]]:
        """All operators with their names."""
        self.load_rest()
        return super().items()


REGISTRY = Registry()

# what an operator does with the mask of a cotangent (ir/masking.py); from EACH on its rules multiply the cotangent by values
STOPS, LINEAR, SELECTS, EACH, ROWS, FOLDS = range(6)
_MASK_KINDS = {
    "stops": STOPS,
    "linear": LINEAR,
    "selects": SELECTS,
    "picks": SELECTS,
    "each": EACH,
    "rows": ROWS,
    "folds": FOLDS,
}
SELECTIONS: set[type[Op]] = set()


def snake_case(name: str) -> str:
    """`LogSumExp` -> `log_sum_exp`; used when a definition does not give its name."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class Op:
    """Base of every operator definition (see docs/add_an_operator.md for the fields)."""

    name: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    outputs: ClassVar[tuple[str, ...]] = ("out",)
    attrs: ClassVar[tuple[str, ...]] = ()
    nondiff: ClassVar[tuple[str, ...]] = ()
    nondiff_outputs: ClassVar[tuple[str, ...]] = ()
    linear: ClassVar[tuple[str, ...]] = ()
    multilinear: ClassVar[bool] = False
    commutative: ClassVar[bool] = False
    involution: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    view: ClassVar[bool] = False
    one_of_many: ClassVar[bool] = (
        False  # a view made by a function with several results, which torch protects from in-place writes
    )
    result_number: ClassVar[str] = ""  # the attribute that says which result of torch's function this operator makes
    pure: ClassVar[bool] = True
    value_dependent: ClassVar[bool] = False
    quiet: ClassVar[bool] = False
    strict: ClassVar[bool] = False  # the kernel takes more than infer: eagerly infer is asked before it runs
    stored: ClassVar[bool] = False  # half-precision values are taken as they are stored
    real_only: ClassVar[bool | type[Exception]] = False
    holomorphic: ClassVar[bool] = True  # False: the rules are right for complex values as they stand
    pole: ClassVar[str] = ""
    masks: ClassVar[str] = ""  # "" to derive it
    numpy: ClassVar[str] = ""
    jax: ClassVar[str] = ""
    onnx: ClassVar[str] = ""
    torch_name: ClassVar[Any] = ""
    samples: ClassVar[Any] = None
    public: ClassVar[tuple[str, ...]] = ()
    tensors: ClassVar[tuple[str, ...]] = ()  # public parameters that must be Tensors, and those that may be numbers,
    numbers: ClassVar[tuple[str, ...]] = ()  # where their names do not say so (eager/argument_types.py)
    promotion: ClassVar[str] = ""
    promoted: ClassVar[tuple[str, ...]] = ()
    tensor_first: ClassVar[bool] = False  # eagerly the first operand may not be a Python number

    composite: ClassVar[bool] = False
    function: ClassVar[bool] = True
    method: ClassVar[bool] = True
    inplace: ClassVar[bool] = False
    aliases: ClassVar[tuple[str, ...]] = ()

    infer: ClassVar[Any] = None
    check_operands: ClassVar[Any] = (
        None  # (*arrays before promotion, Types for numbers): raises what infer can no longer see
    )
    decompose: ClassVar[Any] = None
    jvp: ClassVar[Any] = None
    replaced: ClassVar[Any] = (
        None  # (F, x, part) of a view: x after `part` was written through it, where the derivative does not say it
    )
    batch: ClassVar[Any] = None
    call: ClassVar[Any] = None
    expression: ClassVar[Any] = (
        None  # (backend, *operand sources, *attribute values) -> source text, or "" to use the template
    )
    # statements(target, operand_names, node) -> lines that assign `target`: the NumPy backend's text where one expression would be slower
    statements: ClassVar[Any] = None

    # derived when the class is made
    back: ClassVar[Any] = (
        None  # the first-order backward on arrays; autograd/engine.py puts a function that generates it here
    )
    rules: ClassVar[tuple[Rule | None, ...]] = ()
    operands: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[bool] = False
    saves: ClassVar[tuple[tuple[int, ...], ...]] = ()
    elementwise: ClassVar[bool] = False
    mask_kind: ClassVar[int] = STOPS
    reads_values: ClassVar[bool] = False  # whether some rule reads operands or results
    scales: ClassVar[
        tuple[int, ...]
    ] = ()  # operands that alone the other one's rule reads: a number there is a constant factor
    conjugates: ClassVar[bool] = False  # whether the rules of a complex node read the conjugates of its values

    def __init_subclass__(cls, family: bool = False) -> None:
        if (
            "back" not in cls.__dict__
        ):  # each its own: what is generated for an operator must not reach those that extend it
            cls.back = Op.back
        if family:
            return
        cls.name = cls.__dict__.get("name") or snake_case(cls.__name__)
        cls.operands = tuple(i.strip("*?") for i in cls.inputs)
        cls.variadic = bool(cls.inputs) and cls.inputs[-1].startswith("*")
        _check_fields(cls)
        if cls.composite:
            REGISTRY.add(cls)
            return
        known = _readable_names(cls)
        cls.rules = tuple(_rule(cls, operand, known) for operand in cls.operands)
        taken = sorted(RESERVED_WITH_RULES.intersection(cls.attrs))
        if taken and any(cls.rules):
            raise DefinitionError(
                f"op {cls.name}: {taken[0]!r} is a reserved name and cannot name an attribute of an operator with rules"
            )
        cls.saves = tuple(
            tuple(i for i, rule in enumerate(cls.rules) if rule is not None and value in rule.reads)
            for value in (*cls.operands, *cls.outputs)
        )
        cls.conjugates = cls.holomorphic and any(cls.saves)
        cls.reads_values = any(cls.saves)
        cls.scales = _scales(cls)
        cls.mask_kind = _mask_kind(cls)
        if cls.mask_kind == SELECTS:
            SELECTIONS.add(cls)
        REGISTRY.add(cls)

    @classmethod
    def several(cls) -> bool:
        """Whether the operator has several results."""
        return len(cls.outputs) > 1

    @staticmethod
    def reads_saved(node: Any, name: str, position: int) -> bool:
        """Whether a derivative reads the saved value of an operand or output: one of several, for a variadic operand."""
        return True

    @classmethod
    def group(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Flat input values as one value per operand: the variadic operand, which is the last, becomes a tuple."""
        if not cls.variadic:
            return values
        fixed = len(cls.operands) - 1
        return (*values[:fixed], tuple(values[fixed:]))

    @classmethod
    def type_rule(cls, types: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
        """The result type (a tuple of Types for several results) for flat input types and attribute values."""
        return cls.infer(*cls.group(types), *attrs)


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of a function's parameters, without the cost of inspect.signature."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def placeholders(template: str) -> set[str]:
    """Names in braces in a template."""
    return {part.partition("}")[0] for part in template.split("{")[1:]}


def cotangent_names(cls: type[Op]) -> tuple[str, ...]:
    """Names under which a rule receives the cotangents of the results."""
    return tuple(f"g_{o}" for o in cls.outputs) if len(cls.outputs) > 1 else ("g",)


def _readable_names(cls: type[Op]) -> tuple[str, ...]:
    types = tuple(f"{o}_types" if cls.inputs[i].startswith("*") else f"{o}_type" for i, o in enumerate(cls.operands))
    return (*cls.operands, *cls.outputs, *types, *cls.attrs)


def public_parameters(cls: type[Op]) -> tuple[str, ...]:
    """Names of the positional parameters of the operator's public function."""
    if cls.call is not None:
        code = cls.call.__code__
        names: tuple[str, ...] = code.co_varnames[1 : code.co_argcount]
        return names
    plain = len(cls.operands) <= 2 and not cls.variadic
    return cls.public or (("input", "other")[: len(cls.operands)] if plain else cls.operands)


def _check_fields(cls: type[Op]) -> None:
    def refuse(problem: str) -> None:
        raise DefinitionError(f"op {cls.name}: {problem}")

    if not cls.__doc__ or "Shape" not in cls.__doc__:
        refuse("the docstring has no 'Shape' line")
    for field in ("tensors", "numbers"):
        unknown = set(getattr(cls, field)) - set(public_parameters(cls) if getattr(cls, field) else ())
        if unknown:
            refuse(f"{field} names {sorted(unknown)}, which are not parameters of its function")
    if cls.composite:
        if cls.call is None:
            refuse("a composite needs call")
        if cls.samples is None:
            refuse("no samples")
        return
    bad = [o for o in (*cls.operands, *cls.attrs) if o in RESERVED or o.startswith("g_") or o.endswith("_type")]
    if bad:
        refuse(f"{bad[0]!r} is a reserved name and cannot name an operand or attribute")
    if len({*cls.operands, *cls.attrs}) != len(cls.operands) + len(cls.attrs):
        refuse("an operand or attribute name appears twice")
    if any(i.startswith("*") for i in cls.inputs[:-1]):
        refuse("only the last operand may be variadic ('*xs')")
    if cls.infer is None:
        refuse("no type rule: write infer")
    if not cls.numpy and cls.decompose is None:
        refuse("neither a numpy expression nor decompose")
    for field in ("numpy", "jax"):
        unknown = placeholders(getattr(cls, field)) - {*cls.operands, *cls.attrs}
        if unknown:
            refuse(f"{field} names {sorted(unknown)}; the operator has {(*cls.operands, *cls.attrs)}")
    for field in ("nondiff", "linear"):
        unknown = set(getattr(cls, field)) - set(cls.operands)
        if unknown:
            refuse(f"{field} names {sorted(unknown)}, which are not operands")
    if set(cls.nondiff_outputs) - set(cls.outputs):
        refuse(f"nondiff_outputs names {sorted(set(cls.nondiff_outputs) - set(cls.outputs))}, which are not outputs")
    if cls.commutative and len(cls.operands) != 2:
        refuse("commutative needs exactly two operands")
    if cls.samples is None:
        refuse("no samples")


def _rule(cls: type[Op], operand: str, known: tuple[str, ...]) -> Rule | None:
    function = getattr(cls, f"grad_{operand}", None)
    if function is None:
        if operand in cls.nondiff or set(cls.outputs) == set(cls.nondiff_outputs):
            return None
        raise DefinitionError(f"op {cls.name}: no grad_{operand}; write one or list {operand!r} in nondiff")
    if not isinstance(function, type(_rule)):
        raise DefinitionError(f"op {cls.name}: grad_{operand} must be a staticmethod")
    names = parameters(function)
    cotangents = cotangent_names(cls)
    allowed = {"F", *cotangents, *known}
    if names[:1] != ("F",):
        raise DefinitionError(f"op {cls.name}: grad_{operand} must take F first, then {', '.join(cotangents)}")
    unknown = sorted(set(names) - allowed)
    if unknown:
        raise DefinitionError(f"op {cls.name}: grad_{operand} reads {unknown}; it may read {sorted(allowed)}")
    return Rule(function, names[1:])


def _scales(cls: type[Op]) -> tuple[int, ...]:
    if len(cls.rules) != 2:
        return ()
    unread = {*cls.operands, *cls.outputs}
    others = ((i, cls.rules[1 - i]) for i in (0, 1))
    return tuple(i for i, rule in others if rule is not None and unread & set(rule.reads) == {cls.operands[i]})


def _mask_kind(cls: type[Op]) -> int:
    """What `masks` says; by default elementwise operators keep the elements apart, and rules that read no differentiable value are linear."""
    if cls.masks:
        if cls.masks not in _MASK_KINDS:
            raise DefinitionError(f"op {cls.name}: masks={cls.masks!r} is not one of {sorted(_MASK_KINDS)}")
        return _MASK_KINDS[cls.masks]
    if cls.elementwise:
        return EACH
    followed = {o for o, rule in zip(cls.operands, cls.rules, strict=True) if rule is not None}
    plain = followed <= set(cls.linear) and all(not {*followed, *cls.outputs} & set(r.reads) for r in cls.rules if r)
    return LINEAR if followed and plain else STOPS


def result_types(result: Any) -> tuple[Type, ...]:
    """A type rule's answer as a tuple of Types."""
    return (result,) if isinstance(result, Type) else tuple(result)
