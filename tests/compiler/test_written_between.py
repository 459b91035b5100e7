"""Memory that is written between a compiled call and its backward: right where the derivative does not need it, an error where it does."""

import pytest

import tracegrad as torch


def leaf(values):
    return torch.tensor(values, requires_grad=True)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_captured_tensor_that_no_derivative_needs_may_be_written_before_the_backward(create_graph):
    x, offset = leaf([1.0, 2.0]), torch.tensor([3.0, 4.0])
    result = torch.compile(lambda x: (x * x + offset).sum())(x)
    offset.add_(1)
    (found,) = torch.autograd.grad(result, x, create_graph=create_graph)
    assert found.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("calls", [1, 2])
def test_a_captured_tensor_that_the_derivative_needs_may_not(calls):
    x, factor = leaf([1.0, 2.0]), torch.tensor([3.0, 4.0])
    fast = torch.compile(lambda x: (x * factor).sum())
    for _ in range(calls - 1):
        fast(x).backward()
    result = fast(x)
    factor.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.backward()


@pytest.mark.parametrize("needed", [False, True])
def test_a_write_of_the_call_itself_disturbs_what_is_needed_and_nothing_else(needed):
    total = torch.tensor([0.5, 0.5])

    def step(x):
        y = x * total if needed else x.sin() + total
        total.add_(1)
        if x.sum() > 0:
            y = y * total
        return y

    expected = step(leaf([1.0, 2.0])).tolist()
    fast = torch.compile(step)
    for function in (step, fast, fast):
        total.fill_(0.5)
        x = leaf([1.0, 2.0])
        result = function(x)
        assert result.tolist() == pytest.approx(expected)
        assert total.tolist() == [1.5, 1.5]
        if needed:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                result.sum().backward()
        else:
            result.sum().backward()
            assert x.grad.tolist() == pytest.approx((1.5 * x.cos()).tolist())


def test_two_calls_of_a_normalising_module_are_differentiated_together():
    torch.manual_seed(0)
    plain, other = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    fast, a, b = torch.compile(other), torch.randn(4, 2), torch.randn(4, 2)
    for call in (plain, fast):
        (call(a).square().sum() + (call(b) ** 3).sum()).backward()
    torch.testing.assert_close(plain.weight.grad, other.weight.grad)
    torch.testing.assert_close(plain.running_var, other.running_var)
