import torch
from torch import nn

I, H, T, B = 3, 4, 5, 2
lstm = nn.LSTM(I, H, num_layers=2, batch_first=True, bidirectional=True)
gru = nn.GRU(I, H)
cell = nn.LSTMCell(I, H)
for m in (lstm, gru, cell):
    for i, p in enumerate(m.parameters()):
        p.data.copy_(torch.sin(torch.arange(p.numel()) * 0.9 + i).view_as(p) * 0.5)
x = torch.cos(torch.arange(float(B * T * I))).view(B, T, I).requires_grad_()
out, (h, c) = lstm(x)
print(out.shape, h.shape, out[0, 0], c[3, 1])
out.sum().backward()
print(x.grad[0, :2], lstm.weight_hh_l0.grad[0])
o, hn = gru(x.transpose(0, 1))
print(o[-1], torch.equal(o[-1], hn[0]))


def lstm_step(x, h, c, wi, wh, b):
    i, f, g, o = (x @ wi.T + h @ wh.T + b).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def unroll(x, wi, wh, b):
    h = c = torch.zeros(B, H)
    hs = []
    for t in range(T):
        h, c = lstm_step(x[:, t], h, c, wi, wh, b)
        hs.append(h)
    return torch.stack(hs, 1), c


wi, wh = cell.weight_ih, cell.weight_hh
b = cell.bias_ih + cell.bias_hh
hs, c = unroll(x, wi, wh, b)
hh = cc = torch.zeros(B, H)
for t in range(T):
    hh, cc = cell(x[:, t], (hh, cc))
print(torch.allclose(hh, hs[:, -1], atol=1e-6), hs[0, -1], c[1])
print(torch.autograd.grad(hs.square().sum(), wi)[0][:2])
pk = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3]), batch_first=True)
po, _ = lstm(pk)
pad, lens = nn.utils.rnn.pad_packed_sequence(po, batch_first=True)
print(
    pk.batch_sizes,
    pad.shape,
    lens,
    pad[1, 3:].abs().sum(),
    nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(3)], padding_value=-1),
)
print(lstm, [n for n, _ in gru.named_parameters()])
print(torch.nn.utils.clip_grad_norm_(lstm.parameters(), 1.0))


def scan(gates, values):
    s, out = torch.zeros_like(values[0]), []
    for g, v in zip(gates.sigmoid(), values):
        s = g * s + (1 - g) * v
        out.append(s)
    return torch.stack(out)


print(scan(x[0], x[1].detach()))
