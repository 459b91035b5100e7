"""Tensor's methods, operators and conversions against torch: values, dtypes, printed forms and error classes."""

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # torch's own


def given(t):
    return {
        "x": t.tensor([1.5, -2.0, 3.25], requires_grad=True),
        "f": t.tensor([1.5, -2.0, 3.25]),
        "m": t.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        "i": t.tensor([1, 2, 3]),
        "b": t.tensor([True, False, True]),
        "s": t.tensor(2.5),
        "n": t.tensor(3),
        "d": t.tensor([1.0, 2.0], dtype=t.float64),
        "e": t.tensor([]),
        "np": np,
        "t": t,
        "copy": copy,
        "pickle": pickle,
    }


EXPRESSIONS = """
2 / x | 1 - x | 2 ** x | x ** 2 | x // 2 | 5 // f | 5 % f | x % 4 | x @ x | f % f | -x | +x | abs(x) | x + x | x * 2.5 | 3 + x | f - 1 | f / 2 | x ** 0.5 | i ** 2 | i / 2 | i // 2 | i % 2
7 // i | 7 % i | 7 - i | ~i | ~b | i & 1 | 1 | i | i ^ 3 | b & b | b | b | b ^ True | x == x | f == None | f == 'a' | f != None | f < 2 | f >= 2 | 2 > f | i == 2 | i == 2.0 | b == True
f < 'a' | f + 'a' | f + None | f + [1.0] | 'a' + f | [1] + f | None * f | ~f | -b | b - b | +b | f @ m | f @ 'a' | i ** -1 | f // 0
bool(f) | bool(e) | bool(s) | bool(n) | float(f) | float(s) | int(s) | int(n) | int(e) | complex(s) | [1, 2, 3, 4][n] | [1][s] | [1, 2, 3, 4][i] | len(f) | len(s) | list(s) | list(i) | list(x)
1.5 in f | 7 in f | 'a' in f | f in f | None in f | list(reversed(f)) | reversed(s) | round(f) | n.__index__() | b[0].__index__()
x.item() | s.item() | n.item() | b.tolist() | m.tolist() | s.tolist() | x.tolist() | e.tolist() | e.item()
x.numpy() | f.numpy() | x.numpy(force=True) | np.asarray(x) | np.asarray(f) | np.asarray(f, np.float64) | np.array(i) | np.sin(f) | np.sin(x) | np.stack([f, f])
f + np.float32(3) | np.float64(3) * f | np.float64(3) * x | x + np.float32(2) | f * np.int64(2)
f.float() is f | f.double() | x.double() | f.long() | f.int() | f.short() | f.bool() | f.half() | i.float() | i.byte() | i.char() | f.to(t.float64) | f.to('cpu') is f | f.to(t.float32) is f | f.to(d)
f.to(t.device('cpu'), t.int64) | f.to(dtype=t.float64) | f.to('cpu', t.float64, True) | f.to(t.float32, copy=True) is f | f.to('bad') | f.to('cuda') | f.cuda() | f.cpu() is f
f.type() | i.type() | b.type() | d.type() | f.type(t.float64) | f.type('torch.DoubleTensor') | f.type(t.DoubleTensor) | f.type_as(d) | f.type('bad')
m.size() | m.size(0) | m.size(-1) | m.size(5) | s.size(0) | m.stride() | m.T.stride() | m.stride(0) | m.dim() | m.ndim | m.ndimension() | m.numel() | m.nelement() | m.shape | s.shape | m.shape[0]
m.shape + (1,) | m.shape[:1] | m.shape.numel() | m.is_contiguous() | m.T.is_contiguous() | m.T.contiguous().stride() | m.contiguous() is m | m.element_size() | m.nbytes | m.itemsize | d.nbytes
m.is_floating_point() | i.is_floating_point() | i.is_complex() | m.device | str(m.device) | repr(t.device('cuda:1')) | t.device('foo') | t.device('cpu') == t.device('cpu') | m.is_cuda | m.is_sparse | m.get_device()
m.T | m.mT | f.T | f.mT | m.T.shape | m.dtype | x.grad | x.is_leaf | (x * 2).is_leaf | x.requires_grad | (x * 2).requires_grad | f.is_leaf | x.grad_fn | (x * 2).grad_fn.name() | x.output_nr
x.detach() | x.data | x.data.requires_grad | (x * 2).detach_() | x.detach().requires_grad | x.retains_grad | x.name | (x * 2).requires_grad_() | f.clone() | x.clone()
m.new_zeros(2) | m.new_zeros((2, 1)) | i.new_ones(2, 2) | m.new_full((2,), 3) | m.new_full((2,), 3, dtype=t.int64) | i.new_tensor([1, 2]) | m.new_tensor([1, 2]) | m.new_empty((2, 0)) | m.new_zeros(2, requires_grad=True)
m.view(3, 2) | m.view(-1) | m.view(6).shape | m.T.view(6) | m.reshape(6) | m.T.reshape(6) | m.view_as(m) | m.reshape_as(m.T) | f.expand_as(m) | m.view(4) | m.reshape(-1, 4)
copy.copy(f) | copy.copy(x) | copy.deepcopy(x) | copy.deepcopy(x * 2) | copy.deepcopy([f, f]) | pickle.loads(pickle.dumps(x)) | pickle.loads(pickle.dumps(x * 2)) | pickle.loads(pickle.dumps(b))
np.from_dlpack(f) | np.from_dlpack(x) | f.foo | setattr(f, 'foo', 3) | f.backward() | x.backward() | x.sum().backward(t.ones(3)) | f.register_hook(print) | f.retain_grad()
t.is_tensor(f) | t.is_tensor(3) | t.numel(m) | t.numel(3) | t.equal(f, f) | t.equal(f, m) | t.equal(f, 1) | t.allclose(f, f) | t.allclose(f, d) | t.allclose(f, f + 1e-9) | t.allclose(f, m[:, :2])
t.broadcast_shapes((2, 1), (3,)) | t.broadcast_shapes((2,), (3,)) | t.result_type(f, 3.0) | t.result_type(i, 2.5) | t.promote_types(t.int64, t.float32) | t.can_cast(t.float32, t.int64)
t.is_floating_point(f) | t.is_floating_point(3) | t.typename(f) | t.is_nonzero(s) | t.inf | t.nan | t.pi | t.e | t.newaxis | t.float is t.float32 | t.long | t.double | t.half | t.bool | t.Size([2, 3])
t.FloatTensor([1, 2]) | t.LongTensor([1.5, 2]) | t.DoubleTensor([1, 2]) | t.BoolTensor([1, 0]) | isinstance(f, t.FloatTensor) | isinstance(i, t.FloatTensor) | t.FloatTensor(2, 3).shape | t.FloatTensor(f)
t.Tensor([1, 2]) | t.Tensor(2, 3).shape | t.Tensor() | t.Tensor((2, 3)) | t.Tensor(3).shape | t.Tensor(2.5) | t.Tensor('a') | t.Tensor(None) | t.Tensor([[1, 2], [3, 4]]).dtype | isinstance(f, t.Tensor)
t.Size([1.5]) | t.Size([2]) * 2 | 2 * t.Size([2]) | (1,) + t.Size([2]) | t.Size() | t.Size((2, 3))[0] | t.Size((2, 3)) == (2, 3) | delattr(x, 'grad') | setattr(x * 2, 'requires_grad', True)
setattr(f, 'requires_grad', True) | setattr(x, 'requires_grad', False) | setattr(i, 'requires_grad', True) | (x * 2).requires_grad_(False) | pickle.loads(pickle.dumps(t.Size([2, 3])))
t.finfo(t.float32).eps | t.finfo(t.float64).max | t.iinfo(t.int32).min | t.iinfo(t.float32) | t.finfo(t.int64) | t.set_default_dtype(t.int64) | t.get_default_dtype()
t.add(f, 'a') | t.add(f) | t.sin('a') | t.sin() | t.sum(m, 5) | t.sum(m, dim=(0, 0)) | t.add(f, m[:, :2]) | m @ m | t.matmul(s, s) | t.reshape(m, (4,)) | t.mean(i) | t.cat([f, m]) | t.stack([f, m])
m.sum(3) | m.sum('a') | m.transpose(0, 5) | m.permute(0, 0) | m.permute(0) | m.expand(3, 3) | f.unsqueeze(5) | m.squeeze(5) | m.view('a') | m.argmax(7) | m.softmax(9) | m.t().t() | t.ones(2, 2, 2).t()
t.full((2,), 'a') | t.zeros(-1) | t.arange(1, 0) | t.tensor('a') | t.tensor([[1], [1, 2]]) | t.where(f, f, f) | t.where(b, f, i) | t.exp(i) | t.log(i) | t.sqrt(b) | t.clamp(f)
m.mm(m) | m.mv(m) | f.dot(m) | f.dot(i) | m.bmm(m) | m.flatten(1, 0) | m.diagonal(0, 5, 1) | m.index_select(0, f) | m.gather(0, f) | m.cumsum(4) | m.std(4) | m.max(4) | m.amax(4) | i.softmax(0) | i.requires_grad_()
"""
LIST = sorted({e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split(" | ") if e.strip()})


def plain(value):
    """A form of the answer that both libraries share."""
    if isinstance(value, (tg.Tensor, torch.Tensor)):
        return repr(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, (tg.Size, torch.Size)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.dtype, value.tolist()
    return repr(value)


def answer(t, expression):
    try:
        return plain(eval(expression, given(t)))
    except Exception as error:
        return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")


@pytest.mark.parametrize("expression", LIST)
def test_expression_gives_what_torch_gives(expression):
    assert answer(tg, expression) == answer(torch, expression)
