"""Programs on disk: read by another process, checked, bounded, safe under several writers."""

import hashlib
import io
import json
import math
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tracegrad as tg
from tests.export.test_every_operator import CASES, made
from tracegrad import config
from tracegrad.backends.base import Target
from tracegrad.compiler import disk_cache
from tracegrad.compiler.disk_cache import ENDING, bound, read_file, target_text, write_file
from tracegrad.compiler.stored_graph import graph_data, read_graph
from tracegrad.errors import FormatError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of a cache that also keeps small programs."""
    monkeypatch.setattr(config.settings, "cache_dir", str(tmp_path / "kept"))
    monkeypatch.setattr(disk_cache, "SMALLEST", 1)
    return tmp_path / "kept"


@pytest.fixture
def logged(monkeypatch):
    """What the cache says while an action runs."""

    def run(action):
        stream = io.StringIO()
        monkeypatch.setattr(config.settings, "log", "cache")
        monkeypatch.setattr("sys.stderr", stream)
        action()
        return stream.getvalue()

    return run


def energy(x, w):
    y = tg.tanh(x @ w) * 2.5
    return (y * y + tg.exp(-y)).sum()  # the energy


def values():
    rng = np.random.default_rng(0)
    return tg.tensor(rng.standard_normal((3, 4))), tg.tensor(rng.standard_normal((4, 2)))


def files(folder):
    return sorted(folder.glob(f"*{ENDING}"))


def cached(fast):
    return [p.cached for p in fast.explain().programs]


def test_nothing_is_kept_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.settings.cache_dir == os.environ.get("TRACEGRAD_CACHE_DIR", "")
    tg.compile(energy)(*values())
    assert not list(tmp_path.iterdir())


def test_a_second_function_of_the_same_graph_skips_the_passes(cache):
    first, second = tg.compile(energy), tg.compile(energy)
    expected = first(*values())
    assert len(files(cache)) == 1 and cached(first) == [False]
    assert second(*values()).item() == expected.item() and cached(second) == [True]
    assert second.source == first.source and second.graph == first.graph
    assert "read from the cache" in str(second.explain())


def test_the_backward_is_kept_too(cache, monkeypatch):
    def gradient():
        x, w = (t.requires_grad_() for t in values())
        tg.compile(energy)(x, w).backward()
        return x.grad, w.grad

    expected = gradient()
    assert len(files(cache)) == 2
    monkeypatch.setattr("tracegrad.compiler.stages.optimise", None)
    monkeypatch.setattr("tracegrad.compiler.stages.partition", None)
    for g, e in zip(gradient(), expected, strict=True):
        assert tg.equal(g, e)


def test_users_lines_are_those_of_the_present_program(cache):
    text = "import tracegrad as tg\n{}def f(x):\n    return tg.linalg.inv(x * 2) + x.sin().cos()\n"
    for shift in ("", "\n\n\n"):
        scope = {}
        exec(compile(text.format(shift), "shifted.py", "exec"), scope)
        fast = tg.compile(scope["f"])
        fast(tg.eye(2))
        line = 3 + len(shift)
        assert {n.extra for n in fast.graph.nodes} == {("shifted.py", line)}
        with pytest.raises(tg.linalg.LinAlgError, match=f"shifted.py:{line}"):
            fast(tg.ones(2, 2))
    assert len(files(cache)) == 1 and cached(fast) == [True]


def test_loops_and_their_bodies_are_kept(cache):
    def loop(x):
        return tg.while_loop(lambda s, k: s.sum() < 100, lambda s, k: (s * 1.5 + k, k + 1), (x, tg.tensor(0.0)))[0]

    expected = tg.compile(loop)(tg.ones(3))
    second = tg.compile(loop)
    assert tg.equal(second(tg.ones(3)), expected) and cached(second) == [True]


@pytest.mark.parametrize(
    "constant",
    [
        math.inf,
        -math.inf,
        math.nan,
        -0.0,
        5e-324,
        0.1,
        1 / 3,
        1e308,
        2**53 + 1,
        -(2**62),
        True,
        1e-7,
        complex(-0.0, math.inf),
    ],
    ids=repr,
)
def test_constants_are_exact(constant):
    dtype = tg.float64 if type(constant) is float else None
    graph = tg.compiler.capture(lambda x: x * 1 + tg.full((2,), constant, dtype=dtype), tg.ones(2, dtype=tg.complex128))
    made = read_graph(json.loads(json.dumps(graph_data(graph, {}))), [])
    assert made == graph
    given = [n.attrs[1] for n in graph.nodes if n.op.name == "full"]
    found = [n.attrs[1] for n in made.nodes if n.op.name == "full"]
    assert list(map(repr, found)) == list(map(repr, given)) and list(map(type, found)) == list(map(type, given))


def test_names_types_and_captures_survive():
    other = tg.ones(3, dtype=tg.bfloat16)
    graph = tg.compiler.capture(lambda x, y: (x + 1, y > 0, other * 2, 3.0), tg.ones(2, 0), tg.tensor(1))
    made = read_graph(json.loads(json.dumps(graph_data(graph, {}))), [])
    assert made.to_text() == graph.to_text().replace("  # test_disk_cache.py:" + str(line_of_graph(graph)), "")


def line_of_graph(graph):
    return graph.nodes[0].extra[1]


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_every_operator_survives_on_each_of_its_samples(op, sample):
    graph = made(op, sample)[0]
    again = read_graph(json.loads(json.dumps(graph_data(graph, {}), allow_nan=False)), [])
    assert again == graph and again.to_text() == graph.to_text()


# --- files that are not as they should be


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


def rehashed(head, body):
    words = head.split()
    return b" ".join([*words[:-1], hashlib.sha256(body).hexdigest().encode()]) + b"\n" + body


def with_body(change):
    def changed(data):
        head, _, body = data.partition(b"\n")
        document = json.loads(body)
        change(document)
        return rehashed(head, json.dumps(document).encode())

    return changed


def put(*path_and_value):
    *path, value = path_and_value

    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return with_body(change)


DAMAGE = {
    "a flipped byte": lambda d: d[:-20] + bytes([d[-20] ^ 1]) + d[-19:],
    "cut off": lambda d: d[: len(d) // 2],
    "empty": lambda d: b"",
    "another form": lambda d: b"\x80\x04\x95 a pickle",
    "another key": lambda d: d.replace(d.split()[3], b"0" * 64, 1),
    "no json": lambda d: rehashed(d.partition(b"\n")[0], b"print('executed')"),
    "deep json": lambda d: rehashed(d.partition(b"\n")[0], b"[" * 100_000),
    "a list": lambda d: rehashed(d.partition(b"\n")[0], b"[]"),
    "an unknown operator": put("kinds", 0, 0, "no_such_operator"),
    "a wrong type": put("types", 0, ["f64", 7, 7]),
    "a wrong place": put("nodes", 0, 2, 10_000),
    "a negative place": put("nodes", 0, 2, -1),
    "a text for a size": put("types", 0, ["f64", "3"]),
    "a huge size": put("types", 0, ["f64", 2**40, 2**40]),
    "a name with code in it": put("names", ["x\n    import os", "w"]),
    "too many outputs": put("outputs", [0, 0]),
    "no nodes": put("nodes", None),
}


@pytest.mark.parametrize("damage", DAMAGE, ids=list(DAMAGE))
def test_a_damaged_or_foreign_file_is_ignored_with_a_reason(cache, logged, damage):
    expected = tg.compile(energy)(*values())
    (path,) = files(cache)
    spoil(path, DAMAGE[damage])
    fast, found = tg.compile(energy), []
    text = logged(lambda: found.append(fast(*values())))
    assert found[0].item() == expected.item() and cached(fast) == [False]
    assert f"{path} is ignored: " in text and "stored" in text
    assert cached_again(expected)  # the good file stands in its place again


def cached_again(expected):
    fast = tg.compile(energy)
    return fast(*values()).item() == expected.item() and cached(fast) == [True]


def test_halves_that_do_not_fit_are_ignored(cache, logged):
    def gradient():
        x, w = (t.requires_grad_() for t in values())
        tg.compile(energy)(x, w).backward()
        return x.grad

    expected = gradient()
    for path in files(cache):
        document = json.loads(path.read_bytes().partition(b"\n")[2])
        if isinstance(document, list):
            spoil(path, put(3, [0, 1, 5]))
    found = []
    text = logged(lambda: found.append(gradient()))
    assert tg.equal(found[0], expected) and "is ignored" in text


# --- what belongs to the key


def test_another_version_machine_or_option_has_other_files(cache, monkeypatch):
    tg.compile(energy)(*values())
    monkeypatch.setattr(disk_cache, "versions", lambda: "another version")
    fast = tg.compile(energy)
    fast(*values())
    assert cached(fast) == [False] and len(files(cache)) == 2
    assert (
        target_text(Target("jax", {"fusion": True}))
        != target_text(Target("jax", {"fusion": False}))
        != target_text("jax")
    )


def test_the_versions_name_numpy_scipy_and_python():
    text = disk_cache.versions()
    assert f"numpy {np.__version__}" in text and sys.version in text and "scipy" in text


@pytest.mark.parametrize("other", [lambda x, w: energy(x, w) * 2, lambda x, w: energy(x, w) + 1e-16])
def test_another_graph_has_another_file(cache, other):
    tg.compile(energy)(*values())
    fast = tg.compile(other)
    fast(*values())
    assert cached(fast) == [False] and len(files(cache)) == 2


def test_a_graph_with_a_custom_function_is_not_kept(cache, logged):
    class Twice(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = tg.ones(3, requires_grad=True)
    text = logged(lambda: tg.compile(lambda x: Twice.apply(x).sin().sum())(x).backward())
    assert x.grad.tolist() == pytest.approx([2 * math.cos(2)] * 3)
    assert "not kept" in text or "stored" in text


# --- the folder


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch, logged):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(config.settings, "cache_dir", str(tmp_path / "file"))
    monkeypatch.setattr(disk_cache, "SMALLEST", 1)
    found = []
    text = logged(lambda: found.append(tg.compile(energy)(*values())))
    assert math.isfinite(found[0].item()) and "not stored" in text


def test_the_folder_is_bounded_and_the_oldest_files_go_first(tmp_path):
    for i in range(5):
        path = tmp_path / f"{i}{ENDING}"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 + i, 1000 + i))
    (tmp_path / "of the user.txt").write_bytes(b"x" * 1000)
    bound(str(tmp_path), 250)
    assert [p.name for p in files(tmp_path)] == [f"3{ENDING}", f"4{ENDING}"]
    assert (tmp_path / "of the user.txt").exists()


def test_reading_a_file_makes_it_young(cache):
    tg.compile(energy)(*values())
    (path,) = files(cache)
    os.utime(path, (1, 1))
    tg.compile(energy)(*values())
    assert path.stat().st_mtime > 1


def test_writers_at_the_same_time_leave_whole_files(tmp_path):
    path = str(tmp_path / f"{'a' * 64}{ENDING}")
    failures = []

    def write(k):
        for _ in range(30):
            write_file(path, "a" * 64, json.dumps([k] * 2000))
            try:
                assert len(set(read_file(path, "a" * 64))) == 1
            except FormatError as error:
                failures.append(error)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures and [p.name for p in tmp_path.iterdir()] == [os.path.basename(path)]


SCRIPT = """
import sys
import tracegrad as tg
def f(x, w):
    for _ in range(8):
        x = tg.tanh(x @ w) + x * 0.5
    return x.sum()
x = tg.arange(12.0).reshape(3, 4) / 10
w = (tg.arange(16.0).reshape(4, 4) / 20).requires_grad_()
fast = tg.compile(f)
fast(x, w).backward()
print(fast(x, w).item().hex(), w.grad.sum().item().hex(), all(p.cached for p in fast.explain(x, w).programs))
"""


def test_other_processes_start_from_the_cache_also_when_they_start_together(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "TRACEGRAD_CACHE_DIR": str(tmp_path / "kept")}
    command = [sys.executable, str(script)]
    first = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [p.communicate(timeout=120)[0].split() for p in first]
    later = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True).stdout
    assert all(line[:2] == lines[0][:2] for line in lines)
    assert later.split() == [*lines[0][:2], "True"]
    assert all(p.suffix == ENDING for p in (tmp_path / "kept").iterdir())
