"""The classes and the one form of error messages."""

import inspect

import pytest

from tracegrad import errors

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.TracegradError)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_class_is_documented_and_derives_from_the_builtin_that_torch_raises(cls):
    assert cls.__doc__
    if cls is not errors.TracegradError:
        assert any(
            base.__module__ == "builtins" and base not in (Exception, BaseException, object) for base in cls.__mro__
        )


def test_message_has_operation_problem_values_and_remedy():
    assert errors.explain("sum", "dim is wrong") == "sum: dim is wrong"
    assert errors.explain("sum", "dim is wrong", x=3, y="f32[2]") == "sum: dim is wrong (x: 3, y: f32[2])"
    assert errors.explain("sum", "dim is wrong", "Use 0", x=3) == "sum: dim is wrong (x: 3). Use 0"
