import io
import os
import pathlib
import tempfile
from collections import OrderedDict

import numpy as np
import torch


def attempt(function):
    try:
        print("value", function())
    except Exception as error:
        print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))


def again(obj, **options):
    file = io.BytesIO()
    torch.save(obj, file)
    file.seek(0)
    return torch.load(file, **options)


for value in (
    torch.arange(3.0), torch.tensor(1.5), torch.empty(0, 3), torch.tensor([1 + 2j]), torch.tensor([True]), torch.ones(2, dtype=torch.float16), "s", 5, None, 1.5,
    float("inf"), 1 + 2j, b"ab", [], {}, (), {1, 2}, (1, (2, [3])), {1: 2, (1, 2): 3}, torch.float32, torch.Size([2, 3]), torch.device("cpu"),
):  # fmt: skip
    found = again(value)
    print(found, type(found) is type(value))

ordered = again(OrderedDict([("a", 1)]))
print(type(ordered).__name__, list(ordered.items()))
state = again({"epoch": 3, "model": OrderedDict(w=torch.ones(1)), "loss": 0.5, "name": "x", "done": False, "none": None})
print({name: dict(found) if isinstance(found, OrderedDict) else found for name, found in state.items()})

x = torch.ones(3, requires_grad=True)
(x * x).sum().backward()
leaf, result = again([x, x * 2])
print(leaf, leaf.requires_grad, leaf.grad, result, result.is_leaf)
p = again(torch.nn.Parameter(torch.ones(2)))
print(p, isinstance(p, torch.nn.Parameter))

base = torch.zeros(4)
whole, part = again([base, base[1:3]])
part.fill_(5)
print(whole, part)
one, two = again((base, base))
print(one is two)
for view in (torch.arange(6.0).reshape(2, 3).t(), torch.zeros(1, 3).expand(2, 3), torch.arange(10.0)[::2]):
    print(again(view), again(view).stride())

model = torch.nn.Linear(3, 2)
other = torch.nn.Linear(3, 2)
print(other.load_state_dict(again(model.state_dict())))
print(torch.equal(model.weight, other.weight), list(again(model.state_dict())))
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
saved = again({"o": optimizer.state_dict(), "m": model.state_dict()}, map_location="cpu", weights_only=True)
restored = torch.optim.Adam(other.parameters(), lr=0.5)
other.load_state_dict(saved["m"])
restored.load_state_dict(saved["o"])
for m, o in ((model, optimizer), (other, restored)):
    o.zero_grad()
    (m(torch.ones(1, 3)) ** 2).sum().backward()
    o.step()
print(torch.equal(model.weight, other.weight), restored.param_groups[0]["lr"])

with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder) / "a.pt"
    torch.save(torch.ones(2), place)
    print(torch.load(place), torch.load(str(place), map_location=torch.device("cpu")), os.listdir(folder))
    with open(place, "wb") as file:
        torch.save({"x": torch.zeros(1)}, file)
    with open(place, "rb") as file:
        print(torch.load(file))
    print(torch.load(place, mmap=True), torch.load(place, map_location=lambda storage, location: storage))
    attempt(lambda: torch.load(os.path.join(folder, "missing.pt")))
    attempt(lambda: torch.save(1, os.path.join(folder, "no", "a.pt")))
attempt(lambda: torch.load(io.BytesIO()))
attempt(lambda: torch.load(5))
attempt(lambda: torch.save(1, 5))

g = torch.get_rng_state()
a = torch.rand(2)
torch.set_rng_state(again(g))
print(torch.equal(a, torch.rand(2)))
t = torch.ones(2)
t.note = "kept"
print(again(t).note, np.asarray(again(t)))
