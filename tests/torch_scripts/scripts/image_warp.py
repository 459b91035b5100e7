import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
img = torch.sin(torch.arange(64.0) / 7).reshape(1, 1, 8, 8)
theta = torch.tensor([[[0.9, 0.1, 0.05], [-0.1, 0.95, -0.1]]], requires_grad=True)


def warp(theta, img):
    grid = F.affine_grid(theta, list(img.shape), align_corners=False)
    return F.grid_sample(img, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


w = warp(theta, img)
print(w[0, 0, :3])
loss = F.mse_loss(w, torch.roll(img, shifts=(1, 0), dims=(2, 3)))
(g,) = torch.autograd.grad(loss, theta)
print(loss, g)
target = warp(torch.tensor([[[1.0, 0.0, 0.12], [0.0, 1.0, -0.08]]]), img)
t = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True)
opt = torch.optim.Adam([t], lr=0.02)
for i in range(15):
    opt.zero_grad()
    l = (warp(t, img) - target).pow(2).mean()
    l.backward()
    opt.step()
print(l, t)
for mode in ("bilinear", "nearest", "bicubic"):
    for pad in ("zeros", "border", "reflection"):
        print(
            mode,
            pad,
            F.grid_sample(
                img,
                F.affine_grid(theta.detach() * 1.3, (1, 1, 3, 3), align_corners=True),
                mode=mode,
                padding_mode=pad,
                align_corners=True,
            )[0, 0, 0],
        )
for kw in (
    dict(scale_factor=2, mode="bilinear", align_corners=False),
    dict(size=(5, 3), mode="bicubic", align_corners=True),
    dict(size=3, mode="area"),
    dict(scale_factor=0.5, mode="nearest"),
    dict(size=(4, 4), mode="bilinear", antialias=True),
    dict(size=5, mode="nearest-exact"),
):
    o = F.interpolate(img, **kw)
    print(kw["mode"], o.shape, o[0, 0, 1])
vol = torch.cos(torch.arange(27.0)).view(1, 1, 3, 3, 3)
print(
    F.interpolate(vol, size=(2, 4, 3), mode="trilinear")[0, 0, 0],
    F.affine_grid(torch.eye(3, 4)[None], (1, 1, 2, 2, 2), align_corners=False).shape,
)
torch.set_default_dtype(torch.float32)
