"""gradcheck and gradgradcheck: derivatives compared with central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad.autograd.engine import grad
from tracegrad.autograd.gradcheck_conditions import (
    check_batched_forward,
    check_batched_gradients,
    check_constant,
    check_multiplied,
    check_same_again,
    check_undefined,
)
from tracegrad.autograd.gradcheck_differences import (
    Differences,
    Options,
    Problem,
    check_forward,
    check_jacobians,
    check_projections,
    problem_of,
    tensors_of_result,
)
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import (
    ArgumentError,
    ArgumentValueError,
    DataError,
    DTypeError,
    GradcheckError,
    NotTwiceError,
    OptionError,
    explain,
)

RANDOM_SEED = 20240229  # of the cotangents of gradgradcheck


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` with respect to every input that requires grad equal central differences with step `eps`.

    Equal means |analytical - numerical| <= atol + rtol * |numerical| for every entry of every Jacobian (for one random projection if fast_mode).  The inputs
    should be float64 or complex128; complex inputs are moved along the real and the imaginary axis, the parts of complex results are compared one after the other.

    nondet_tol                  how much two backwards may differ
    check_undefined_grad        whether backward bears that only one of several results was used
    check_grad_dtypes           accepted: gradients always have the dtype of their input
    check_batched_grad          compare gradients of several cotangents in one call with one by one
    check_forward_ad            compare the tangents of forward mode as well
    check_batched_forward_grad  compare tangents along several directions in one call with one by one
    check_backward_ad           False: forward mode only
    masked                      accepted: all tensors are dense

    Raises GradcheckError (a RuntimeError) unless raise_exception=False, ValueError when no input requires grad, AssertionError for options that exclude each other.
    """
    if not (check_forward_ad or check_backward_ad):
        _refuse("gradcheck", "Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        _refuse("gradcheck", "Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        _refuse("gradcheck", "Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    options = Options(eps, atol, rtol, nondet_tol, fast_mode)
    try:
        _check_inputs(arguments)
        problem = problem_of(func, arguments, options)
        differences = Differences(problem)
        if check_backward_ad:
            _check_backward(problem, differences, check_batched_grad, check_undefined_grad)
        if check_forward_ad:
            check_forward(problem, differences)
        if check_batched_forward_grad:
            check_batched_forward(problem)
    except (GradcheckError, NotTwiceError) as error:
        if raise_exception:
            raise _as_shown(error) from error.__cause__
        return False
    return True


def _as_shown(error: GradcheckError | NotTwiceError) -> GradcheckError:
    if isinstance(error, GradcheckError):
        return error
    return GradcheckError(explain("gradcheck", f"there is no analytical derivative: {error}"))


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of the gradients of `func` equal central differences: gradcheck of the function from inputs and cotangents to gradients.

    The cotangents are random (with a fixed seed) unless `grad_outputs` are given; gen_non_contig_grad_outputs lets every second element of their memory be
    another one's.  check_rev_over_rev is reverse mode of the gradients, check_fwd_over_rev forward mode.  Other options and errors are gradcheck's.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        _refuse("gradgradcheck", "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        _refuse("gradgradcheck", "Setting check_batched_grad=True requires check_rev_over_rev to be True")
    if check_undefined_grad and not check_rev_over_rev:
        _refuse("gradgradcheck", "Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    gradients, everything = _gradients_of(func, inputs, grad_outputs, gen_non_contig_grad_outputs)
    return gradcheck(
        gradients,
        everything,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


def _gradients_of(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any, scattered: bool
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function from the inputs and the cotangents of the results to the gradients, and its arguments."""
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _differentiable(func(*arguments))
    if not outputs:
        raise ArgumentError(explain("gradgradcheck", "no result of the function requires grad"))
    if grad_outputs is None:
        cotangents = _random_cotangents(outputs, scattered)
    else:
        given = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)
        cotangents = [g for g in given if g is not None]
    count = len(arguments)

    def gradients(*values: Any) -> tuple[Any, ...]:
        results = _differentiable(func(*values[:count]))
        wanted = [v for v in values[:count] if isinstance(v, Tensor) and v.requires_grad]
        found = grad(results, wanted, list(values[count:]), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradients, (*arguments, *cotangents)


def _refuse(operation: str, problem: str) -> None:
    raise OptionError(explain(operation, problem))


def _check_inputs(arguments: tuple[Any, ...]) -> None:
    followed = [(i, a) for i, a in enumerate(arguments) if isinstance(a, Tensor) and a.requires_grad]
    if not followed:
        problem = (
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True"
        )
        raise ArgumentValueError(explain("gradcheck", problem))
    for i, a in followed:
        if a._data.dtype not in (np.float64, np.complex128):
            text = f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely fail if all the inputs are not of double precision floating point or complex. "
            warnings.warn(text, UserWarning, stacklevel=4)
        if any(size > 1 and stride == 0 for size, stride in zip(a._data.shape, a._data.strides, strict=True)):
            problem = f"The {i}th input has a dimension with stride 0: its elements share memory and cannot be changed one at a time"
            raise DataError(explain("gradcheck", problem, "Call .contiguous() on it first"))


def _check_backward(problem: Problem, differences: Differences, batched: bool, undefined: bool) -> None:
    """Reverse mode: the parts of every result, then what a backward must do besides being right."""
    if any(o._data.dtype.kind == "b" for o in problem.outputs):
        text = "Subtraction, the `-` operator, with two bool tensors is not supported: a result of bools has no differences"
        raise DTypeError(explain("gradcheck", text, "Leave it out of the results"))
    followed = [i for i, output in enumerate(problem.outputs) if output.requires_grad]
    for i in range(len(problem.outputs)):
        if i not in followed:
            check_constant(problem, differences, i)
    compare = check_projections if problem.options.fast else check_jacobians
    for imaginary in (True, False):
        for i in followed:
            if not imaginary or problem.outputs[i]._data.dtype.kind == "c":
                check_same_again(problem, i, imaginary)
                compare(problem, differences, i, imaginary)
    if not followed:
        return
    if batched:
        check_batched_gradients(problem, followed)
    check_multiplied(problem, followed)
    if undefined and len(problem.outputs) > 1:
        check_undefined(problem, followed)


def _differentiable(result: Any) -> list[Tensor]:
    return [t for t in tensors_of_result(result) if t.requires_grad]


def _random_cotangents(outputs: list[Tensor], scattered: bool) -> list[Tensor]:
    """A random cotangent that requires grad for each result; if `scattered`, only every second element of its memory is its own."""
    generator = np.random.default_rng(RANDOM_SEED)
    found = []
    for o in outputs:
        shape = (*o._data.shape, 2) if scattered else o._data.shape
        values = np.asarray(generator.standard_normal(shape))
        if o._data.dtype.kind == "c":
            values = values + 1j * generator.standard_normal(shape)
        values = values.astype(o._data.dtype)
        found.append(handle(np.asarray(values[..., 0] if scattered else values), None).requires_grad_())
    return found


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
