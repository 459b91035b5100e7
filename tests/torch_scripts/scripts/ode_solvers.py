import torch


def euler(f, y, t0, t1, n):
    h = (t1 - t0) / n
    for i in range(n):
        y = y + h * f(t0 + i * h, y)
    return y


def rk4(f, y, t0, t1, n):
    h = (t1 - t0) / n
    t = t0
    traj = [y]
    for _ in range(n):
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        k4 = f(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t += h
        traj.append(y)
    return torch.stack(traj)


theta = torch.tensor([1.5, 1.0, 3.0, 1.0], dtype=torch.double, requires_grad=True)
y0 = torch.tensor([2.0, 1.0], dtype=torch.double)


def end(theta, y0):
    def lotka(t, y):
        a, b, c, d = theta
        return torch.stack([a * y[0] - b * y[0] * y[1], -c * y[1] + d * y[0] * y[1]])

    return rk4(lotka, y0, 0.0, 1.0, 20)


traj = end(theta, y0)
print(traj[::5])
traj[-1].sum().backward()
print(theta.grad)
k = torch.tensor(0.8, requires_grad=True)
y = euler(lambda t, y: -k * y, torch.ones(()), 0.0, 2.0, 50)
y.backward()
print(y, k.grad, torch.exp(-2 * k.detach()))
J = torch.autograd.functional.jacobian(lambda th: end(th, y0)[-1], theta)
print(J)
