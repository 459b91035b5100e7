"""torch.autograd.graph: nodes and edges of the backward graph, hooks on the values that the tape saves, hooks on several gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracegrad.autograd.grad_fn import GradFn as Node
from tracegrad.autograd.grad_fn import GradientEdge, edge_of
from tracegrad.autograd.hooks import RemovableHandle, refuse_recorded, register_hook, sweeps_with_hooks
from tracegrad.autograd.saving import current_hooks, disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks
from tracegrad.config import local
from tracegrad.eager.clock import touch
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DifferentiationError, explain


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge along which the gradient of `tensor` flows; `backward` and `grad` take it in the place of the tensor, which it does not keep alive.

    Raises RuntimeError for a tensor that does not require grad.
    """
    if not tensor.requires_grad:
        problem = "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        raise DifferentiationError(explain("get_gradient_edge", problem))
    return GradientEdge(*edge_of(tensor))


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Say that the memory of a tensor (or of each of several) was written by code that autograd does not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        touch(t)


class _MultiHandle(RemovableHandle):
    """Removes the hooks of one register_multi_grad_hook."""

    def __init__(self, handles: tuple[RemovableHandle, ...]) -> None:
        super().__init__({})
        self.handles = handles
        sweeps_with_hooks.add(self.id)

    def remove(self) -> None:
        """Remove the hook from all its tensors."""
        sweeps_with_hooks.discard(self.id)
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> RemovableHandle:
    """Call `fn` once in every backward that computes gradients of these tensors.

    mode="all": fn(grads) when all that this backward computes are there; None stands for a tensor that it does not reach.  mode="any": fn(grad) with the first.
    Raises ValueError for another mode, AssertionError for a tensor that does not require grad.
    """
    if mode not in ("all", "any"):
        raise ArgumentValueError(
            explain("register_multi_grad_hook", f"Expects mode to be one of ('all', 'any') but got {mode}")
        )
    refuse_recorded("registers a hook of several tensors")
    listed = list(tensors)
    nodes = [t._node for t in listed]
    if any(node is None or not node.needs for node in nodes):
        raise AssertionError(explain("register_multi_grad_hook", "Expected gradient function to be set"))
    collect = _all_of(nodes, fn) if mode == "all" else _any_of(fn)
    return _MultiHandle(tuple(register_hook(t, collect(i)) for i, t in enumerate(listed)))


def _all_of(nodes: list[Any], fn: Callable[..., None]) -> Callable[[int], Callable[[Tensor], None]]:
    def collect(i: int) -> Callable[[Tensor], None]:
        def hook(g: Tensor) -> None:
            sweep = local.sweep
            found, left = sweep.collected.get(fn_key) or ([None] * len(nodes), sum(n in sweep.nodes for n in nodes))
            found[i] = g
            sweep.collected[fn_key] = (found, left - 1)
            if left == 1:
                fn(found)

        return hook

    fn_key = object()
    return collect


def _any_of(fn: Callable[..., None]) -> Callable[[int], Callable[[Tensor], None]]:
    key = object()

    def collect(_i: int) -> Callable[[Tensor], None]:
        def hook(g: Tensor) -> None:
            if key not in local.sweep.collected:
                local.sweep.collected[key] = ()
                fn(g)

        return hook

    return collect


class allow_mutation_on_saved_tensors(saved_tensors_hooks):  # noqa: N801
    """Inside the block the tape keeps copies of the values that it saves, so that the originals may be overwritten before backward.

    Raises RuntimeError when blocks are nested, AssertionError when a backward outside of the block needs a copy.
    """

    def __init__(self) -> None:
        self._copies = _Copies()
        super().__init__(self._copies.pack, self._copies.unpack)

    def __enter__(self) -> Any:
        if isinstance(getattr(getattr(current_hooks(), "pack", None), "__self__", None), _Copies):
            problem = "allow_mutation_on_saved_tensors contexts cannot be nested"
            raise DifferentiationError(explain("allow_mutation_on_saved_tensors", problem))
        super().__enter__()
        self._copies.kept = True
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._copies.kept = False


class _Copies:
    """Whether the block whose graphs keep copies is still open."""

    kept = False

    def pack(self, t: Tensor) -> Tensor:
        return T.clone(t)  # type: ignore[no-any-return]

    def unpack(self, packed: Tensor) -> Tensor:
        if not self.kept:
            problem = "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was originally recorded."
            raise AssertionError(explain("allow_mutation_on_saved_tensors", problem, "Call backward inside the block"))
        return packed


__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]
