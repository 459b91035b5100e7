"""The engine of the passes: walk a graph, replace nodes by rule, keep what did not change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import is_not
from typing import Any

from tracegrad.errors import PassError, explain
from tracegrad.ir.builder import Builder, build
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_node, node_like, tick
from tracegrad.ir.op import Op
from tracegrad.passes.patterns import Signature, signature
from tracegrad.passes.rules import AnyRule

Change = Callable[[Node], Any]
MOST_REWRITES = 200  # of one node: far more than any chain of rules that ends
_BY_SIGNATURE, _SETTLED = "_by_signature", "_settled"  # where passes remember something beside a graph
MOST_SIGNATURES = 20_000  # kept in a RuleSet
FARTHEST = 3  # nodes from the root of a pattern to the deepest that it describes


def remake(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], location: Any) -> Node:
    """One node of `op`; for several results the node itself, not its projections."""
    if op.name == "project":
        parent = inputs[0]
        return make_node(op, inputs, attrs, parent.types[attrs[0]], needs=parent.needs, extra=location)
    made = build(op, inputs, attrs, location)
    node: Node = made[0].inputs[0] if op.several() else made
    return node


def on(node: Node, inputs: tuple[Any, ...]) -> Node:
    """The node's operator on other inputs.  Inputs of the same types give the same type, so the type rule is not asked again."""
    assert node.op is not None
    needs = False
    for new, old in zip(inputs, node.inputs, strict=True):
        if new.__class__ is Node:
            if new.needs:
                needs = True
            if new is old or (old.__class__ is Node and new.shape == old.shape and new.dtype == old.dtype):
                continue
        elif new is old:
            continue
        return remake(node.op, inputs, node.attrs, node.extra)
    return node_like(node, inputs, needs)


def transform(
    graph: Graph, change: Change, among: Collection[Node] | None = None, origins: dict[Node, Node] | None = None
) -> Graph:
    """The graph with every node, rebuilt where its inputs changed, replaced by `change(node)`.

    Leaves stay the same nodes, and so does everything that does not change; the graph itself is returned when nothing does.  Operators with side effects
    keep their order.  `change` is asked only of the nodes in `among`, if it is given, and of those that are rebuilt near to a change, which `origins` gets
    with the nodes that they stand for.
    """
    values: dict[Any, Any] = {}
    near: dict[Any, int] = {}  # how far a change is from the nodes that come after it
    settled = list(graph.__dict__.get(_SETTLED, {}).values())
    for node in graph.nodes:
        here, asked = node, among is None or node in among
        if values:
            inputs = tuple([values.get(i, i) if i.__class__ is Node else i for i in node.inputs])
            if inputs != node.inputs or not node.op.pure:  # type: ignore[union-attr]
                here = on(node, inputs)
                if origins is not None:
                    origins[here] = node
                asked = _is_near(here, node, near, settled) or asked
        result = change(here) if asked else here
        if result is not node:
            values[node] = result
            if result is not here:
                near[result] = 0
    if not values:
        return graph
    outputs = [values.get(o, o) if isinstance(o, Node) else o for o in graph.outputs]
    effects = [(old, values.get(new, new)) for old, new in graph.effects]
    after = Graph(graph.inputs, outputs, graph.captures, effects, graph.names)
    if _SETTLED in graph.__dict__:
        after.__dict__[_SETTLED] = graph.__dict__[_SETTLED]
    return after


def _is_near(here: Node, node: Node, near: dict[Any, int], settled: list[set[Node]]) -> bool:
    """Whether a change is so near that rules may see it from `here`.  Otherwise what is settled about the node for which it stands is so about `here` too."""
    distance = min([near[i] for i in here.inputs if i in near]) if not near.keys().isdisjoint(here.inputs) else FARTHEST
    if distance < FARTHEST:
        near[here] = distance + 1
        return True
    for done in settled:
        if node in done:
            done.add(here)
    return False


class RuleSet:
    """Rules that are tried together, found by what a node's operator is applied to: most nodes are not looked at."""

    def __init__(self, rules: Iterable[AnyRule], stage: str, *, fast: bool = False) -> None:
        self.stage = stage
        self.rules = tuple(rule for rule in rules if fast or rule.exactness != "fast")
        self.by_root: dict[str | None, list[AnyRule]] = {}
        for rule in self.rules:
            for root in rule.roots or (None,):
                self.by_root.setdefault(root, []).append(rule)
        self._fitting: dict[Signature, tuple[AnyRule, ...]] = {}

    def fitting(self, of: Signature) -> tuple[AnyRule, ...]:
        """The rules that can apply to nodes of a signature, in the order in which they are tried."""
        found = self._fitting.get(of)
        if found is None:
            tried = () if of[0].several() else (*self.by_root.get(of[0].name, ()), *self.by_root.get(None, ()))
            if len(self._fitting) >= MOST_SIGNATURES:
                self._fitting.clear()
            found = self._fitting[of] = tuple(rule for rule in tried if rule.fits(of))
        return found

    def suspects(self, graph: Graph) -> set[Node]:
        """The nodes of a graph for which there is a rule that can apply."""
        suspected: set[Node] = set()
        for of, nodes in by_signature(graph).items():
            if self.fitting(of):
                suspected.update(nodes)
        return suspected


class Rewriter:
    """Applies rules to nodes until none fits; `log` counts how often each fired.  Rules of the class `fast` need fast=True."""

    def __init__(
        self, rules: Iterable[AnyRule] | RuleSet, stage: str, log: dict[str, int] | None = None, fast: bool = False
    ) -> None:
        self.stage, self.log = stage, {} if log is None else log
        self.rules = rules if isinstance(rules, RuleSet) else RuleSet(rules, stage, fast=fast)
        self.builder = Builder()
        self.graph: Graph | None = None
        self._counts: dict[Node, int] | None = None
        self._settled: set[Node] = set()
        self._origins: dict[Node, Node] = {}  # of this round: a rebuilt node -> the one for which it stands
        self._asked = False  # whether a rule has asked who else reads a value, so that its answer may change
        self._doubtful: set[Node] = set()  # of this round: the nodes at which one has
        self._depth = 0

    def run(self, graph: Graph) -> Graph:
        """The graph after as many rounds as change something.  What rules make is settled at once; who reads a value is known anew in each round."""
        self._settled = settled_nodes(graph, self.rules)
        suspects = self.rules.suspects(graph) - self._settled
        for _ in range(MOST_REWRITES):
            if not suspects:
                return graph
            self.graph, self._counts, self._doubtful = graph, None, set()
            self._origins.clear()
            after = transform(graph, self.settle, suspects, self._origins)
            if after is graph:
                return graph
            graph, suspects = after, self._doubtful
        raise PassError(explain(self.stage, f"the rules do not come to an end; fired: {self.log}"))

    def settle(self, node: Node) -> Any:
        """`node`, or what the rules make of it."""
        if node.op is None or not self.rules.fitting(signature(node)):
            return node
        self._depth += 1
        for _ in range(MOST_REWRITES if self._depth < MOST_REWRITES else 0):
            started = tick()
            after = self.once(node)
            if after is None:
                self._depth -= 1
                return node
            reads = self._read(node)
            node = self._inside(after, started, {}) if after.seq > started else after
            self.counts[node] = self.counts.get(node, 0) + reads
            if node.op is None:
                self._depth -= 1
                return node
        raise PassError(explain(self.stage, f"the rules do not come to an end at {describe(node)}; fired: {self.log}"))

    def _inside(self, node: Node, started: int, known: dict[Node, Node]) -> Node:
        """A node that a rule has just made, over what the rules make of those that it has made below."""
        inputs = []
        for i in node.inputs:
            if i.__class__ is Node and i.seq > started:
                if i not in known:
                    known[i] = self.settle(self._inside(i, started, known))
                i = known[i]
            inputs.append(i)
        return on(node, tuple(inputs)) if any(map(is_not, inputs, node.inputs)) else node

    def once(self, node: Node) -> Node | None:
        """The first replacement that a rule offers."""
        if node.op is None:
            return None
        rules = self.rules.fitting(signature(node))
        self._asked, self.builder.location = False, node.extra
        for rule in rules:
            try:
                after = rule.apply(self.builder, node, self.uses)
            except Exception as error:
                raise PassError(
                    explain(self.stage, f"rule {rule.name!r} failed at {describe(node)}: {error}")
                ) from error
            if after is None or after is node:
                continue
            if not isinstance(after, Node) or after.type != node.type:
                shown = after.type if isinstance(after, Node) else repr(after)
                raise PassError(explain(self.stage, f"rule {rule.name!r} left {shown} where {describe(node)} stood"))
            self.log[rule.name] = self.log.get(rule.name, 0) + 1
            return after
        if self._asked:
            self._doubtful.add(node)
        else:
            self._settled.add(node)
        return None

    @property
    def counts(self) -> dict[Node, int]:
        """How often each node is read; counted when a rule first asks or changes something."""
        if self._counts is None:
            self._counts = {} if self.graph is None else use_counts(self.graph)
        return self._counts

    def uses(self, node: Node) -> int:
        """How many nodes and outputs read `node`; 1 for one that a rule has just made."""
        self._asked = True
        return self._read(node)

    def _read(self, node: Node) -> int:
        return self.counts.get(self._origins.get(node, node), 1)


def rewrite(
    graph: Graph,
    rules: Sequence[AnyRule] | RuleSet,
    stage: str,
    log: dict[str, int] | None = None,
    *,
    fast: bool = False,
) -> Graph:
    """The graph after `rules`, applied until none fits.  Raises PassError naming the rule and the node where
    one goes wrong."""
    return Rewriter(rules, stage, log, fast).run(graph)


def by_signature(graph: Graph) -> dict[Signature, list[Node]]:
    """The nodes of a graph by their signature; kept beside the graph, because every stage asks."""
    known: dict[Signature, list[Node]] | None = graph.__dict__.get(_BY_SIGNATURE)
    if known is None:
        known = graph.__dict__[_BY_SIGNATURE] = {}
        for node in graph.nodes:
            known.setdefault(signature(node), []).append(node)
    return known


def settled_nodes(graph: Graph, rules: RuleSet) -> set[Node]:
    """The nodes for which these rules have nothing to say, whoever reads them; kept beside the graph and what is made of it."""
    known: dict[RuleSet, set[Node]] = graph.__dict__.setdefault(_SETTLED, {})
    return known.setdefault(rules, set())


def forget(graph: Graph) -> None:
    """Drop what passes remember beside a graph."""
    graph.__dict__.pop(_SETTLED, None)
    graph.__dict__.pop(_BY_SIGNATURE, None)


def use_counts(graph: Graph) -> dict[Node, int]:
    """How many nodes, outputs and effects read each node."""
    counts: dict[Node, int] = {}
    readers = [node.inputs for node in graph.nodes]
    for values in (*readers, graph.outputs, tuple(new for _, new in graph.effects)):
        for value in values:
            if value.__class__ is Node:
                counts[value] = counts.get(value, 0) + 1
    return counts


def describe(node: Node) -> str:
    """`add: f32[3] (train.py:41)`, for messages."""
    name = node.op.name if node.op is not None else "leaf"
    place = f" ({node.extra[0]}:{node.extra[1]})" if isinstance(node.extra, tuple) else ""
    return f"{name}: {', '.join(map(str, node.types))}{place}"
