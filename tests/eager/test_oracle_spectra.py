"""stft, istft and segment_reduce: values and gradients of signals, windows and data are torch's."""

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:A window was not provided", "ignore:stft with return_complex=False")

STFT = {
    "of all defaults": {},
    "with a window": {"window": 8},
    "with a short window and hop": {"win_length": 5, "hop_length": 3, "window": 5},
    "uncentred": {"center": False, "window": 8},
    "aligned to the window": {"center": False, "align_to_window": True, "win_length": 4, "window": 4},
    "not aligned to the window": {"center": False, "align_to_window": False, "win_length": 4, "window": 4},
    "continued by zeros": {"pad_mode": "constant", "window": 8},
    "continued by the edge": {"pad_mode": "replicate", "window": 8},
    "continued around": {"pad_mode": "circular", "window": 8},
    "normalised": {"normalized": True, "window": 8},
    "two-sided": {"onesided": False, "window": 8},
    "as real numbers": {"return_complex": False, "window": 8},
}
ISTFT = {
    "of all defaults": {},
    "with a window": {"window": 8},
    "with a short window and hop": {"win_length": 6, "hop_length": 3, "window": 6},
    "of a length": {"length": 11, "window": 8},
    "uncentred": {"center": False, "hop_length": 4},
    "normalised": {"normalized": True, "window": 8},
}
SHAPES = [(20,), (2, 20)]


def made(library, options, dtype=np.float64):
    """The options with a window of that many points, which requires grad."""
    options = dict(options)
    if "window" in options:
        numbers = np.hanning(options["window"] + 2)[1:-1].astype(dtype)
        options["window"] = library.from_numpy(numbers).requires_grad_()
    return options


def sums_and_gradients(library, x, function, leaves):
    """The result's numbers and the gradients of a weighted sum of their squares."""
    y = function(x)
    parts = library.view_as_real(y) if y.is_complex() else y
    weights = library.from_numpy(np.linspace(0.5, 2.0, parts.numel()).reshape(tuple(parts.shape)))
    found = library.autograd.grad((parts * parts * weights).sum(), leaves)
    return [y.detach().numpy(), *(g.numpy() for g in found)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", STFT)
def test_spectra_and_their_gradients_are_torchs(name, shape):
    numbers = np.random.default_rng(3).normal(size=shape)
    answers = []
    for library in (tg, torch):
        options = {"return_complex": True} | made(library, STFT[name])
        x = library.from_numpy(numbers.copy()).requires_grad_()
        leaves = [x, *([options["window"]] if "window" in options else [])]
        answers.append(sums_and_gradients(library, x, lambda v, lib=library, o=options: lib.stft(v, 8, **o), leaves))
    for ours, theirs in zip(*answers, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ISTFT)
def test_signals_and_their_gradients_are_torchs(name, shape):
    generator = np.random.default_rng(4)
    numbers = generator.normal(size=(*shape[:-1], 5, 9)) + 1j * generator.normal(size=(*shape[:-1], 5, 9))
    answers = []
    for library in (tg, torch):
        options = made(library, ISTFT[name])
        x = library.from_numpy(numbers.copy()).requires_grad_()
        leaves = [x, *([options["window"]] if "window" in options else [])]
        answers.append(sums_and_gradients(library, x, lambda v, lib=library, o=options: lib.istft(v, 8, **o), leaves))
    for ours, theirs in zip(*answers, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("initial", [None, 0.5])
@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize(
    ("shape", "pieces", "axis"),
    [((7,), [3, 0, 4], 0), ((7, 2), [1, 6], 0), ((2, 6), [[2, 4], [0, 6]], 1), ((2, 6, 3), [[2, 4], [5, 1]], 1)],
    ids=str,
)
def test_segments_and_their_gradients_are_torchs(shape, pieces, axis, reduce, initial):
    numbers = np.random.default_rng(5).normal(size=shape)
    numbers.reshape(-1)[1] = 0.0
    answers = []
    for library in (tg, torch):
        x = library.from_numpy(numbers.copy()).requires_grad_()
        y = library.segment_reduce(x, reduce, lengths=library.tensor(pieces), axis=axis, initial=initial)
        weights = library.from_numpy(np.linspace(0.5, 2.0, y.numel()).reshape(tuple(y.shape)))
        finite = library.where(y.isfinite(), y, library.zeros_like(y))
        answers.append((y.detach().numpy(), library.autograd.grad((finite * weights).sum(), x)[0].numpy()))
    np.testing.assert_allclose(answers[0][0], answers[1][0], rtol=1e-12)
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy"])
def test_compiled_spectra_and_histograms_are_the_eager_ones(backend):
    def program(x):
        window = tg.hann_window(8, dtype=tg.float64)
        spectrum = tg.stft(x, 8, window=window, return_complex=True)
        counts = tg.histogram(x, 5)
        return tg.istft(spectrum, 8, window=window), counts.hist, counts.bin_edges, tg.nonzero_static(x > 0, size=30)

    x = tg.from_numpy(np.random.default_rng(6).normal(size=24))
    for eager, compiled in zip(program(x), tg.compile(program, backend=backend)(x), strict=True):
        np.testing.assert_allclose(eager.numpy(), compiled.numpy(), rtol=1e-12, atol=1e-13)
