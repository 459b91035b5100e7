"""The options of torch.compile."""

import pytest

import tracegrad as tg
from tracegrad import nn


def double(x):
    return x * 2


@pytest.mark.parametrize("options", [{"backend": "eager"}, {"backend": "aot_eager"}, {"disable": True}])
def test_plain_backends_give_the_function_itself(options):
    assert tg.compile(double, **options) is double
    assert tg.compile(**options)(double) is double


@pytest.mark.parametrize(
    "options",
    [{"backend": "inductor"}, {"mode": "max-autotune", "fullgraph": True}, {"dynamic": True, "options": {"a": 1}}],
)
def test_options_of_torch_are_accepted(options):
    compiled = tg.compile(double, **options)
    assert compiled(tg.ones(2)).tolist() == [2.0, 2.0]
    assert compiled.compilations == 1


@pytest.mark.parametrize("options", [{"mode": "fastest"}, {"mode": "default", "options": {"a": 1}}])
def test_modes_that_torch_refuses_are_refused(options):
    with pytest.raises(RuntimeError, match="mode"):
        tg.compile(double, **options)


def test_an_unknown_backend_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="'numpy', 'jax'"):
        tg.compile(double, backend="fortran")


def test_a_compiled_module_shows_what_the_module_has():
    module = nn.Linear(3, 2)
    compiled = tg.compile(module)
    compiled(tg.ones(1, 3)).sum().backward()
    assert [p is q for p, q in zip(compiled.parameters(), module.parameters(), strict=True)] == [True, True]
    assert sorted(compiled.state_dict()) == ["bias", "weight"]
    assert module.bias.grad.tolist() == [1.0, 1.0]
    with pytest.raises(AttributeError):
        compiled.nothing_like_it  # noqa: B018


def test_code_is_told_whether_it_is_recorded():
    seen = []
    tg.compile(lambda x: (seen.append(tg.compiler.is_compiling()), x)[1], backend="eager")(tg.ones(1))
    tg.func.grad(lambda x: x.sum() * tg.compiler.is_compiling())(tg.ones(1))
    assert seen == [False]
    assert tg.compile(lambda x: x * tg.compiler.is_compiling())(tg.ones(1)).tolist() == [1.0]
