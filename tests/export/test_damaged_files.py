"""Damaged files: whatever one changes in a text or JSON file, the answer is a verified graph or a FormatError, never another exception."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tracegrad.errors import FormatError
from tracegrad.ir.graph import Graph
from tracegrad.ir.verify import verify

TEXT = """\
graph(%x: f32[2,3], %i: i64[2]; capture %b: f32[3]) {
  %1: f32[2,3] = sub(%x, 2.0)
  %2: f32[2,3] = mul(%1, %b)  # train.py:17
  %3: (f32[2], i64[2]) = max_dim(%2, dim=1, keepdim=False)
  %4: f32[2] = project(%3, index=0)
  %5: f32[2,3] = index_select(%2, %i, dim=0)
  %6: f32[2] = sum(%5, dim=(1,), keepdim=False)
  %7: f32[2] = select(%2, dim=1, index=0)
  %8: f32[4,3] = cat(%2, %5, dim=0)
  %9: f32[2,2] = full(shape=(2, 2), value=-inf, dtype=f32)
  %10: f32[1,2] = reshape(%4, shape=(1, 2))
  effect %b <- %b
  return %4, %6, %7, %8, %9, %10, 2.0, True
}"""
PIECES = ["%1", "%x", "f32[3]", "i64[]", "(", ")", ",", "=", "-1", "0", "1.5", "nan", "None", "True", '"a"', "...", "slice(0, 1, None)", "complex(0.0, 1.0)", "f32", "dim=",
          "add", "project", "return", "effect", "\n", "#", "99999999999999999999", "<F>", "}", "opaque: f32[3]", " ", "()", "(1,)"]  # fmt: skip
VALUES: list[Any] = [None, True, 0, -1, 10**30, 0.5, "", "a", [], {}, {"value": 0}, {"value": 7}, {"tuple": []}, {"float": 1.0}, {"str": "x"}, {"dtype": "f32"}, [0, 1],
                     {"slice": [None, 1, 2]}, {"ellipsis": True}, {"complex": [0.0, 1.0]}, "f64", "neg"]  # fmt: skip


def mutated_text(generator: random.Random) -> str:
    """The text with up to three pieces replaced, removed or put in."""
    text = TEXT
    for _ in range(generator.randint(1, 3)):
        start = generator.randrange(len(text))
        end = min(len(text), start + generator.randint(0, 6))
        text = text[:start] + generator.choice([*PIECES, ""]) + text[end:]
    return text


def mutated_json(generator: random.Random) -> Any:
    """The document with one to three values replaced, removed or repeated."""
    document = json.loads(Graph.from_text(TEXT).to_json())
    for _ in range(generator.randint(1, 3)):
        at: Any = document
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = generator.choice(keys)
            if isinstance(at[key], (dict, list)) and at[key] and generator.random() < 0.8:
                at = at[key]
                continue
            if generator.random() < 0.2:
                del at[key]
            else:
                at[key] = generator.choice(VALUES)
            break
    return document


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_text_is_refused_or_a_good_graph(seed):
    generator = random.Random(seed)
    Graph.from_text(TEXT)
    for _ in range(200):
        check(Graph.from_text, mutated_text(generator))


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_document_is_refused_or_a_good_graph(seed):
    generator = random.Random(seed)
    for _ in range(100):
        check(Graph.from_json, mutated_json(generator))


def check(read: Any, given: Any) -> None:
    """Read it; if that works, the graph is good and prints."""
    try:
        graph = read(given)
    except FormatError:
        return
    if "opaque" not in str(graph) and "slice(" not in str(
        graph
    ):  # both are legal in a file, but not in a verified graph
        verify(graph)
    assert Graph.from_text(str(graph)) == graph
