"""Optimised graphs on disk, so that a second process need not run the passes again.

`settings.cache_dir` (TRACEGRAD_CACHE_DIR) names the folder; nothing is kept without it.  A file's name is the hash of all that the passes' work depends on: the recorded
graph, the backend with its options, the machine, and the versions of tracegrad (with the state of its own files), NumPy, SciPy and Python.  Its first line has the hash of the rest,
which is JSON: graphs as stored_graph.py reads them, checked operator by operator.  Nothing in it is ever executed or unpickled; source text is emitted from the graph again.

Writers put a file under a name of their own and move it to its place, so that readers see whole files only.  A file that is damaged, of another form or for another graph
is ignored, and `settings.log = "cache"` says why.  When the folder has more than `settings.cache_limit` MiB, the files that were used longest ago are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from tracegrad.backends.base import Target
from tracegrad.backends.source import bodies_of
from tracegrad.compiler.log import log
from tracegrad.compiler.stored_graph import graph_data, read_graph
from tracegrad.config import settings
from tracegrad.errors import FormatError, NotSupportedError, VerifyError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import LIMITS
from tracegrad.ir.node import Node
from tracegrad.ir.text import location_of
from tracegrad.ir.verify import verify

MAGIC = b"tracegrad cache 1 "
ENDING = ".tgcache"
SMALLEST = 20  # operators up to which the passes take no longer than a look on disk
_written = [0, 0]  # files and bytes since the folder was last looked through
_lock = threading.Lock()


class Entry:
    """The place of one result of the passes: `load` reads it, `store` writes it."""

    def __init__(self, graph: Graph, backend: str, role: str) -> None:
        self.graph, self.role = graph, role
        self.places = list(_places(graph))
        data = json.dumps([graph_data(graph, {}), [int(n.needs) for n in graph.nodes]], separators=(",", ":"))
        context = "\n".join((role, target_text(backend), versions()))
        self.key = hashlib.sha256(f"{context}\n{data}".encode()).hexdigest()
        self.path = os.path.join(settings.cache_dir, f"{self.key}{ENDING}")

    def load(self, read: Callable[[Any, Entry], Any]) -> Any:
        """What `read` makes of the file's JSON; None where there is no good file."""
        try:
            body = read_file(self.path, self.key)
            found = read(body, self)
        except FileNotFoundError:
            log("cache", f"{self.role} of {len(self.graph.nodes)} operators: not there ({self.key[:12]})")
            return None
        except (OSError, FormatError) as error:
            log("cache", f"{self.role}: {self.path} is ignored: {error}")
            return None
        with contextlib.suppress(OSError):  # a folder that may only be read
            os.utime(self.path)
        log("cache", f"{self.role} of {len(self.graph.nodes)} operators: read ({self.key[:12]})")
        return found

    def store(self, write: Callable[[Entry], Any], read: Callable[[Any, Entry], Any], made: Any) -> None:
        """Write what `write` gives, if reading it gives exactly `made` again.  A folder that cannot be written is no error."""
        try:
            text = json.dumps(write(self), separators=(",", ":"), allow_nan=False)
            if read(json.loads(text), self) != made:
                raise FormatError(explain("cache", "reading gives another graph"))
            write_file(self.path, self.key, text)
        except (OSError, FormatError, NotSupportedError, ValueError, TypeError) as error:
            log("cache", f"{self.role} of {len(self.graph.nodes)} operators: not stored: {error}")
            return
        log("cache", f"{self.role} of {len(self.graph.nodes)} operators: stored ({self.key[:12]})")

    def data(self, graph: Graph, names: bool = True) -> Any:
        """A graph as JSON, with the user's lines as numbers of the recorded graph's."""
        numbers: dict[Any, int] = {}
        for i, place in enumerate(self.places):
            if place is not None:
                numbers.setdefault(place, i)
        return graph_data(graph, numbers, names)

    def read(self, data: Any, names: tuple[str, ...] = ()) -> Graph:
        """The graph of such JSON.  FormatError where it is none, also by settings.verify."""
        found = read_graph(data, self.places, names)
        if settings.verify:
            try:
                verify(found)
            except VerifyError as error:
                raise FormatError(str(error)) from None
        return found


def entry(graph: Graph, backend: str, role: str) -> Entry | None:
    """The place for the result of the passes on a graph; None where nothing is kept."""
    if not settings.cache_dir or settings.dump or len(graph.nodes) < SMALLEST:
        return None
    try:
        return Entry(graph, backend, role)
    except (NotSupportedError, TypeError, ValueError) as error:
        log("cache", f"{role} of {len(graph.nodes)} operators: not kept: {error}")
        return None


def _places(graph: Graph) -> Iterator[Any]:
    """The user's line of every node, those in bodies after the node that has them."""
    for node in graph.nodes:
        yield location_of(node)
        for body in bodies_of(node):
            yield from _places(body)


def target_text(backend: str) -> str:
    """The backend with its options: a Target's own string is its name alone."""
    options = sorted(backend.options.items()) if isinstance(backend, Target) else []
    return f"{backend!s} {options!r}"


@cache
def versions() -> str:
    """Everything about this installation that decides what the passes make of a graph."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    files = []
    for folder in sorted(("", "ir", "ops", "passes", "kernels", "backends", "compiler")):
        with os.scandir(os.path.join(package, folder)) as found:
            files += [(folder, f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in found if f.name.endswith(".py")]
    own = hashlib.sha256(repr(sorted(files)).encode()).hexdigest()
    machine = (platform.machine(), platform.system(), sys.byteorder)
    return f"{own} numpy {np.__version__} scipy {scipy_version()} python {sys.version} {machine}"


def scipy_version() -> str:
    """SciPy's version, read without importing it; "" where it is not installed."""
    found = importlib.util.find_spec("scipy")
    if found is None or not found.origin:
        return ""
    try:
        with open(os.path.join(os.path.dirname(found.origin), "version.py"), encoding="utf-8") as file:
            named = re.search(r'^version = "(.*)"$', file.read(), re.MULTILINE)
    except OSError:
        named = None
    return named[1] if named else f"at {found.origin}"


def read_file(path: str, key: str) -> Any:
    """The JSON of a file.  Raises FormatError for one that is damaged or of another form."""
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_size > LIMITS.characters:
            raise FormatError(explain("cache", "it is no file of this form"))
        head, body = file.readline(200), file.read()
    if not head.startswith(MAGIC) or head.split()[-2:-1] != [key.encode()]:
        raise FormatError(explain("cache", "it is no file of this form, or for another graph"))
    if head.split()[-1] != hashlib.sha256(body).hexdigest().encode():
        raise FormatError(explain("cache", "its contents do not have the hash that its first line says"))
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FormatError(explain("cache", f"it is not JSON: {error}")) from None


def write_file(path: str, key: str, text: str) -> None:
    """Put a file in its place at once, and keep the folder within its bounds."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    body = text.encode()
    own = f"{path}.{os.getpid()}.{threading.get_ident()}.tmp"
    try:
        with open(own, "wb") as file:
            file.write(MAGIC + f"{key} {hashlib.sha256(body).hexdigest()}\n".encode() + body)
        os.replace(own, path)
    except BaseException:
        if os.path.exists(own):
            os.remove(own)
        raise
    with _lock:
        _written[0] += 1
        _written[1] += len(body)
        limit = settings.cache_limit * 2**20
        if _written[0] == 1 or _written[0] % 64 == 0 or _written[1] > limit // 16:
            _written[1] = 0
            bound(folder, limit)


def bound(folder: str, limit: int) -> None:
    """Remove the files that were used longest ago until the rest has at most `limit` bytes; and what writers that were killed have left."""
    files = []
    with os.scandir(folder) as found:
        for file in found:
            if ENDING in file.name:
                try:
                    state = file.stat(follow_symlinks=False)
                except OSError:  # another process has removed it
                    continue
                files.append((state.st_mtime, state.st_size, file.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            return
        try:
            os.remove(path)
        except OSError:
            continue
        total -= size
        log("cache", f"removed {path}, the folder is larger than {limit // 2**20} MiB")


def output_types(graph: Graph) -> list[Any]:
    """What two graphs with the same outputs have in common."""
    return [(o.shape, o.dtype) if isinstance(o, Node) else type(o) for o in graph.outputs]


__all__ = ["Entry", "entry", "output_types"]
