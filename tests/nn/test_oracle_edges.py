"""Rare arguments of layers and their functions: printed values, names and error classes are torch's."""

import warnings

import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

VALUES = {
    "whole numbers and a weight with a fraction": "torch.lerp(torch.tensor([1, 2]), torch.tensor([3, 4]), torch.tensor(0.5))",
    "a variance of whole numbers with such a bound": "F.gaussian_nll_loss(torch.ones(3), torch.zeros(3), torch.tensor([1, 1, 2]), eps=1)",
    "an integer image has integer means": "F.avg_pool1d(torch.arange(-5, 7).reshape(1, 1, 12), 3, 2, 1)",
    "integer means of windows of different sizes": "F.avg_pool2d(torch.arange(-9, 9).reshape(2, 3, 3), 2, 1, 1, count_include_pad=False)",
    "integer means with a divisor": "F.avg_pool3d(torch.arange(-5, 7).reshape(1, 3, 2, 2), 2, 1, divisor_override=-3)",
    "an empty stride is no stride": "F.avg_pool2d(torch.arange(16.).reshape(1, 1, 4, 4), [2, 2], [], [0], False, True, -2)",
    "a circular padding cuts before it repeats": "F.pad(torch.arange(16.).reshape(1, 1, 4, 4), [-1, 1, -2, 1], 'circular')",
    "a circular padding cuts behind": "F.pad(torch.arange(4.).reshape(1, 4), [2, -1], 'circular')",
    "nothing is normalised": "F.batch_norm(torch.ones(0), torch.ones(0), torch.ones(0), training=True)",
    "an empty batch has torch's name": "F.batch_norm(torch.ones(0, 3, 2, requires_grad=True), None, None, torch.ones(3), training=True)",
    "an empty batch leaves the statistics": "(lambda m: (m(torch.ones(0, 2)), m.running_mean, m.running_var))(nn.BatchNorm1d(2, affine=False))",
    "one variance for all rows": "F.gaussian_nll_loss(torch.ones(3, 2, 4), torch.zeros(3, 2, 4), torch.full((3, 1, 4), 0.5))",
    "the sum against probabilities": "F.cross_entropy(torch.ones(2, 3, requires_grad=True), torch.ones(2, 3), reduction='sum')",
    "single losses against probabilities": "F.cross_entropy(torch.ones(2, 3, requires_grad=True), torch.ones(2, 3), reduction='none')",
    "no gradient where all classes are ignored": "grad(lambda x: F.cross_entropy(x, torch.tensor([1, 1]), ignore_index=1))",
    "nor with weights": "grad(lambda x: F.cross_entropy(x, torch.tensor([1, 1]), torch.tensor([1., 2, 3]), ignore_index=1))",
    "nan with weights of 0": "grad(lambda x: F.cross_entropy(x, torch.tensor([1, 1]), torch.tensor([1., 0, 3])))",
    "the mean of one image": "F.adaptive_avg_pool2d(torch.ones(2, 4, 4, requires_grad=True), 2)",
    "the maxima of one image": "F.max_pool2d(torch.ones(2, 4, 4, requires_grad=True), 2)",
    "a lazy layer takes shapes from a state": "(lambda m: (m.load_state_dict(nn.Linear(4, 3).state_dict()), m, m.weight.shape, m(torch.ones(4)).shape, m))(nn.LazyLinear(3))",
    "a lazy layer of another dtype": "(lambda m: (m(torch.ones(1, 2).double()).dtype, m))(nn.LazyLinear(3).double())",
    "lazy statistics of another dtype": "(lambda m: (m(torch.ones(2, 3).double()).dtype, m.running_mean))(nn.LazyBatchNorm1d().double())",
    "the state of a lazy layer": "nn.LazyLinear(3).state_dict()",
    "a lazy state is no change": "nn.LazyLinear(3).load_state_dict(nn.LazyLinear(3).state_dict())",
    "samples are part of the state": "nn.FractionalMaxPool2d(2, output_ratio=0.5, _random_samples=torch.full((1, 1, 2), 0.5)).state_dict()",
    "complex convolutions": "F.conv1d(z(1, 2, 5), z(3, 2, 2), z(3), 2, 1)",
    "complex convolutions turned around": "F.conv_transpose2d(z(1, 2, 2, 3), z(2, 1, 2, 2), z(2), 2, groups=2)",
    "the gradient of complex convolutions": "grad(lambda x: F.conv1d(torch.complex(x, x * x)[None], z(3, 2, 2)).abs().sum())",
    "bags of a given table": "nn.EmbeddingBag.from_pretrained(torch.ones(4, 2), mode='sum', freeze=False)(torch.tensor([[0, 1]]))",
    "the batch norm of all processes": "nn.SyncBatchNorm(2)(torch.arange(8.).reshape(2, 2, 2))",
    "batch norms are converted": "nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2).eval()))",
    "a module on all devices": "(lambda m: (m, list(m.state_dict()), m(torch.ones(1, 2)).shape))(nn.DataParallel(nn.Linear(2, 3)))",
    "the gradient of a convolution by its input": "nn.grad.conv1d_input((1, 2, 6), z(4, 1, 2).real, z(1, 4, 3).real, stride=2, groups=2)",
    "the gradient of a convolution by its weight": "nn.grad.conv2d_weight(z(1, 2, 5, 5).real, (3, 2, 3, 3), z(1, 3, 3, 3).imag)",
    "base classes by their path": "[isinstance(nn.BatchNorm2d(3), nn.modules.batchnorm._BatchNorm), isinstance(nn.Conv2d(1, 1, 1), nn.modules.conv._ConvNd), isinstance(nn.MSELoss(), nn.modules.loss._Loss)]",
    "layers are no other layers": "[issubclass(a, b) for a, b in ((nn.SiLU, nn.SELU), (nn.LogSoftmax, nn.Softmax), (nn.Softshrink, nn.Hardshrink), (nn.ZeroPad2d, nn.ConstantPad2d), (nn.LPPool3d, nn.LPPool2d))]",
    "a buffer by its name": "nn.Sequential(nn.BatchNorm1d(2)).get_buffer('0.running_var')",
    "all as one dtype": "nn.BatchNorm1d(2).type(torch.float64).state_dict()",
    "the statistics of groups have derivatives": "grad(lambda x: grad_of_parts(torch.native_group_norm(torch.stack([x, x.cos()], 1), None, None, 2, 2, 3, 1, 0.5)))",
    "hooks see the arguments by name": "hooked(nn.Identity())",
}  # fmt: skip
REFUSED = """nn.BatchNorm1d(2,eps=0.)(torch.ones(3,2)) nn.BatchNorm2d(2,eps=-1.)(torch.ones(3,2,2,2)) F.pad(torch.ones(1,4),[-2,3],'circular')
F.batch_norm(torch.ones(3),torch.ones(3),torch.ones(3)) F.gaussian_nll_loss(torch.ones(3,2),torch.zeros(3,2),torch.ones(1))
F.cross_entropy(torch.ones(2,3),torch.ones(2,3),ignore_index=1) F.cross_entropy(torch.ones(2,3),torch.tensor([0,1]),label_smoothing=1.5)
nn.HuberLoss(delta=1j) F.huber_loss(torch.ones(2),torch.ones(2),delta='a') nn.RNN(3,5,bias=1) nn.GRU(3,5,batch_first=0) nn.LSTM(2.,3) nn.RNN(-1,5) nn.LSTM(0,3) nn.GRU(2,3.)
nn.Linear(1,1).get_buffer('weight') nn.Linear(1,1).set_submodule('',nn.ReLU()) nn.Linear(1,1).set_submodule('a',1) nn.SyncBatchNorm(2)(torch.ones(2))
nn.CircularPad1d(3)(torch.ones(2,3,4,5)) nn.CircularPad2d(3)(torch.ones(2,3)) nn.CircularPad3d(3)(torch.ones(2,3)) nn.Linear(2,3).load_state_dict(nn.LazyLinear(3).state_dict())
F.avg_pool1d(torch.ones(1,1,4).int(),2) F.avg_pool3d(torch.ones(1,1,2,2,2).bool(),2)""".split()


def result(t, text):
    def grad(function):
        x = t.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
        return t.autograd.grad(function(x), x, create_graph=True)[0].detach()

    def z(*shape):
        count = t.Size(shape).numel()
        return t.complex(t.linspace(-1, 1, count), t.linspace(0, 2, count)).reshape(shape)

    def grad_of_parts(parts):
        return sum(((i + 1) * v * v.cos()).sum() for i, v in enumerate(parts))

    def hooked(module):
        seen = []
        module.register_forward_pre_hook(lambda m, a, k: seen.append((len(a), sorted(k))), with_kwargs=True)
        module.register_forward_hook(lambda m, a, k, out: out * 2, with_kwargs=True)
        module.register_forward_hook(lambda m, a, out: out + 1, prepend=True)
        return module(t.ones(1)), seen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(
            text,
            {
                "torch": t,
                "nn": t.nn,
                "F": t.nn.functional,
                "grad": grad,
                "z": z,
                "hooked": hooked,
                "grad_of_parts": grad_of_parts,
            },
        )  # noqa: S307


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_a_rare_argument_has_torchs_result(text):
    assert repr(result(tg, text)) == repr(result(torch, text))


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_with_its_class(text):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        result(torch, text)
    with pytest.raises(theirs.type):
        result(tg, text)


STATE = """
class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.count, self.weight = 3, nn.Parameter(torch.ones(2))
    def get_extra_state(self):
        return {"count": self.count}
    def set_extra_state(self, state):
        self.count = state["count"]

first, second = Counter(), nn.Sequential(Counter())
first.count = 7
state = nn.Sequential(first).state_dict()
second.register_load_state_dict_post_hook(lambda m, found: said.append(("behind", found.missing_keys)))
second[0].register_load_state_dict_pre_hook(lambda m, s, prefix, *rest: said.append(("before", prefix, *rest)))
second[0].register_state_dict_pre_hook(lambda m, prefix, keep: said.append(("saving", prefix, keep)))
second[0].register_state_dict_post_hook(lambda m, s, prefix, data: said.append(("saved", list(s), prefix)))
said += [list(state), second.load_state_dict(state), second[0].count, list(second.state_dict())]
del state["0._extra_state"]
said.append(second.load_state_dict(state, strict=False))
second.load_state_dict(state)
"""


def what_is_said(t):
    said = []
    with pytest.raises(RuntimeError, match="Missing key"):
        exec(STATE, {"torch": t, "nn": t.nn, "said": said})  # noqa: S102
    return [tuple(map(repr, v)) if isinstance(v, tuple) else repr(v) for v in said]


def test_extra_state_and_the_hooks_around_a_state_are_torchs():
    ours, theirs = what_is_said(tg), what_is_said(torch)
    assert len(ours) == len(theirs)
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine == yours or "'before'" in mine  # torch's metadata has a version


ALWAYS = """
def forward(m, i): raise ValueError("before")
def after(m, i, o): said.append("after"); raise ValueError("after")
def changing(m, i, o): said.append(("changing", o)); return o if o is None else o * 2
def always(m, i, k, o): said.append(("always", k, o))
def failing(m, i, o): said.append("failing"); raise KeyError("failing")
for hooks in ((), (after,), (changing,), (failing,)):
    for before in (False, True):
        for x in (torch.ones(1, 2), torch.ones(1, 3)):
            m = nn.Linear(2, 1, bias=False)
            nn.init.ones_(m.weight)
            for h in hooks: m.register_forward_hook(h, always_call=h in (changing, failing))
            handle = m.register_forward_hook(always, with_kwargs=True, always_call=True)
            if before: m.register_forward_pre_hook(forward)
            try: said.append(m(x))
            except Exception as e: said.append(e.args if isinstance(e, (ValueError, KeyError)) else "shape")
            handle.remove()
            try: said.append(m(x))
            except Exception: said.append("raised")
"""


def test_hooks_that_are_always_called_see_what_torchs_see():
    said = {}
    for t in (tg, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(ALWAYS, {"torch": t, "nn": t.nn, "said": said.setdefault(t, [])})
        said[t] = [*map(str, said[t]), sum("always_call=True" in str(w.message) for w in caught)]
    ours, theirs = ([str(v).replace(", grad_fn=<MulBackward0>", "") for v in said[t]] for t in (tg, torch))
    assert ours == theirs


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_with_padding_are_recorded(backend, mode):
    if backend == "jax":
        pytest.importorskip("jax")
    w, i = tg.linspace(-1, 1, 10).reshape(5, 2), tg.tensor([[0, 2, 4], [2, 2, 2], [1, 1, 2]])

    def bags(w, i):
        return tg.nn.functional.embedding_bag(i, w, mode=mode, padding_idx=2)

    assert tg.compile(bags, backend=backend)(w, i).tolist() == bags(w, i).tolist()
    assert bags(w, i).tolist() == torch.nn.functional.embedding_bag(torch.tensor(i.tolist()), torch.tensor(w.tolist()), mode=mode, padding_idx=2).tolist()  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_gradients_scaled_by_frequency_are_recorded(backend):
    if backend == "jax":
        pytest.importorskip("jax")

    def gradient(w, i):
        return tg.func.grad(lambda w: tg.nn.functional.embedding(i, w, scale_grad_by_freq=True).square().sum())(w)

    w, i = tg.linspace(-1, 1, 10).reshape(5, 2), tg.tensor([[0, 2, 4], [2, 2, 1]])
    assert tg.allclose(tg.compile(gradient, backend=backend)(w, i), gradient(w, i))
