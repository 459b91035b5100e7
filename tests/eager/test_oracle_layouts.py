"""Results that torch lays out row by row are laid out so here, whatever the order of the operand in memory."""

from __future__ import annotations

from typing import Any

import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

OPERANDS = {
    "transposed": "torch.arange(6.0).reshape(2, 3).t()",
    "expanded": "torch.arange(3.0).expand(4, 3)",
    "stepped": "torch.arange(24.0).reshape(4, 6)[:, ::2].t()",
    "tracked": "torch.arange(6.0, requires_grad=True).reshape(2, 3).t()",
}
RESULTS = [
    *(f"x.{name}({dim})" for name in ("softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp") for dim in (0, 1)),
    *(f"x.{name}({dim})[{k}]" for name in ("cummax", "cummin") for dim in (0, 1) for k in (0, 1)),
    *(f"x.roll(1, {dim})" for dim in (0, 1)),
    *(f"torch.stack([x, x], {dim})" for dim in (0, 1, 2)),
    *(f"x.{name}()" for name in ("tril", "triu", "contiguous", "flatten")),
    "x.roll(1)",
    "x.masked_fill(x > 2, 0.0)",
    "x[:, x[0] > -1]",
    "x[x[:, 0] > -1]",
    "x.gather(0, torch.zeros_like(x, dtype=torch.int64))",
    "x.repeat(1, 1)",
    "x.repeat(2, 1)",
    "torch.cat([x, x], 1)",
    "x @ x.t()",
    "torch.nn.functional.layer_norm(x, x.shape[-1:])",
    "torch.nn.functional.rms_norm(x, x.shape[-1:])",
    "torch.nn.functional.batch_norm(x, None, None, training=True)",
    "torch.nn.functional.group_norm(x, 1)",
    "torch.nn.functional.softmin(x, 1)",
    "torch.cumulative_trapezoid(x, dim=0)",
    "torch.fft.fft(x)",
    "torch.fft.rfft(x)",
    *(f"torch.stack([x, x]).permute(2, 1, 0).{call}" for call in ("mean(1)", "var(0)", "std(0)", "norm(dim=0)")),
    "torch.stack([x, x]).permute(2, 1, 0).logsumexp(0)",
    "torch.stack([x, x]).permute(2, 1, 0).cumsum(0)",
    "torch.stack([x, x]).contiguous()[:, torch.tensor([0, 1]), torch.tensor([0, 1])]",
]


def strides(library: Any, operand: str, expression: str) -> tuple[int, ...]:
    x = eval(operand, {"torch": library})
    return tuple(eval(expression, {"torch": library, "x": x}).stride())


@pytest.mark.parametrize("operand", OPERANDS.values(), ids=list(OPERANDS))
@pytest.mark.parametrize("expression", RESULTS)
def test_a_result_has_the_strides_that_torch_gives_it(expression: str, operand: str) -> None:
    assert strides(tg, operand, expression) == strides(torch, operand, expression)


@pytest.mark.parametrize(
    "expression", ["x.softmax(0)", "x.cumsum(0)", "x.roll(1, 0)", "torch.stack([x, x], 1)", "x.masked_fill(x > 2, 0.0)"]
)
def test_a_compiled_function_lays_its_result_out_as_the_eager_one(expression: str) -> None:
    def function(x: Any) -> Any:
        return eval(expression, {"torch": tg, "x": x})

    x = tg.arange(6.0).reshape(2, 3).t()
    assert tg.compile(function)(x).stride() == function(x).stride()
