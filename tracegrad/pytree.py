"""Nested containers as a flat list of leaves and a description of the nesting.

Containers: tuple, list, dict (in insertion order), OrderedDict, defaultdict, deque, namedtuple, dataclass instances and registered classes; None is a container
without leaves; everything else is a leaf.  Other subclasses of tuple, list and dict are leaves unless registered.  Layer 0.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tracegrad.errors import ArgumentError, ArgumentValueError, explain

_LEAF, _NONE = "*", "None"


class TreeDef:
    """The nesting of a tree without its leaves.  Hashable; equal for equal nesting, keys and static data; prints with `*` for each leaf.

    kind is '*' for a leaf, 'None', or the container's class; meta holds dict keys, field names or the static data of a registered class.
    """

    __slots__ = ("children", "kind", "leaf_count", "meta")

    def __init__(self, kind: Any, meta: Any = (), children: tuple[TreeDef, ...] = ()) -> None:
        self.kind, self.meta, self.children = kind, meta, children
        self.leaf_count: int = 1 if kind == _LEAF else sum(child.leaf_count for child in children)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeDef):
            return NotImplemented
        return self.kind == other.kind and self.meta == other.meta and self.children == other.children

    def __hash__(self) -> int:
        return hash((self.kind, self.meta, self.children))

    def __repr__(self) -> str:
        shown = [repr(child) for child in self.children]
        if isinstance(self.kind, str):
            return self.kind
        if self.kind is tuple:
            return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"
        if self.kind is list:
            return f"[{', '.join(shown)}]"
        if self.kind in _TABLES:
            text = "{" + ", ".join(f"{key!r}: {child}" for key, child in zip(keys_of(self), shown, strict=True)) + "}"
            return text if self.kind is dict else f"{self.kind.__name__}({text})"
        if self.kind is deque:
            return f"deque([{', '.join(shown)}])"
        if self.kind in _registered:
            return f"{self.kind.__name__}({', '.join([*shown, *([repr(self.meta)] if self.meta else [])])})"
        return f"{self.kind.__name__}({', '.join(f'{field}={child}' for field, child in zip(self.meta, shown, strict=True))})"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this nesting with these leaves, in flatten's order.  Raises ValueError when their number does not fit."""
        given = list(leaves)
        if len(given) != self.leaf_count:
            raise ArgumentValueError(
                explain("unflatten", f"the tree has {self.leaf_count} leaves but {len(given)} were given", tree=self)
            )
        return _build(self, iter(given))

    def close(self, children: list[Any]) -> Any:
        """The container of this kind around children, which stay as they are."""
        return _closed(self.kind, self.meta, children)

    def paths(self) -> list[str]:
        """How each leaf is reached, as text such as `[0]['weight'].scale`; for messages."""
        return list(_paths(self, ""))


LEAF = TreeDef(_LEAF)
_TABLES = (dict, OrderedDict, defaultdict)
_EMPTY = TreeDef(_NONE)

_registered: dict[type, tuple[Callable[[Any], tuple[Iterable[Any], Any]], Callable[[Any, list[Any]], Any]]] = {}


def register(
    cls: type, flatten: Callable[[Any], tuple[Iterable[Any], Any]], unflatten: Callable[[Any, list[Any]], Any]
) -> None:
    """Make instances of `cls` containers: flatten(instance) -> (children, static data), unflatten(static data, children) -> instance.

    The static data must be hashable.  Raises ValueError when cls is registered already.
    """
    if cls in _registered:
        raise ArgumentValueError(explain("register", f"{cls.__name__} is registered already"))
    _registered[cls] = (flatten, unflatten)


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeDef]:
    """The leaves of a tree, depth first, and its nesting.  Values for which is_leaf holds are not opened."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of the nesting `treedef` with these leaves: the inverse of flatten.  Raises ValueError when their number does not fit."""
    return treedef.unflatten(leaves)


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of a tree, depth first."""
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeDef:
    """The nesting of a tree."""
    return flatten(tree, is_leaf)[1]


def map(function: Callable[..., Any], tree: Any, *others: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:  # noqa: A001
    """The tree of function(leaf, ...) over the leaves of trees of one nesting.  Raises ValueError when the nestings differ."""
    first, treedef = flatten(tree, is_leaf)
    columns = [first]
    for other in others:
        more, nesting = flatten(other, is_leaf)
        if nesting != treedef:
            raise ArgumentValueError(explain("map", "the trees have different nesting", first=treedef, other=nesting))
        columns.append(more)
    return treedef.unflatten(function(*row) for row in zip(*columns, strict=True))


def is_namedtuple(cls: type) -> bool:
    """Whether cls was made by collections.namedtuple or typing.NamedTuple."""
    return issubclass(cls, tuple) and hasattr(cls, "_fields") and hasattr(cls, "_make")


def is_registered(cls: type) -> bool:
    """Whether cls was made a container by `register`."""
    return cls in _registered


def is_container(cls: type) -> bool:
    """Whether instances of exactly this class are containers."""
    plain = cls in _TABLES or cls in (tuple, list, deque) or cls in _registered
    return plain or is_namedtuple(cls) or hasattr(cls, "__dataclass_fields__")


def open_container(tree: Any) -> tuple[TreeDef, tuple[Any, ...]]:
    """The outermost nesting of a container, which can be closed around other children, and its children."""
    opened = _open(tree)
    if opened is None:
        raise ArgumentError(explain("open_container", f"a {type(tree).__name__} is no container"))
    return TreeDef(type(tree), opened[0]), opened[1]


def keys_of(tree: TreeDef) -> tuple[Any, ...]:
    """The keys of a dict's nesting, in order."""
    return tree.meta[1:] if tree.kind is defaultdict else tree.meta  # type: ignore[no-any-return]


def _open(tree: Any) -> tuple[Any, tuple[Any, ...]] | None:
    """(static data, children) of a container; None for a leaf."""
    cls = type(tree)
    if cls is tuple or cls is list:
        return (), tuple(tree)
    if cls in _TABLES:
        keys = tuple(tree) if cls is not defaultdict else (tree.default_factory, *tree)
        return keys, tuple(tree.values())
    if cls is deque:
        return (tree.maxlen,), tuple(tree)
    if cls in _registered:
        children, meta = _registered[cls][0](tree)
        return meta, tuple(children)
    if is_namedtuple(cls):
        return cls._fields, tuple(tree)
    fields = getattr(cls, "__dataclass_fields__", None)
    if fields is not None:
        names = tuple(name for name, field in fields.items() if field._field_type.name == "_FIELD")
        return names, tuple(getattr(tree, name) for name in names)
    return None


def _flatten(tree: Any, out: list[Any], is_leaf: Callable[[Any], bool] | None) -> TreeDef:
    if tree is None:
        return _EMPTY
    opened = None if is_leaf is not None and is_leaf(tree) else _open(tree)
    if opened is None:
        out.append(tree)
        return LEAF
    meta, children = opened
    try:
        hash(meta)
    except TypeError as error:
        raise ArgumentError(
            explain("flatten", f"the static data of {type(tree).__name__} is not hashable", got=meta)
        ) from error
    return TreeDef(type(tree), meta, tuple(_flatten(child, out, is_leaf) for child in children))


def _build(treedef: TreeDef, given: Iterator[Any]) -> Any:
    kind = treedef.kind
    if kind == _LEAF:
        return next(given)
    if kind == _NONE:
        return None
    return _closed(kind, treedef.meta, [_build(child, given) for child in treedef.children])


def _closed(kind: Any, meta: Any, children: list[Any]) -> Any:
    if kind is tuple or kind is list:
        return kind(children)
    if kind is dict or kind is OrderedDict:
        return kind(zip(meta, children, strict=True))
    if kind is defaultdict:
        return defaultdict(meta[0], zip(meta[1:], children, strict=True))
    if kind is deque:
        return deque(children, meta[0])
    if kind in _registered:
        return _registered[kind][1](meta, children)
    if is_namedtuple(kind):
        return kind._make(children)
    made = object.__new__(kind)  # a dataclass: its __post_init__ checks were done when the user made it
    for name, child in zip(meta, children, strict=True):
        object.__setattr__(made, name, child)
    return made


def _paths(treedef: TreeDef, prefix: str) -> Iterator[str]:
    kind = treedef.kind
    if kind == _LEAF:
        yield prefix
    elif kind in _TABLES:
        for key, child in zip(keys_of(treedef), treedef.children, strict=True):
            yield from _paths(child, f"{prefix}[{key!r}]")
    else:
        fields = kind not in (tuple, list, deque) and kind not in _registered
        for i, child in enumerate(treedef.children):
            yield from _paths(child, f"{prefix}.{treedef.meta[i]}" if fields else f"{prefix}[{i}]")
