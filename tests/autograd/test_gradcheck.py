"""gradcheck and gradgradcheck find wrong derivatives and pass right ones."""

import pytest

import tracegrad as tg
from tracegrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def leaf(*values, dtype=tg.float64):
    return tg.tensor(list(values), dtype=dtype, requires_grad=True)


class WrongSquare(Function):
    """x^2 with three times x as its slope."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * g


@pytest.mark.parametrize("fast_mode", [False, True])
def test_right_derivatives_pass(fast_mode):
    assert gradcheck(lambda x, y: x.sin() * y, (leaf(0.5, 1.0), leaf(2.0, -1.0)), fast_mode=fast_mode)
    assert gradgradcheck(lambda x, y: x.sin() * y, (leaf(0.5, 1.0), leaf(2.0, -1.0)), fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_derivative_is_shown_with_its_worst_entry(fast_mode):
    with pytest.raises(
        GradcheckError,
        match=r"(?s)Jacobian mismatch for output 0 with respect to input 0.*output\[1\] / d input\[1\]: analytical 6.*numerical 4",
    ) as caught:
        gradcheck(WrongSquare.apply, leaf(1.0, 2.0), fast_mode=fast_mode)
    assert isinstance(caught.value, RuntimeError)


def test_a_wrong_derivative_gives_false_without_exceptions():
    assert gradcheck(WrongSquare.apply, leaf(1.0), raise_exception=False) is False


def test_inputs_keep_their_values():
    x = leaf(1.0, 2.0)
    gradcheck(lambda v: v.exp(), x)
    assert x.tolist() == [1.0, 2.0]
    assert x.grad is None


def test_non_leaf_inputs_and_several_results_are_fine():
    x = leaf(1.0, 2.0)
    assert gradcheck(lambda v: (v.sin(), v * 2, v.sum()), x * 2)


def test_arguments_that_are_no_tensors_pass_through():
    assert gradcheck(lambda v, k: v * k, (leaf(1.0), 3))


def test_inputs_without_gradient_are_refused():
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(lambda v: v, tg.ones(2))


def test_single_precision_warns():
    with pytest.warns(UserWarning, match="double precision"):
        gradcheck(lambda v: v * 2, leaf(1.0, dtype=tg.float32), eps=1e-2, atol=1e-2)


def test_a_result_cut_from_its_inputs_is_found():
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda v: v.detach() * 2, leaf(1.0))


def test_under_no_grad_a_result_looks_cut_from_its_inputs():
    with tg.no_grad(), pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda v: v * 2, leaf(1.0))


def test_integer_results_are_skipped():
    assert gradcheck(lambda v: v.long(), leaf(1.0))


def test_a_repeated_element_is_refused():
    with pytest.raises(RuntimeError, match="stride 0"):
        gradcheck(lambda v: v * 2, leaf(1.0).expand(3))


def test_a_backward_that_varies_is_found():
    calls = []

    def backward(ctx, g):
        calls.append(1)
        return g * 2 + 1e-7 * len(calls)

    f = type(
        "Varying", (Function,), {"forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(backward)}
    )
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(f.apply, leaf(1.0))


def test_a_backward_that_ignores_its_weight_is_found():
    f = type(
        "Constant",
        (Function,),
        {"forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: g * 0 + 2)},
    )
    with pytest.raises(GradcheckError, match="not multiplied"):
        gradcheck(f.apply, leaf(1.0))


def test_a_wrong_second_derivative_is_found():
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * g

    f = type("Cut", (Function,), {"forward": staticmethod(WrongSquare.forward), "backward": staticmethod(backward)})
    assert gradcheck(f.apply, leaf(1.0))
    with pytest.raises(GradcheckError):
        gradgradcheck(f.apply, leaf(1.0))


def test_empty_inputs_pass():
    assert gradcheck(lambda v: v.sin(), tg.zeros(0, dtype=tg.float64, requires_grad=True))


def test_batched_gradients_are_compared():
    assert gradcheck(lambda v: v.sin(), leaf(1.0, 2.0), check_batched_grad=True)


def test_batched_forward_mode_is_compared():
    assert gradcheck(lambda v: v.sin(), leaf(1.0, 2.0), check_forward_ad=True, check_batched_forward_grad=True)


@pytest.mark.parametrize(
    "options",
    [
        {"check_backward_ad": False},
        {"check_forward_ad": True, "check_backward_ad": False, "check_batched_grad": True},
        {"check_batched_forward_grad": True},
    ],
)
def test_options_that_exclude_each_other_are_refused(options):
    with pytest.raises(AssertionError, match="to be True"):
        gradcheck(lambda v: v, leaf(1.0), **options)


def test_second_order_by_forward_over_reverse():
    f = lambda v: v.sin() * v  # noqa: E731
    assert gradgradcheck(f, leaf(1.0, 2.0), check_fwd_over_rev=True)
    assert gradgradcheck(
        f, leaf(1.0, 2.0), check_fwd_over_rev=True, check_rev_over_rev=False, check_undefined_grad=False
    )
    with pytest.raises(AssertionError, match="check_undefined_grad"):
        gradgradcheck(f, leaf(1.0, 2.0), check_fwd_over_rev=True, check_rev_over_rev=False)


def test_scattered_cotangents_pass():
    assert gradgradcheck(lambda v: v**3, leaf(1.0, 2.0), gen_non_contig_grad_outputs=True)


def test_a_function_without_derivatives_has_no_second_ones():
    with pytest.raises(TypeError, match="requires grad"):
        gradgradcheck(lambda v: v.detach(), leaf(1.0))


def test_a_result_that_is_nan_is_a_mismatch():
    with pytest.raises(GradcheckError, match="mismatch"):
        gradcheck(lambda v: v * float("nan"), leaf(1.0))


def test_the_function_and_the_module_are_found_by_torch_s_paths():
    from tracegrad.autograd.gradcheck import gradcheck as same

    assert same is gradcheck is tg.autograd.gradcheck
