"""What gradcheck asks of a backward besides the right numbers: the same ones again, linear in the cotangent, one by one or batched."""

from __future__ import annotations

import numpy as np

from tracegrad.autograd.engine import grad
from tracegrad.autograd.gradcheck_differences import (
    Differences,
    Problem,
    agree,
    analytical,
    function_of_followed,
    is_complex,
    tangents,
    unit,
    vjp,
)
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import GradcheckError, explain
from tracegrad.slots import slots

RANDOM_SEED = 20240301
BATCH = 3  # cotangents, or directions, in one call


def check_constant(problem: Problem, differences: Differences, output: int) -> None:
    """A result without history must not depend on the inputs; integer results are not looked at."""
    if problem.outputs[output]._data.dtype.kind not in "fcV":
        return
    for j, x in enumerate(problem.followed):
        moved = [
            differences.along(j, imaginary)[output] for imaginary in ((False, True) if is_complex(x) else (False,))
        ]
        if any(np.any(np.abs(m) > problem.options.atol) for m in moved):
            text = f"Numerical gradient for function expected to be zero: output {output} does not require grad but depends on an input"
            raise GradcheckError(explain("gradcheck", text, "Is it cut from its inputs, or not double-differentiable?"))


def check_same_again(problem: Problem, output: int, imaginary: bool) -> None:
    """Two backwards with the same cotangents give the same gradients."""
    options = problem.options
    if options.fast:
        u = np.real(unit(np.random.default_rng(RANDOM_SEED), problem.outputs[output])) * (1j if imaginary else 1)
        pairs = zip(vjp(problem, output, u), vjp(problem, output, u), strict=True)
    else:
        pairs = zip(analytical(problem, output, imaginary), analytical(problem, output, imaginary), strict=True)
    for first, again in pairs:
        if np.any(np.abs(first - again) > options.nondet_tol):
            text = (
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, "
                f"although analytical gradient matches numerical gradient. The tolerance for nondeterminism was {options.nondet_tol}"
            )
            raise GradcheckError(
                explain("gradcheck", text, output=output, difference=float(np.max(np.abs(first - again))))
            )


def check_multiplied(problem: Problem, followed: list[int]) -> None:
    """A cotangent of zeros gives zeros."""
    for i in followed:
        for g in vjp(problem, i, np.zeros(problem.outputs[i]._data.size)):
            if np.any(g):
                text = f"backward not multiplied by grad_output (output {i}): a cotangent of zeros gives a gradient that is not zero"
                raise GradcheckError(explain("gradcheck", text))


def check_batched_gradients(problem: Problem, followed: list[int]) -> None:
    """Several cotangents in one call give what they give one by one."""
    generator = np.random.default_rng(RANDOM_SEED)
    for i in followed:
        o = problem.outputs[i]
        rows = np.stack([unit(generator, o).reshape(o._data.shape) for _ in range(BATCH)]).astype(o._data.dtype)
        try:
            together = grad(
                o, problem.followed, handle(rows, None), retain_graph=True, allow_unused=True, is_grads_batched=True
            )
        except RuntimeError as error:
            text = f"While computing batched gradients of output {i}, got: {error}"
            raise GradcheckError(explain("gradcheck", text, "Leave out check_batched_grad")) from error
        alone = [vjp(problem, i, row) for row in rows]
        for j, found in enumerate(together):
            wanted = np.stack([row[j] for row in alone])
            if found is not None and not agree(found._data.reshape(BATCH, -1), wanted, problem.options):
                text = (
                    f"batched gradients of output {i} with respect to input {j} differ from those computed one by one"
                )
                raise GradcheckError(explain("gradcheck", text))


def check_undefined(problem: Problem, followed: list[int]) -> None:
    """A backward from one of several results must bear that the others have no gradient."""
    for i in followed:
        try:
            vjp(problem, i, np.ones(problem.outputs[i]._data.size))
        except GradcheckError:
            raise
        except Exception as error:
            text = f"Expected backward function to handle undefined output grads. Only output {i} was used, and backward raised {error!r}"
            raise GradcheckError(
                explain("gradcheck", text, "Let backward look for None, or leave materialize_grads on")
            ) from error


def check_batched_forward(problem: Problem) -> None:
    """Tangents along several directions in one call are those along each."""
    generator = np.random.default_rng(RANDOM_SEED)
    function, points = function_of_followed(problem), tuple(handle(x._data, None) for x in problem.followed)
    for j, x in enumerate(problem.followed):
        rows = np.stack([unit(generator, x).reshape(x._data.shape) for _ in range(BATCH)]).astype(x._data.dtype)

        def along(direction: Tensor, j: int = j) -> tuple[Tensor, ...]:
            still = [handle(np.zeros(p._data.shape, p._data.dtype), None) for p in points]
            given = (*still[:j], direction, *still[j + 1 :])
            found: tuple[Tensor, ...] = slots.jvp(function, points, given)[1]
            return found

        try:
            together = slots.vmap(along)(handle(rows, None))
        except RuntimeError as error:
            text = f"While computing batched tangents along input {j}, got: {error}"
            raise GradcheckError(explain("gradcheck", text, "Leave out check_batched_forward_grad")) from error
        alone = [tangents(problem, j, row.reshape(-1)) for row in rows]
        for i, found in enumerate(together):
            wanted = np.stack([row[i] for row in alone])
            if not agree(found._data.reshape(BATCH, -1), wanted, problem.options):
                text = f"batched tangents of output {i} along input {j} differ from those computed one by one"
                raise GradcheckError(explain("gradcheck", text))
