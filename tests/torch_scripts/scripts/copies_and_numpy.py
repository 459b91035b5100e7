import copy
import io
import pickle

import numpy as np
import torch

a = np.arange(3.0)
t = torch.from_numpy(a)
t += 1
print(a, t, t.dtype, t.numpy() is not None)
b = torch.tensor(a)
b[0] = 100
print(a, b)
w = torch.ones(2, requires_grad=True)
try:
    w.numpy()
except RuntimeError:
    print("RuntimeError: requires grad")
print(w.detach().numpy(), np.asarray(w.detach()), w.tolist())
c = copy.deepcopy(w)
c.data.mul_(3)
print(w, c, c.is_leaf, c.requires_grad)
try:
    copy.deepcopy(w * 2)
except RuntimeError:
    print("RuntimeError: leaves only")
print(pickle.loads(pickle.dumps(w)), pickle.loads(pickle.dumps({"w": w, "n": 3})))
print(np.float64(2) * w, w * np.float32(2), np.array([1.0, 2.0]) @ np.array([1.0, 1.0]))
print(torch.as_tensor(a).dtype, torch.as_tensor([1, 2]).dtype, torch.tensor(np.float32(1.5)), torch.tensor([np.int64(3), np.int64(4)]))
print(torch.from_numpy(np.array([[True, False]])), torch.tensor(np.array([1, 2], dtype=np.int32)))
x = torch.arange(4)
print(x, x.float(), x.new_zeros(2), x.new_tensor([1.5]), x.new_ones((1, 2)), x.new_full((2,), 9))
print(torch.zeros_like(x), torch.ones_like(w), torch.full_like(w, 2.5), torch.empty_like(x).shape)
print(torch.eye(2), torch.linspace(0, 1, 3), torch.arange(1, 2, 0.25))
