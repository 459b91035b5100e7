"""functional_call: a module run with other values for its parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, explain


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """What module(*args, **kwargs) gives with these values under these dotted names; the module itself is as before afterwards.

    args: a tuple, or the only argument.  tie_weights: names of one parameter share the value given for one of them.
    Raises ValueError for a name given twice, RuntimeError for missing or unknown names if strict.
    """
    if not hasattr(module, "named_parameters"):
        raise ArgumentError(explain("functional_call", f"expected a Module, got {type(module).__name__}"))
    given = _one_mapping(parameter_and_buffer_dicts)
    places = _places(module)
    if strict:
        _check_names(given, places)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    values = _tied(given, places) if tie_weights else dict(given)
    with _replaced(places, values):
        return module(*positional, **(kwargs or {}))


def _one_mapping(dicts: Any) -> Mapping[str, Any]:
    if isinstance(dicts, Mapping):
        return dicts
    if not isinstance(dicts, Sequence) or not all(isinstance(d, Mapping) for d in dicts):
        raise ArgumentValueError(
            explain(
                "functional_call", f"expected a dictionary or a sequence of dictionaries, got {type(dicts).__name__}"
            )
        )
    names = [name for d in dicts for name in d]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ArgumentValueError(explain("functional_call", f"{repeated} appeared in multiple dictionaries"))
    return {name: value for d in dicts for name, value in d.items()}


def _places(module: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """Where each parameter and buffer stands: its table and its key there, by dotted name."""
    found = {}
    for path, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            for key in table:
                found[f"{path}.{key}" if path else key] = (table, key)
    return found


def _check_names(given: Mapping[str, Any], places: Mapping[str, Any]) -> None:
    missing, unexpected = [k for k in places if k not in given], [k for k in given if k not in places]
    problems = [f"Missing key(s): {missing}"] * bool(missing) + [f"Unexpected key(s): {unexpected}"] * bool(unexpected)
    if problems:
        raise DataError(explain("functional_call", ". ".join(problems)))


def _tied(given: Mapping[str, Any], places: Mapping[str, tuple[dict[str, Any], str]]) -> dict[str, Any]:
    """The values, also for other names of the same parameter."""
    values = {id(table[key]): given[name] for name, (table, key) in places.items() if name in given}
    tied = dict(given)
    for name, (table, key) in places.items():
        own = table[key]
        if name not in tied and own is not None and id(own) in values:
            tied[name] = values[id(own)]
    return tied


@contextmanager
def _replaced(places: Mapping[str, tuple[dict[str, Any], str]], values: Mapping[str, Any]) -> Iterator[None]:
    before = [(*places[name], places[name][0][places[name][1]]) for name in values if name in places]
    try:
        for name, value in values.items():
            if name in places:
                table, key = places[name]
                table[key] = value
        yield
    finally:
        for table, key, own in before:
            table[key] = own


__all__ = ["functional_call"]
