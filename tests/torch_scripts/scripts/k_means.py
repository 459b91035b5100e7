import numpy as np
import torch

rng = np.random.default_rng(13)
pts = torch.tensor(np.concatenate([rng.normal(size=(8, 2)) + c for c in ([0, 0], [5, 5], [0, 6])]))
centers = pts[[0, 8, 16]].clone()
for it in range(5):
    d = ((pts[:, None, :] - centers[None]) ** 2).sum(-1)
    assign = d.argmin(dim=1)
    counts = torch.zeros(3, dtype=torch.double).scatter_add_(0, assign, torch.ones(len(pts), dtype=torch.double))
    sums = torch.zeros(3, 2, dtype=torch.double).scatter_add(0, assign.unsqueeze(1).expand(-1, 2), pts)
    new = sums / counts.unsqueeze(1)
    shift = (new - centers).norm()
    centers = new
    print(it, assign.tolist(), round(shift.item(), 6))
    if shift < 1e-9:
        break
print(centers, counts.long())
best = d.gather(1, assign.view(-1, 1)).squeeze(1)
print(best[:5], best.sum())
c = centers.clone().requires_grad_()
inertia = ((pts - c[assign]) ** 2).sum()
inertia.backward()
print(inertia, c.grad.abs().max() < 1e-9)
print(c[assign].grad_fn, torch.gather(c, 0, assign[:3].view(-1, 1)).grad_fn)
vals, idx = d.min(dim=1)
print(vals[:3], idx[:3], (idx == assign).all())
