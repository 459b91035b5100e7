"""Trees of containers and leaves."""

import collections
import dataclasses

import pytest

from tracegrad import pytree

Point = collections.namedtuple("Point", ["x", "y"])


@dataclasses.dataclass(frozen=True)
class State:
    weight: object
    step: int = 0

    def __post_init__(self):
        if self.weight is Ellipsis:
            raise ValueError("no weight")


class Box:
    def __init__(self, content, label):
        self.content, self.label = content, label

    def __eq__(self, other):
        return (self.content, self.label) == (other.content, other.label)

    __hash__ = None


pytree.register(Box, lambda box: ((box.content,), box.label), lambda label, children: Box(children[0], label))

TREES = [
    (3, [3], "*"),
    (None, [], "None"),
    ((), [], "()"),
    ([], [], "[]"),
    ({}, [], "{}"),
    ((1,), [1], "(*,)"),
    ([1, (2, None)], [1, 2], "[*, (*, None)]"),
    ({"b": 1, "a": [2, 3]}, [1, 2, 3], "{'b': *, 'a': [*, *]}"),
    (Point(1, {"k": 2}), [1, 2], "Point(x=*, y={'k': *})"),
    (State([1, 2], 5), [1, 2, 5], "State(weight=[*, *], step=*)"),
    (Box((1, 2), "tag"), [1, 2], "Box((*, *), 'tag')"),
    ("text", ["text"], "*"),
]


@pytest.mark.parametrize(("tree", "leaves", "text"), TREES)
def test_flatten_and_unflatten_are_inverse(tree, leaves, text):
    found, treedef = pytree.flatten(tree)
    assert found == leaves
    assert repr(treedef) == text
    assert treedef.leaf_count == len(leaves)
    back = pytree.unflatten(treedef, found)
    assert back == tree and type(back) is type(tree)


def test_treedefs_compare_and_hash_by_structure():
    a, b = pytree.structure({"x": (1, 2)}), pytree.structure({"x": (3, "c")})
    assert a == b and hash(a) == hash(b)
    assert a != pytree.structure({"x": [1, 2]})
    assert a != pytree.structure({"y": (1, 2)})
    assert pytree.structure(Box(1, "a")) != pytree.structure(Box(1, "b"))
    assert a != 3


def test_dicts_keep_insertion_order():
    assert pytree.leaves({"b": 1, "a": 2}) == [1, 2]
    assert pytree.structure({"a": 1, "b": 2}) != pytree.structure({"b": 2, "a": 1})


def test_is_leaf_stops_the_descent():
    found, treedef = pytree.flatten([(1, 2), 3], is_leaf=lambda v: isinstance(v, tuple))
    assert found == [(1, 2), 3]
    assert treedef.unflatten("ab") == ["a", "b"]


def test_map_applies_to_leaves_of_equal_trees():
    assert pytree.map(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]}) == {"x": [11, 22]}
    assert pytree.map(lambda a: -a, (1, None, [2])) == (-1, None, [-2])


def test_map_refuses_trees_of_different_nesting():
    with pytest.raises(ValueError, match=r"map: the trees have different nesting \(first: \[\*\], other: \(\*,\)\)"):
        pytree.map(lambda a, b: a, [1], (1,))


def test_unflatten_refuses_a_wrong_number_of_leaves():
    with pytest.raises(ValueError, match="the tree has 2 leaves but 1 were given"):
        pytree.unflatten(pytree.structure([1, 2]), [1])


def test_registering_twice_is_refused():
    with pytest.raises(ValueError, match="Box is registered already"):
        pytree.register(Box, None, None)


def test_static_data_must_be_hashable():
    class Loose:
        pass

    pytree.register(Loose, lambda v: ((), [1]), lambda meta, children: Loose())
    with pytest.raises(TypeError, match="the static data of Loose is not hashable"):
        pytree.flatten(Loose())


def test_a_dataclass_is_rebuilt_without_its_checks():
    treedef = pytree.structure(State(1))
    assert treedef.unflatten([..., 2]).weight is ...


def test_paths_say_how_a_leaf_is_reached():
    assert pytree.structure({"w": [1, Point(2, 3)], "s": State(4), "b": Box(5, "t")}).paths() == [
        "['w'][0]",
        "['w'][1].x",
        "['w'][1].y",
        "['s'].weight",
        "['s'].step",
        "['b'][0]",
    ]
