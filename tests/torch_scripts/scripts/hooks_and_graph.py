import torch

a = torch.tensor([1.0, 2.0], requires_grad=True)
b = a * 3
b.retain_grad()
handle = b.register_hook(lambda g: print("hook", g))
double = a.register_hook(lambda g: g * 2)
c = (b * b).sum()
c.backward(retain_graph=True)
print(a.grad, b.grad, c.grad_fn.name(), b.retains_grad)
handle.remove()
double.remove()
a.grad = None
c.backward()
print(a.grad)
try:
    c.backward()
except RuntimeError as error:
    print("RuntimeError", "second time" in str(error))
try:
    (a * 2).backward()
except RuntimeError:
    print("RuntimeError: scalar outputs only")
try:
    torch.ones(2).sum().backward()
except RuntimeError:
    print("RuntimeError: no history")
node = (a * 2 + 1).sum().grad_fn
while node is not None:
    print(node.name())
    node = node.next_functions[0][0] if node.next_functions else None
x = torch.tensor(2.0, requires_grad=True)
y = x**3
(g,) = torch.autograd.grad(y, x, create_graph=True)
print(g)
(h,) = torch.autograd.grad(g, x, create_graph=True)
print(h)
print(torch.autograd.grad(h, x))
z = torch.ones(1, requires_grad=True)
print(torch.autograd.grad((x * 2).sum(), [x, z], allow_unused=True))
with torch.no_grad():
    q = x * 2
print(q.requires_grad, q.is_leaf, torch.is_grad_enabled())


@torch.no_grad()
def evaluate(v):
    return v * 2


print(evaluate(x).requires_grad)
with torch.set_grad_enabled(False):
    with torch.enable_grad():
        print((x * 2).requires_grad)
    print((x * 2).requires_grad)
