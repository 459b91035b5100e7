"""Short programs about views, to be run under any library that has torch's names; those of the tables are made by filling in a view."""

from pathlib import Path

HAND_WRITTEN = tuple((Path(__file__).parent / "view_snippets.txt").read_text().strip("\n").split("\n---\n"))

INFO = """
def info(t):
    place = t.storage_offset() if t.numel() else 0
    name = t.grad_fn.name() if t.grad_fn else None
    print(tuple(t.shape), t.stride(), place, t.is_contiguous(), t._is_view(), t._version, t.tolist(), name, t.requires_grad, t.is_leaf)
"""
VIEWS = (
    "x[0]|x[1:]|x[:, 1:3]|x[..., ::2]|x[None]|x[:, None]|x[1, 2]|x[...]|x[:]|x.view(-1)|x.view(2,6,1)|x.reshape(6,2)|x.permute(1,0)|x.transpose(0,1)|x.t()|x.T|x.mT|"
    "x.unsqueeze(0)|x.unsqueeze(-1)|x.unsqueeze(1).squeeze(1)|x.unsqueeze(0).squeeze()|x.unsqueeze(0).unsqueeze(2).squeeze((0,2))|x.narrow(0,1,2)|x.narrow(1,-2,1)|"
    "x.narrow(0, torch.tensor(1), 2)|x.select(0,1)|x.select(1,-1)|x.split(2)[1]|x.split([1,2])[1]|x.split_with_sizes([2,1])[0]|x.chunk(2)[1]|x.unbind()[1]|x.unbind(1)[2]|"
    "x.tensor_split(2)[0]|x.tensor_split((1,2))[1]|x.tensor_split(torch.tensor([1,2]),1)[1]|x.hsplit(2)[1]|x.vsplit(3)[1]|x.diagonal()|x.diagonal(1)|x.diagonal(-1,1,0)|"
    "x.as_strided((2,2),(1,2))|x.as_strided((2,3),(4,1),1)|torch.as_strided(x,(3,),(2,),2)|x.expand(3,4)|x.expand(2,3,4)|x[:, :1].expand(3,4)|x[:, :1].expand_as(x)|"
    "torch.broadcast_to(x,(2,3,4))|x.unfold(1,2,2)|x.movedim(0,1)|torch.moveaxis(x,0,1)|x.swapaxes(0,1)|x.swapdims(0,1)|x.flatten()|x.ravel()|x.unflatten(1,(2,2))|"
    "x.view_as(torch.ones(12))|x.reshape_as(torch.ones(4,3))|x.contiguous()|x.T.contiguous()|x.positive()|+x|torch.atleast_1d(x)|torch.atleast_3d(x)|x.T.reshape(12)|"
    "x.T.view(4,3)|x.T.unsqueeze(0)|x.T[1:]|x.T.flatten()|x[:, ::2].reshape(-1)|x.to(torch.float32)|x.float()|x.clone()|x[[0,1]]|x.squeeze(0)|x.expand(-1,-1)|"
    "torch.broadcast_tensors(x, torch.ones(2,1,1))[0]|torch.select(x,0,1)|torch.dsplit(x[None],2)[0]|torch.hsplit(x,[1,3])[2]|torch.vsplit(x,[1])[0]|x.view(size=(4,3))|x.t().t()"
).split("|")  # fmt: skip
USES = {
    "facts": "x0 = torch.arange(12.).reshape(3,4).clone().requires_grad_(RG)\nx = x0 * 2 if RG else x0\nv = VIEW\ninfo(v)\nprint(v is x, v._base is x, v.dtype)\n"
    "same = v.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()\nprint(same, v.data_ptr() - x.data_ptr() if same else None)",
    "write": "x0 = torch.arange(12.).reshape(3,4).clone().requires_grad_(RG)\nx = x0 * 2 if RG else x0\nv = VIEW\nw = x[1]\nv.mul_(3)\ninfo(v); info(x); info(w)\n"
    "if RG:\n    (x * x * torch.arange(1., 13).view(3, 4)).sum().backward(retain_graph=True)\n    print(x0.grad.tolist())\n    x0.grad = None\n    (v * v).sum().backward()\n    print(x0.grad.tolist())",
    "second derivative": "x = torch.arange(12.).reshape(3,4).clone().requires_grad_()\nv = VIEW\ny = (v * v * torch.arange(1., v.numel() + 1).view(v.shape)).sum()\n"
    "g, = torch.autograd.grad(y, x, create_graph=True)\nprint(g.tolist())\n(g * g).sum().backward()\nprint(x.grad.tolist())",
    "write to a leaf": "x = torch.arange(12.).reshape(3,4).clone().requires_grad_()\nv = VIEW\nv.add_(1)\ninfo(v); info(x)",
    "made without grad": "x = torch.arange(12.).reshape(3,4).clone().requires_grad_()\nwith torch.no_grad():\n    v = VIEW\n    print(v.requires_grad, v)\n    v.add_(1)\n    print(v, x)\nprint(v, v.detach())\nv.mul_(2)",
    "write to the base": "x = torch.arange(12.).reshape(3,4).clone().requires_grad_() * 1\nx.mul_(2)\nv = VIEW\nx.mul_(torch.arange(12.).reshape(3,4))\ninfo(v); info(x)\n"
    "print([None if f is None else f.name() for f, _ in v.grad_fn.next_functions])",
}  # fmt: skip


def from_table(use, view, followed):
    """The text of one use of one view, of a tensor that requires grad or not."""
    return INFO + USES[use].replace("VIEW", view).replace("RG", str(followed))
