"""Tensors in safetensors files, where that package is there."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracegrad as tg
from tracegrad.errors import ArgumentError, FormatError
from tracegrad.utils.safetensors import load_file, save_file

pytest.importorskip("safetensors")


def test_tensors_come_back_by_name(tmp_path: Path):
    tensors = {"a": tg.arange(6.0).reshape(2, 3).t(), "b": tg.tensor([True]), "c": tg.tensor(3)}
    save_file(tensors, tmp_path / "a.safetensors", metadata={"made": "by a test"})
    found = load_file(tmp_path / "a.safetensors")
    assert sorted(found) == ["a", "b", "c"]
    assert all(tg.equal(found[name], t) and found[name].dtype == t.dtype for name, t in tensors.items())


def test_a_state_dict_comes_back(tmp_path: Path):
    model, other = tg.nn.Linear(2, 2), tg.nn.Linear(2, 2)
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    other.load_state_dict(load_file(tmp_path / "a.safetensors"))
    assert tg.equal(model.weight, other.weight)


@pytest.mark.parametrize("tensors", [[tg.ones(1)], {"a": 1}, {1: tg.ones(1)}], ids=str)
def test_anything_but_named_tensors_is_refused(tensors: object, tmp_path: Path):
    with pytest.raises(ArgumentError, match="save_file"):
        save_file(tensors, tmp_path / "a.safetensors")  # type: ignore[arg-type]


def test_a_damaged_file_is_refused(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{nothing")
    with pytest.raises(FormatError, match="no safetensors file"):
        load_file(tmp_path / "a.safetensors")
