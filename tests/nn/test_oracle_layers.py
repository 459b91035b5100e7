"""Layers of torch.nn: what they print, their state, results and gradients are torch's."""

import contextlib
import io
import warnings

import numpy as np
import pytest

import tracegrad

torch = pytest.importorskip("torch")

PROGRAM = """
m = nn.{layer}
print(m, [(k, tuple(v.shape)) for k, v in m.state_dict().items()])
m = m.double()
for p in m.parameters():
    with torch.no_grad():
        p.copy_(torch.arange(p.numel()).reshape(p.shape) % 7 / 4 - 0.6)
x = ((torch.arange({size}, dtype=torch.float64) * 7 % 11 - 5) / 3).reshape({shape}).requires_grad_()
m.{mode}()
found = m(x)
while isinstance(found, tuple):
    found = found[0]
print(tuple(found.shape), found.grad_fn.name())
(found ** 3).sum().backward()
numbers.extend([found, x.grad, *(p.grad for p in m.parameters()), *m.buffers()])
"""
LAYERS = {
    "2,4": """ELU() CELU(0.5) SELU() SiLU() Mish() Hardswish() GELU() GELU('tanh') GLU() Hardtanh(-2,2) ReLU6() LeakyReLU(0.2) Threshold(0.1,2.) Hardshrink()
        Softshrink() LogSigmoid() Softsign() Tanhshrink() Softmin(1) PReLU() PReLU(4) LayerNorm(4) LayerNorm(4,bias=False) RMSNorm(4) BatchNorm1d(4)
        BatchNorm1d(4,affine=False,momentum=None) RNNCell(4,3) GRUCell(4,3) ZeroPad1d(1)""",
    "2,4,3": "GroupNorm(2,4) BatchNorm1d(4) InstanceNorm1d(4) Conv1d(4,2,2) ConvTranspose1d(4,2,3) MaxPool1d(2) AvgPool1d(2) AdaptiveAvgPool1d(2) Flatten() RNN(3,4) LSTM(3,2)",
    "2,4,6,6": """Conv2d(4,2,3) Conv2d(4,4,(3,2),stride=2,padding=1,groups=2) Conv2d(4,2,3,padding=1,padding_mode='reflect') Conv2d(4,2,3,padding='same',bias=False)
        ConvTranspose2d(4,2,3,stride=2,padding=1,output_padding=1) MaxPool2d(2) MaxPool2d(3,2,1) AvgPool2d(2) AdaptiveAvgPool2d((3,2)) AdaptiveMaxPool2d(2)
        BatchNorm2d(4) InstanceNorm2d(4,affine=True,track_running_stats=True) LocalResponseNorm(2) ReflectionPad2d(1) ConstantPad2d(1,3.5) Unfold(2)
        PixelShuffle(2) ChannelShuffle(2) Unflatten(1,(2,2))""",
}
CASES = [
    (layer, shape, mode) for shape, names in LAYERS.items() for layer in names.split() for mode in ("train", "eval")
]


@pytest.mark.parametrize(("layer", "shape", "mode"), CASES)
def test_a_layer_is_that_of_torch(layer, shape, mode):
    text = PROGRAM.format(layer=layer, shape=shape, mode=mode, size=int(np.prod([int(n) for n in shape.split(",")])))
    shown, found = [], []
    for library in (torch, tracegrad):
        out, numbers = io.StringIO(), []
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(text, "<layer>", "exec"), {"torch": library, "nn": library.nn, "numbers": numbers})
        shown.append(out.getvalue())
        found.append([v.detach().numpy() for v in numbers])
    assert shown[1] == shown[0]
    for ours, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
