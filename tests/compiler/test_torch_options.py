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
    assert sorted(compiled.state_dict()) == ["_orig_mod.bias", "_orig_mod.weight"]
    assert module.bias.grad.tolist() == [1.0, 1.0]
    with pytest.raises(AttributeError):
        compiled.nothing_like_it  # noqa: B018


def test_code_is_told_whether_it_is_recorded():
    seen = []
    tg.compile(lambda x: (seen.append(tg.compiler.is_compiling()), x)[1], backend="eager")(tg.ones(1))
    tg.func.grad(lambda x: x.sum() * tg.compiler.is_compiling())(tg.ones(1))
    assert seen == [False]
    assert tg.compile(lambda x: x * tg.compiler.is_compiling())(tg.ones(1)).tolist() == [1.0]


def test_fullgraph_makes_an_error_of_what_would_run_uncompiled():
    def noisy(x):
        print("sum", x.sum())
        return x

    with pytest.raises(RuntimeError, match="fullgraph"):
        tg.compile(noisy, fullgraph=True)(tg.ones(2))


def test_disabled_functions_are_left_as_they_are():
    @tg.compiler.disable
    def plain(x):
        return x + 1

    @tg.compiler.disable(recursive=False)
    def other(x):
        return plain(x) * 2

    assert tg.compile(plain) is plain
    assert tg.compile(lambda x: other(x) * 2)(tg.ones(1)).item() == 8.0
    assert tg.compiler.disable(tg.compile(double))(tg.ones(1)).item() == 2.0


def test_reset_forgets_programs():
    fast = tg.compile(double)
    fast(tg.ones(2))
    tg.compiler.reset()
    assert fast.compilations == 0
    assert fast(tg.ones(2)).tolist() == [2.0, 2.0]
    assert fast.compilations == 1
    tg._dynamo.reset()
    assert fast.compilations == 0


def test_a_stance_says_what_calls_without_a_program_do():
    fast = tg.compile(double)
    fast(tg.ones(2))
    with tg.compiler.set_stance("fail_on_recompile"):
        assert fast(tg.ones(2)).tolist() == [2.0, 2.0]
        with pytest.raises(RuntimeError, match="fail_on_recompile"):
            fast(tg.ones(2, dtype=tg.int64))
    with tg.compiler.set_stance("eager_on_recompile"):
        fast(tg.ones(2, dtype=tg.int64))
    assert fast.compilations == 1

    @tg.compiler.set_stance("force_eager")
    def forced():
        return tg.compiler.is_compiling(), fast(tg.ones(2, requires_grad=True)).grad_fn

    assert type(forced()[1]).__name__ == "MulBackward0"
    assert tg.config.settings.stance == "default" and tg.config.GENERATED["MODE"] == 0
    with pytest.raises(RuntimeError, match="stance"):
        tg.compiler.set_stance("sideways")


def test_names_that_say_nothing_here_leave_functions_as_they_are():
    assert tg.compiler.allow_in_graph(double) is double
    assert tg.compiler.assume_constant_result(double) is double
    assert tg.compiler.substitute_in_graph(abs)(double) is double
    assert "inductor" in tg.compiler.list_backends()
    assert tg.compiler.cudagraph_mark_step_begin() is None
    assert tg._dynamo.config.cache_size_limit > 0
    assert tg._dynamo.optimize("inductor")(double)(tg.ones(1)).item() == 2.0


def test_settings_of_torch_can_be_set_and_patched():
    config = tg._dynamo.config
    with config.patch(suppress_errors=True, of_later_versions=3):
        assert (config.suppress_errors, config.of_later_versions) == (True, 3)
    assert not config.suppress_errors
    assert not hasattr(config, "of_later_versions")
    asked = config.patch("verbose", True)(lambda: config.verbose)
    assert [asked(), config.verbose, asked()] == [True, False, True]
    with tg._inductor.config.patch({"max_autotune": True}):
        assert tg._inductor.config.max_autotune


def test_structured_control_flow_is_found_where_torch_has_it():
    from tracegrad._higher_order_ops import cond, while_loop
    from tracegrad._higher_order_ops.map import map as mapped
    from tracegrad._higher_order_ops.scan import scan

    assert (cond, while_loop, mapped, scan) == (tg.cond, tg.while_loop, tg.map, tg.scan)
    assert tg._higher_order_ops.scan is scan
