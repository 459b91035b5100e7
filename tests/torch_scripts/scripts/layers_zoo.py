import torch
from torch import nn


def fill(m):
    for i, p in enumerate(m.parameters()):
        p.data = torch.sin(torch.arange(p.numel()) * 0.7 + i).view(p.shape) * 0.5
    return m


x = torch.cos(torch.arange(2 * 4 * 6 * 6.0)).view(2, 4, 6, 6)
for m in (
    nn.Conv2d(4, 2, 3, stride=2, dilation=1, padding_mode="circular", padding=1),
    nn.Conv2d(4, 4, (1, 3), groups=4, bias=False),
    nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.AvgPool2d(2),
    nn.LPPool2d(2, 2),
    nn.AdaptiveAvgPool2d((None, 2)),
    nn.ReflectionPad2d((1, 2, 0, 1)),
    nn.ReplicationPad2d(1),
    nn.ZeroPad2d(1),
    nn.ConstantPad2d(1, 3.5),
    nn.CircularPad2d(1),
    nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    nn.UpsamplingNearest2d(2),
    nn.PixelShuffle(2),
    nn.ChannelShuffle(2),
    nn.Softmax2d(),
    nn.Flatten(2),
    nn.Unflatten(1, (2, 2)),
    nn.Identity(),
    nn.Dropout2d(0.0),
    nn.CosineSimilarity(dim=1),
    nn.GLU(1),
    nn.Hardtanh(-0.5, 0.5),
    nn.Threshold(0.1, 20),
    nn.PReLU(4),
    nn.LocalResponseNorm(2),
    nn.InstanceNorm2d(4),
    nn.Unfold(2),
    nn.FractionalMaxPool2d(2, output_size=3),
):
    fill(m)
    if isinstance(m, nn.CosineSimilarity):
        o = m(x, x + 1)
    elif isinstance(m, nn.FractionalMaxPool2d):
        o = m(x).new_zeros(1)
    else:
        o = m(x)
    print(m, o.shape, o.flatten()[:3])
c3 = fill(nn.Conv3d(1, 1, 2))
print(c3(torch.arange(27.0).view(1, 1, 3, 3, 3)).flatten()[:3], c3)
mha = fill(nn.MultiheadAttention(8, 2, batch_first=True))
q = torch.sin(torch.arange(48.0)).view(2, 3, 8)
o, w = mha(q, q, q, attn_mask=nn.Transformer.generate_square_subsequent_mask(3))
print(o[0, 0], w[0])
enc = fill(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu"))
print(enc(q)[0, 0], enc)


def f(q):
    return enc(q)
