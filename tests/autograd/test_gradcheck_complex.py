"""gradcheck of functions of complex numbers."""

import pytest

import tracegrad as tg
from tracegrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def points():
    return tg.tensor([1 + 2j, 0.5 - 1j], dtype=tg.complex128, requires_grad=True)


RIGHT = {
    "square": lambda z: z * z,
    "abs": lambda z: z.abs(),
    "conj": lambda z: z.conj() * z,
    "angle": lambda z: z.angle(),
    "parts": lambda z: (z.real, z.imag * 2, tg.view_as_real(z)),
    "product": lambda z: z.prod(),
    "direction": lambda z: z.sgn(),
    "matrix": lambda z: z @ z.conj(),
    "power": lambda z: z ** (1 + 0.5j),
    "spread": lambda z: z.std(),
}


class Square(Function):
    """z**2 with a factor in the place of conj(z) in its slope."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return 2 * g * z


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_right_derivatives_pass_in_both_modes_and_orders(name, fast_mode):
    f = RIGHT[name]
    assert gradcheck(f, points(), fast_mode=fast_mode, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(f, points(), fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_forgotten_conj_is_found_and_the_part_is_named(fast_mode):
    with pytest.raises(
        GradcheckError,
        match="While considering the imaginary part of complex outputs only, Jacobian mismatch for output 0",
    ):
        gradcheck(Square.apply, points(), fast_mode=fast_mode)


def test_a_real_function_with_complex_results_is_checked():
    x, y = (tg.tensor([a, 2.0], dtype=tg.float64, requires_grad=True) for a in (1.0, 0.3))
    assert gradcheck(tg.polar, (x, y), check_forward_ad=True)
    assert gradgradcheck(tg.complex, (x, y), check_fwd_over_rev=True)


def test_a_complex_result_cut_from_its_inputs_is_found():
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda z: z.detach() * 1j, points())


def test_complex_inputs_keep_their_values():
    z = points()
    gradcheck(lambda v: v.exp(), z)
    assert z.tolist() == [1 + 2j, 0.5 - 1j]


def test_the_message_shows_a_complex_matrix_and_its_worst_entry():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(Square.apply, points())
    text = str(caught.value)
    assert "worst entry: d output[0] / d input[0]" in text
    assert "dtype=torch.complex128" in text
