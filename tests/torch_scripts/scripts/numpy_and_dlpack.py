import numpy as np
import torch


def attempt(function):
    try:
        value = function()
        print("value", value, type(value).__name__)
    except Exception as error:
        print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))


t = torch.tensor([1.0, 2.0, 3.0])
r = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
i = torch.tensor([1, 2])
b = torch.tensor([True, False, True])
a = np.array([1.0, 2.0, 3.0])
for function in (
    np.sin, np.sqrt, np.exp, np.abs, np.negative, np.sum, np.mean, np.max, np.prod, np.std, np.cumsum, np.isnan, np.isfinite, np.argmax, np.round, np.ravel, np.zeros_like,
):  # fmt: skip
    attempt(lambda f=function: f(t))
    attempt(lambda f=function: f(r))
attempt(lambda: np.add(t, a))
attempt(lambda: np.add(a, t))
attempt(lambda: np.add(r, a))
attempt(lambda: np.maximum(t, 2))
attempt(lambda: np.dot(t, t))
attempt(lambda: np.stack([t, t]).shape)
attempt(lambda: np.concatenate([t, t]).shape)
attempt(lambda: np.float64(2) * t)
attempt(lambda: np.float64(2) - t)
attempt(lambda: np.float32(2) / t)
attempt(lambda: np.float64(2) ** r)
attempt(lambda: np.int64(2) + i)
attempt(lambda: np.float64(2) * r)
attempt(lambda: t * np.float64(2))
attempt(lambda: t + a)
attempt(lambda: t * np.array([1, 2, 3]))
attempt(lambda: t @ a)
attempt(lambda: t == a)
attempt(lambda: t + np.array(2.0))
attempt(lambda: torch.sin(a))
attempt(lambda: torch.add(a, t))
attempt(lambda: torch.stack([a, a]))
attempt(lambda: torch.full((2,), np.float64(2)))
attempt(lambda: a[i])
attempt(lambda: a[b])
attempt(lambda: t[np.array([0, 1])])
attempt(lambda: t[np.array([True, False, True])])
attempt(lambda: np.asarray(t, dtype=np.float64).dtype)
attempt(lambda: np.array(r))
attempt(lambda: np.asarray(r.detach()))
attempt(lambda: np.array([t.sum(), 2.0]))
attempt(lambda: r.numpy())
attempt(lambda: r.numpy(force=True))
attempt(lambda: np.testing.assert_allclose(t, a))
attempt(lambda: np.testing.assert_allclose(t * 2, a))
attempt(lambda: torch.from_numpy(a[::-1]))
attempt(lambda: torch.from_numpy([1]))
attempt(lambda: torch.from_numpy(np.array(["a"])))
attempt(lambda: torch.asarray([1, 2], copy=False))
attempt(lambda: torch.frombuffer(bytearray(8), dtype=torch.float32))
attempt(lambda: torch.frombuffer(bytearray(7), dtype=torch.float32))
attempt(lambda: torch.frombuffer(b"", dtype=torch.uint8))

shared = torch.from_numpy(a)
shared[0] = 9
a[1] = 8
print(shared, a, torch.as_tensor(a).data_ptr() == shared.data_ptr(), torch.tensor(a).data_ptr() == shared.data_ptr())
for value in (t, torch.tensor(2.5), b, torch.tensor([1 + 2j]), torch.arange(6.0).reshape(2, 3).t(), torch.empty(0, 3), torch.arange(6)[::2], torch.zeros(1, 3).expand(2, 3)):
    attempt(lambda v=value: np.from_dlpack(v))
    attempt(lambda v=value: torch.from_dlpack(np.from_dlpack(v)))
attempt(lambda: np.from_dlpack(r))
attempt(lambda: torch.from_dlpack(r))
attempt(lambda: torch.from_dlpack(r.detach()))
attempt(lambda: torch.from_dlpack([1]))
attempt(lambda: r.__dlpack__())
attempt(lambda: t.__dlpack__(stream=1))
attempt(lambda: tuple(int(n) for n in t.__dlpack_device__()))
attempt(lambda: torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(t)))
x = torch.arange(4.0)
seen = np.from_dlpack(x)
x[0] = 7
print(seen, torch.from_dlpack(x).data_ptr() == x.data_ptr(), torch.from_dlpack(x, copy=True).data_ptr() == x.data_ptr())
