import torch

torch.set_default_dtype(torch.float64)
S, T, V = 3, 6, 4
trans_l = torch.sin(torch.arange(9.0)).reshape(3, 3).requires_grad_()
emit_l = torch.cos(torch.arange(12.0)).reshape(3, 4).requires_grad_()
obs = torch.tensor([0, 3, 1, 1, 2, 0])


def forward_ll(trans_l, emit_l, obs):
    A = trans_l.log_softmax(-1)
    B = torch.log_softmax(emit_l, dim=-1)
    alpha = -torch.log(torch.tensor(3.0)) + B[:, obs[0]]
    for t in range(1, T):
        alpha = torch.logsumexp(alpha.unsqueeze(1) + A, dim=0) + B[:, obs[t]]
    return torch.logsumexp(alpha, 0)


ll = forward_ll(trans_l, emit_l, obs)
ll.backward()
print(ll, trans_l.grad, emit_l.grad, sep="\n")
posterior = torch.func.grad(lambda e: forward_ll(trans_l.detach(), e, obs))(emit_l.detach())


def viterbi(A, B, obs):
    d = B[:, obs[0]]
    back = []
    for t in range(1, T):
        m = (d[:, None] + A).max(dim=0)
        d = m.values + B[:, obs[t]]
        back.append(m.indices)
    path = [d.argmax().item()]
    for b in reversed(back):
        path.append(b[path[-1]].item())
    return path[::-1], d.max()


with torch.no_grad():
    print(viterbi(trans_l.log_softmax(-1), emit_l.log_softmax(-1), obs))


def crf_loss(unary, pair, tags):
    score = unary.gather(1, tags[:, None]).sum() + pair[tags[:-1], tags[1:]].sum()
    a = unary[0]
    for u in unary[1:]:
        a = torch.logsumexp(a[:, None] + pair, 0) + u
    return a.logsumexp(0) - score


unary = torch.sin(torch.arange(15.0)).view(5, 3).requires_grad_()
pair = torch.cos(torch.arange(9.0) / 2).view(3, 3).requires_grad_()
tags = torch.tensor([0, 1, 2, 1, 0])
loss = crf_loss(unary, pair, tags)
gu, gp = torch.autograd.grad(loss, [unary, pair], create_graph=True)
print(loss, gu, gp)
print(torch.autograd.grad(gu.pow(2).sum(), pair))
print(
    torch.logcumsumexp(unary.detach()[:, 0], 0),
    torch.logaddexp(torch.tensor(-torch.inf), torch.tensor(1.0)),
    torch.logsumexp(torch.full((3,), -torch.inf), 0),
)
torch.set_default_dtype(torch.float32)
