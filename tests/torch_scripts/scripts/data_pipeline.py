import torch
from torch.utils.data import DataLoader, TensorDataset, Dataset, Subset, random_split, ConcatDataset


class Squares(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, i):
        return {"x": torch.tensor([float(i)]), "y": i * i, "name": f"s{i}"}


for batch in DataLoader(Squares(), batch_size=3, drop_last=True):
    print(batch)
X = torch.linspace(-1, 1, 8)[:, None]
Y = 3 * X + 0.5
ds = TensorDataset(X, Y)
a, b = random_split(ds, [6, 2], generator=torch.Generator().manual_seed(0))
print(len(ds), len(a), len(ConcatDataset([ds, ds])), Subset(ds, [0, 1])[1], ds[0])
m = torch.nn.Linear(1, 1)
torch.nn.init.zeros_(m.weight)
torch.nn.init.constant_(m.bias, 0.1)
opt = torch.optim.SGD(m.parameters(), lr=0.3)
for epoch in range(3):
    tot = 0.0
    for xb, yb in DataLoader(ds, batch_size=4):
        loss = torch.nn.functional.mse_loss(m(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        tot += loss.item() * len(xb)
    print(epoch, round(tot / len(ds), 5))
print(
    m.weight,
    m.bias,
    len(DataLoader(ds, batch_size=3)),
    next(iter(DataLoader(ds, batch_size=2, collate_fn=lambda z: len(z)))),
)
acc = (m(X).sign() == Y.sign()).float().mean()
cm = torch.zeros(2, 2, dtype=torch.long).index_put_(
    ((Y > 0).long().squeeze(), (m(X) > 0).long().squeeze()), torch.tensor(1), accumulate=True
)
print(acc, cm, cm.diag().sum() / cm.sum())
print(repr(m), m.extra_repr(), torch.nn.ModuleDict({"a": m}), torch.nn.ParameterList([m.weight]))
scores = torch.tensor([0.9, 0.4, 0.7, 0.2])
labels = torch.tensor([1, 0, 1, 0])
order = scores.argsort(descending=True)
tp = labels[order].cumsum(0)
print(tp / torch.arange(1, 5), torch.trapezoid(tp.float() / tp[-1], dx=0.25))
import io

buf = io.BytesIO()
torch.save({"m": m.state_dict(), "e": 3}, buf)
buf.seek(0)
print(torch.load(buf, weights_only=True)["e"])
