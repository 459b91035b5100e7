"""cond, while_loop, fori_loop, scan and map: equal to plain Python in every mode, with torch's error classes."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.func.control_programs import PAIRS, B, W, assert_close, rnn, rnn_plain, tensor
from tracegrad.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from tracegrad.ir.graph import Graph
from tracegrad.ir.verify import verify

every_pair = pytest.mark.parametrize(("function", "plain", "args"), PAIRS.values(), ids=PAIRS)


@every_pair
def test_eager_is_python(function, plain, args):
    assert_close(function(*args), plain(*args))
    for found, want in zip(grad(function, (0, 1))(*args), grad(plain, (0, 1))(*args), strict=True):
        assert_close(found, want)


@every_pair
def test_compiled_gives_the_value_and_the_gradient(function, plain, args):
    assert_close(tg.compile(function)(*args), plain(*args))
    found, want = tg.compile(grad(function, (0, 1)))(*args), grad(plain, (0, 1))(*args)
    for a, b in zip(found, want, strict=True):
        assert_close(a, b)


@every_pair
def test_a_compiled_call_is_differentiated_on_the_tape(function, plain, args):
    inner = [t.clone().requires_grad_() for t in args]
    tg.compile(function)(*inner).backward()
    for t, want in zip(inner, grad(plain, (0, 1))(*args), strict=True):
        assert_close(t.grad, want)


@every_pair
def test_forward_mode(function, plain, args):
    directions = (tensor(*args[0].shape), tensor(*args[1].shape))
    want = sum((g * d).sum() for g, d in zip(grad(plain, (0, 1))(*args), directions, strict=True))
    assert_close(jvp(function, args, directions)[1], want)
    assert_close(tg.compile(lambda *a: jvp(function, a, directions)[1])(*args), want)


@every_pair
@pytest.mark.parametrize("outer", [jacfwd, jacrev])
@pytest.mark.parametrize("inner", [jacfwd, jacrev])
def test_second_derivatives(function, plain, args, outer, inner):
    want = jacrev(jacrev(plain))(*args)
    assert_close(outer(inner(function))(*args), want)
    assert_close(tg.compile(outer(inner(function)))(*args), want)


@pytest.mark.parametrize("name", ["scan", "cond, first", "while_loop", "fori_loop"])
def test_third_derivatives(name):
    function, plain, args = PAIRS[name]
    want = jacrev(jacrev(jacrev(plain)))(*args)
    assert_close(tg.compile(jacrev(jacrev(jacrev(function))))(*args), want)
    assert_close(tg.compile(jacfwd(hessian(function)))(*args), want)


@every_pair
def test_vmap_and_the_gradient_through_it(function, plain, args):
    x = tg.stack([args[0] * s for s in (1.0, -0.5, 0.1, 2.0)])
    rows = [plain(row, args[1]) for row in x]
    assert_close(vmap(function, (0, None))(x, args[1]), tg.stack(rows))
    assert_close(vmap(grad(function), (0, None))(x, args[1]), tg.stack([grad(plain)(row, args[1]) for row in x]))
    total = grad(lambda y: vmap(function, (0, None))(x, y).sum())
    assert_close(total(args[1]), grad(lambda y: sum(plain(row, y) for row in x))(args[1]))


@every_pair
def test_text_json_and_dot_hold_the_bodies(function, plain, args):
    graph = tg.capture(function, *args)
    verify(graph)
    text = graph.to_text()
    for again in (Graph.from_text(text), Graph.from_json(graph.to_json())):
        assert again == graph and hash(again) == hash(graph) and again.to_text() == text
    assert "return" in graph.to_dot()
    scope = {}
    exec(compile(graph.to_python(), "<exported>", "exec"), scope)
    captured = {(3, 3): W, (3,): B, (): B.sum()}
    arrays = [a.numpy() for a in args] + [captured[c.shape].numpy() for c in graph.captures]
    np.testing.assert_allclose(scope["compiled"](*arrays), plain(*args).numpy(), rtol=1e-9)


def test_captured_weights_get_gradients():
    w = W.clone().requires_grad_()
    h, xs = PAIRS["scan"][2]
    tg.compile(lambda h, xs: rnn(h, xs, w))(h, xs).backward()
    assert_close(w.grad, grad(rnn_plain, 2)(h, xs, W))


def test_weights_of_a_mapped_scan_get_gradients():
    h, xs = tensor(4, 3), tensor(4, 5, 3)
    found = grad(lambda w: vmap(lambda h, x: rnn(h, x, w))(h, xs).sum())(W)
    assert_close(found, grad(lambda w: sum(rnn_plain(h[i], xs[i], w) for i in range(4)))(W))


SAFE = {
    "sqrt": (lambda x: tg.cond(x > 0, lambda x: tg.sqrt(x), lambda x: x * 0.0, (x,)), [0.25, 0.0, 0.0]),
    "log": (lambda x: tg.cond(x > 0, lambda x: tg.log(x) * W.sum(), lambda x: x, (x,)), None),
}


@pytest.mark.parametrize("order", ["grad of vmap", "vmap of grad"])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_branch_that_is_not_taken_leaks_no_nan(order, compiled):
    safe, want = SAFE["sqrt"]
    function = grad(lambda x: vmap(safe)(x).sum()) if order == "grad of vmap" else vmap(grad(safe))
    found = (tg.compile(function) if compiled else function)(tg.tensor([4.0, 0.0, -1.0]))
    assert found.tolist() == want


def test_no_nan_reaches_what_both_branches_share():
    def loss(w, x):
        return vmap(lambda x: tg.cond(x > 0, lambda x: tg.log(x) * w, lambda x: x, (x,)))(x).sum()

    x = tg.tensor([2.0, 0.0, -3.0])
    assert grad(loss)(tg.tensor(1.5), x).item() == pytest.approx(np.log(2.0))
    assert grad(loss)(tg.tensor(1.5), -abs(x)).item() == 0.0


def test_a_frozen_lane_keeps_its_values():
    def halve(x):
        return tg.while_loop(lambda v, n: v > 1.0, lambda v, n: (tg.sqrt(v - 0.9), n + 1), (x, tg.tensor(0)))

    x = tg.tensor([9.0, 0.5, 2.0])
    values, counts = vmap(halve)(x)
    each = [halve(v) for v in x]
    assert values.tolist() == [v.item() for v, _ in each] and counts.tolist() == [n.item() for _, n in each]
    slope = grad(lambda x: vmap(halve)(x)[0].sum())(x)
    assert slope.tolist() == pytest.approx([grad(lambda v: halve(v)[0])(v).item() for v in x])


@pytest.mark.parametrize("every", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_checkpoint_every_changes_no_number(every, reverse, compiled):
    def run(h, xs, every=None):
        h, y = tg.scan(lambda h, x: (tg.sin(h + x), h * x), h, xs, reverse=reverse, checkpoint_every=every)
        return (h * 2 + y * tg.arange(7).unsqueeze(1)).sum()

    h, xs = tensor(3), tensor(7, 3)
    function = grad(lambda *a: run(*a, every), (0, 1))
    for a, b in zip((tg.compile(function) if compiled else function)(h, xs), grad(run, (0, 1))(h, xs), strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("reverse", [False, True])
def test_dim_and_nested_containers(reverse):
    def step(carry, x):
        total = carry["total"] + x["a"] * x["b"][0]
        return {"total": total, "n": carry["n"] + 1}, [total, (x["a"],)]

    init = {"total": tg.zeros(2), "n": tg.tensor(0)}
    xs = {"a": tg.arange(6.0).reshape(2, 3), "b": (tg.ones(2, 3) * 2,)}

    def run(xs):
        return tg.scan(step, init, xs, dim=1, reverse=reverse)

    for function in (run, tg.compile(run)):
        carry, (totals, (a,)) = function(xs)
        steps = (xs["a"] * 2).flip(1).cumsum(1).flip(1) if reverse else (xs["a"] * 2).cumsum(1)
        assert carry["n"].item() == 3 and a.tolist() == xs["a"].tolist()
        assert totals.tolist() == steps.tolist()


def test_random_numbers_of_a_recorded_scan_are_those_of_the_eager_one():
    def walk(x):
        return tg.scan(lambda h, _: (h + tg.randn(2), tg.rand(())), x, tg.arange(4))

    tg.manual_seed(3)
    want = walk(tg.zeros(2))
    fast = tg.compile(walk)
    tg.manual_seed(3)
    for a, b in zip(fast(tg.zeros(2)), want, strict=True):
        assert_close(a, b)


def test_a_body_with_any_number_of_steps_that_draws_runs_uncompiled():
    loop = tg.compile(lambda x: tg.while_loop(lambda v: v.sum() < 9, lambda v: v + tg.rand(2), x))
    with pytest.warns(RuntimeWarning, match="random numbers"):
        assert loop(tg.zeros(2)).sum() >= 9


def test_length_without_xs_and_scan_without_both():
    assert tg.scan(lambda c, _: (c * 2, c), tg.tensor(1.0), None, length=3)[1].tolist() == [1.0, 2.0, 4.0]
    assert tg.compile(lambda c: tg.scan(lambda c, _: (c * 2, c), c, None, length=3)[1])(tg.tensor(1.0)).tolist() == [1.0, 2.0, 4.0]  # fmt: skip
    assert tg.scan(lambda c, _: (c, c), tg.tensor(1.0), ())[1] == []


def test_numpy_source_shows_the_loop_and_the_branch():
    fast = tg.compile(PAIRS["nested"][0])
    fast(*PAIRS["nested"][2])
    assert "for i in range(2, -1, -1):" in fast.source and "if " in fast.source and "else:" in fast.source
    fast = tg.compile(PAIRS["while_loop"][0])
    fast(*PAIRS["while_loop"][2])
    assert "while body0(" in fast.source


def test_one_program_serves_every_number_of_steps():
    fast = tg.compile(PAIRS["while_loop"][0])
    for scale in (1.0, 0.1, 100.0):
        x, y = PAIRS["while_loop"][2]
        assert_close(fast(x * scale, y), PAIRS["while_loop"][1](x * scale, y))
    assert fast.compilations == 1


ONE, ROW = tg.tensor(1.0), tg.ones(3)
MISTAKES = {
    "a predicate with elements": (lambda: tg.cond(ROW > 0, abs, abs, (ROW,)), RuntimeError),
    "a predicate that is text": (lambda: tg.cond("yes", abs, abs, (ROW,)), RuntimeError),
    "branches of other shapes": (lambda: tg.cond(ONE > 0, lambda x: x, lambda x: x.sum(), (ROW,)), RuntimeError),
    "branches of other dtypes": (lambda: tg.cond(ONE > 0, lambda x: x, lambda x: x.double(), (ROW,)), RuntimeError),
    "branches of other forms": (lambda: tg.cond(ONE > 0, lambda x: x, lambda x: (x, x), (ROW,)), RuntimeError),
    "a branch that is no function": (lambda: tg.cond(ONE > 0, 3, abs, (ROW,)), TypeError),
    "a condition with elements": (lambda: tg.while_loop(lambda x: x < 9, lambda x: (x + 1,), (ROW,)), RuntimeError),
    "a condition that is no bool": (lambda: tg.while_loop(lambda x: x.sum(), lambda x: (x + 1,), (ROW,)), RuntimeError),
    "a loop that changes a shape": (lambda: tg.while_loop(lambda x: x.sum() < 9, lambda x: (x.sum(),), (ROW,)), RuntimeError),
    "a loop that changes the form": (lambda: tg.while_loop(lambda x: x.sum() < 9, lambda x: (x, x), (ROW,)), RuntimeError),
    "a scan that changes a dtype": (lambda: tg.scan(lambda c, x: ((c + x).double(), x), ONE, ROW), RuntimeError),
    "a scan that changes a shape": (lambda: tg.scan(lambda c, x: (c[None] + x, x), ONE, ROW), RuntimeError),
    "a scan over nothing": (lambda: tg.scan(lambda c, x: (c, x), ONE, tg.zeros(0)), RuntimeError),
    "a scan over an axis that is not there": (lambda: tg.scan(lambda c, x: (c, x), ONE, ROW, dim=1), IndexError),
    "a scan from a number": (lambda: tg.scan(lambda c, x: (c, x), 1.0, ROW), RuntimeError),
    "a scan of no function": (lambda: tg.scan(3, ONE, ROW), RuntimeError),
    "a scan along half an axis": (lambda: tg.scan(lambda c, x: (c, x), ONE, ROW, dim=0.5), RuntimeError),
    "a scan that turns one": (lambda: tg.scan(lambda c, x: (c, x), ONE, ROW, reverse=1), RuntimeError),
    "a fori_loop that changes a shape": (lambda: tg.fori_loop(0, 2, lambda i, v: v.sum(), ROW), RuntimeError),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("recorded", [False, True])
def test_mistakes_raise_what_torch_raises(call, error, recorded):
    with pytest.raises(error):
        (tg.compile(lambda x: (x, call())) if recorded else lambda x: call())(ROW)


def test_a_mismatch_names_both_types():
    with pytest.raises(RuntimeError, match=r"f32\[3\], not f32\[\]"):
        tg.cond(ONE > 0, lambda x: x, lambda x: x.sum(), (ROW,))


def test_the_branch_that_is_not_taken_does_not_run_twice():
    calls = []

    def other(x):
        calls.append(1)
        return x * 2

    for _ in range(3):
        tg.cond(ONE > 0, lambda x: x, other, (ROW,))
    assert len(calls) == 1


def test_a_recursive_function_ends():
    def factorial(n):
        return tg.cond(n <= 1, lambda n: tg.ones(()), lambda n: n * factorial(n - 1), (n,))

    assert factorial(tg.tensor(5.0)).item() == 120.0


def test_half_precision_and_integers_are_carried():
    def run(x):
        return tg.scan(lambda c, x: ((c[0] + x, c[1] + 1), c[1]), (x[0], tg.tensor(0, dtype=tg.int32)), x)

    x = tg.arange(4.0).to(tg.bfloat16)
    (total, count), steps = tg.compile(run)(x)
    assert (total.dtype, count.dtype, steps.dtype) == (tg.bfloat16, tg.int32, tg.int32)
    assert (total.item(), count.item(), steps.tolist()) == (6.0, 4, [0, 1, 2, 3])


def test_module_parameters_are_captured_and_trained():
    tg.manual_seed(0)
    cell = tg.nn.Linear(3, 3)

    def loss(xs):
        return tg.scan(lambda h, x: (tg.tanh(cell(h) + x), ()), tg.zeros(3), xs)[0].pow(2).sum()

    xs = tg.randn(6, 3)
    loss(xs).backward()
    want = [p.grad.clone() for p in cell.parameters()]
    cell.zero_grad()
    tg.compile(loss)(xs).backward()
    for p, g in zip(cell.parameters(), want, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("every", [None, 1, 2])
def test_dual_tensors_go_through_recorded_loops_and_branches(every):
    x = tg.tensor([1.0, 2.0, 3.0])
    with tg.autograd.forward_ad.dual_level():
        d = tg.autograd.forward_ad.make_dual(x, tg.ones(3))
        products = tg.scan(lambda c, r: (c * r, c), d[0], d, checkpoint_every=every)[1]
        assert tg.autograd.forward_ad.unpack_dual(products).tangent.tolist() == [1.0, 2.0, 5.0]
        mapped = vmap(lambda y: tg.cond(y > 1.5, lambda y: y * y, lambda y: y * 3, (y,)))(d)
        assert tg.autograd.forward_ad.unpack_dual(mapped).tangent.tolist() == [3.0, 4.0, 6.0]
