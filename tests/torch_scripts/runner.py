"""Runs scripts written for torch, under torch or under tracegrad, and keeps what torch printed.

`python -m tests.torch_scripts.runner` runs every script under torch and writes the expected outputs, scripts/<name>.out.
"""

import contextlib
import io
import re
import sys
import warnings
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
_IMPORTS = [
    (re.compile(r"^(\s*)import torch$", re.M), r"\1import tracegrad as torch"),
    (re.compile(r"^(\s*)import torch(\.[\w.]+) as (\w+)$", re.M), r"\1import tracegrad\2 as \3"),
    (re.compile(r"^(\s*)from torch([\w.]*) import ", re.M), r"\1from tracegrad\2 import "),
]


def text_of(name: str, library: str) -> str:
    """The script, its import lines changed if the library is tracegrad."""
    text = (FOLDER / f"{name}.py").read_text()
    if library == "tracegrad":
        for pattern, replacement in _IMPORTS:
            text = pattern.sub(replacement, text)
        assert not re.search(r"^\s*(import|from) torch\b", text, re.M), f"{name}: an import line of a form that the runner does not know"
    return text


def printed(name: str, library: str) -> str:
    """What the script prints, with addresses of objects masked."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        if library == "torch":
            warnings.simplefilter("ignore")
        warnings.filterwarnings("ignore", "Anomaly Detection|Error detected in")  # torch warns there too
        exec(compile(text_of(name, library), f"{name}.py", "exec"), {"__name__": "__main__"})
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


def expected(name: str) -> str:
    """What torch printed."""
    return (FOLDER / f"{name}.out").read_text()


if __name__ == "__main__":
    for script in SCRIPTS:
        (FOLDER / f"{script}.out").write_text(printed(script, "torch"))
        print(script, file=sys.stderr)
