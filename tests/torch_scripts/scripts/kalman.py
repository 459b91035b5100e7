import torch

dt = 0.1
F = torch.tensor([[1.0, dt], [0.0, 1.0]], dtype=torch.float64)
H = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
obs = torch.sin(torch.arange(15, dtype=torch.float64) * 0.4)


def log_likelihood(log_q, log_r, obs):
    Q = torch.exp(log_q) * torch.tensor([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]], dtype=torch.float64)
    R = torch.exp(log_r).reshape(1, 1)
    m = torch.zeros(2, dtype=torch.float64)
    P = torch.eye(2, dtype=torch.float64)
    ll = torch.zeros((), dtype=torch.float64)
    means = []
    for z in obs:
        m, P = F @ m, F @ P @ F.T + Q
        S = H @ P @ H.T + R
        K = torch.linalg.solve(S, H @ P, left=True).T
        r = z - H @ m
        ll = ll - 0.5 * (
            r @ torch.linalg.inv(S) @ r
            + torch.linalg.slogdet(S).logabsdet
            + torch.log(torch.tensor(2 * torch.pi))
        )
        m = m + K @ r
        P = P - K @ H @ P
        means.append(m)
    return ll, torch.stack(means)


log_q = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
log_r = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
ll, means = log_likelihood(log_q, log_r, obs)
print(ll, means[-3:])
ll.backward()
print(log_q.grad, log_r.grad)
h = torch.autograd.functional.hessian(lambda a, b: log_likelihood(a, b, obs)[0], (log_q, log_r))
print(h)
print(means.shape, means.dtype, means.grad_fn)
