import torch


def attempt(name, f):
    try:
        f()
        print(name, "ok")
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, AttributeError, AssertionError) as e:
        for c in (NotImplementedError, RuntimeError, TypeError, IndexError, ValueError, AttributeError, AssertionError):
            if isinstance(e, c):
                print(name, c.__name__)
                break


x = torch.ones(2, 3, requires_grad=True)
i = torch.tensor([0, 1])
attempt("matmul", lambda: x @ x)
attempt("add", lambda: x + torch.ones(4))
attempt("view", lambda: x.view(5))
attempt("view of transposed", lambda: x.t().view(6))
attempt("dim", lambda: x.sum(dim=4))
attempt("index", lambda: x[5])
attempt("too many", lambda: x[0, 0, 0])
attempt("item", lambda: x.item())
attempt("bool", lambda: bool(x > 0))
attempt("backward", lambda: x.backward())
attempt("numpy", lambda: x.numpy())
attempt("leaf write", lambda: x.add_(1))
attempt("leaf slice write", lambda: x.__setitem__(0, 0.0))
attempt("cat", lambda: torch.cat([x, torch.ones(3, 2)]))
attempt("stack", lambda: torch.stack([x, torch.ones(3)]))
attempt("str", lambda: torch.tensor("abc"))
attempt("ragged", lambda: torch.tensor([[1, 2], [3]]))
attempt("attribute", lambda: x.no_such_thing)
attempt("squeeze", lambda: x.squeeze(3))
attempt("gather", lambda: torch.gather(x, 0, torch.tensor([[9]])))
attempt("gather dtype", lambda: torch.gather(x, 0, torch.tensor([[0.0]])))
attempt("cpu only", lambda: x.to("nonsense"))
attempt("len", lambda: len(torch.tensor(1)))
attempt("iter", lambda: list(torch.tensor(1)))
attempt("float index", lambda: x[torch.tensor(0.5)])
attempt("mask shape", lambda: x[torch.ones(3, dtype=torch.bool)])
attempt("grad", lambda: torch.autograd.grad(i.float().sum(), x))
attempt("unused", lambda: torch.autograd.grad(torch.ones(1, requires_grad=True).sum(), x))
attempt("grad shape", lambda: setattr(x, "grad", torch.ones(3)))
attempt("gradient shape", lambda: (x * 2).backward(torch.ones(2)))
attempt("requires", lambda: i.requires_grad_())
attempt("zeros", lambda: torch.zeros(-1))
attempt("arange", lambda: torch.arange(0, 1, 0))
attempt("expand", lambda: x.expand(3, 3))
attempt("permute", lambda: x.permute(0, 0))
attempt("deepcopy", lambda: __import__("copy").deepcopy(x * 2))
attempt("int of many", lambda: int(x))
attempt("range", lambda: range(torch.tensor(3)))
attempt("argmax empty", lambda: torch.tensor([]).argmax())
attempt("split", lambda: x.split([1, 5], dim=1))
print(x)
