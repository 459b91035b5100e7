"""Module: what it finds, converts, saves, prints."""

from collections import OrderedDict

import pytest

import tracegrad as tg
from tracegrad import nn


class Net(nn.Module):
    """Two layers, a buffer and a shared layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.again = self.first
        self.scale = nn.Parameter(tg.ones(2))
        self.register_buffer("count", tg.zeros(1))
        self.register_buffer("scratch", tg.zeros(1), persistent=False)

    def forward(self, x):
        return self.second(self.first(x).tanh()) * self.scale


NAMES = ["scale", "first.weight", "first.bias", "second.weight"]


def test_parameters_are_found_once_in_order():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == NAMES
    assert all(isinstance(p, nn.Parameter) for p in net.parameters())
    assert [n for n, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 6


def test_modules_children_and_buffers_are_found():
    net = Net()
    assert [n for n, _ in net.named_modules()] == ["", "first", "second"]
    assert [n for n, _ in net.named_children()] == ["first", "second"]
    assert [n for n, _ in net.named_buffers()] == ["count", "scratch"]
    assert net.get_submodule("first") is net.first
    assert net.get_parameter("first.weight") is net.first.weight


def test_gradients_reach_all_parameters_and_are_cleared():
    net = Net()
    net(tg.ones(5, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net(tg.ones(5, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in net.parameters())


def test_train_and_eval_reach_all_modules():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())


def test_apply_runs_on_children_first():
    seen = []
    nn.Sequential(nn.Linear(1, 1), nn.ReLU()).apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Sequential"]


def test_state_dict_has_parameters_and_persistent_buffers():
    net = Net()
    state = net.state_dict()
    assert list(state) == [
        "scale",
        "count",
        "first.weight",
        "first.bias",
        "second.weight",
        "again.weight",
        "again.bias",
    ]
    assert not state["scale"].requires_grad
    state["scale"].fill_(7.0)
    assert net.scale.tolist() == [7.0, 7.0]


def test_load_state_dict_copies_values():
    a, b = Net(), Net()
    weight = b.first.weight
    result = b.load_state_dict(a.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert b.first.weight is weight
    assert weight.tolist() == a.first.weight.tolist()
    assert weight.requires_grad


def test_load_state_dict_refuses_what_does_not_fit_and_changes_nothing():
    net = nn.Linear(2, 2)
    before = net.bias.tolist()
    with pytest.raises(RuntimeError, match=r"(?s)Missing key.*Unexpected key.*size mismatch"):
        nn.Sequential(net).load_state_dict({"0.weight": tg.ones(3, 3), "z": tg.ones(1)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict({"bias": tg.ones(2), "weight": tg.ones(1, 2)})
    assert net.bias.tolist() == before
    missing, unexpected = net.load_state_dict({"z": tg.ones(1)}, strict=False)
    assert (missing, unexpected) == (["weight", "bias"], ["z"])


@pytest.mark.parametrize(
    "convert", [lambda m: m.double(), lambda m: m.to(tg.float64), lambda m: m.to(dtype=tg.float64)]
)
def test_conversion_keeps_the_parameter_objects(convert):
    net = nn.Linear(2, 3)
    weight = net.weight
    net(tg.ones(1, 2)).sum().backward()
    assert convert(net) is net
    assert net.weight is weight
    assert weight.dtype == weight.grad.dtype == tg.float64
    assert weight.is_leaf
    weight.grad = None
    net(tg.ones(1, 2, dtype=tg.float64)).sum().backward()
    assert weight.grad.dtype == tg.float64


def test_forward_hooks_see_and_replace():
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] + 1,))
    handle = layer.register_forward_hook(lambda m, inputs, result: result * 10)
    assert layer(tg.ones(1)).item() == 20.0
    handle.remove()
    assert layer(tg.ones(1)).item() == 2.0


def test_the_repr_is_torch_s():
    model = nn.Sequential(
        nn.Linear(4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Sequential(nn.Tanh()),
        nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)]),
    )
    assert repr(model) == (
        "Sequential(\n  (0): Linear(in_features=4, out_features=3, bias=True)\n  (1): ReLU()\n  (2): Flatten(start_dim=1, end_dim=-1)\n"
        "  (3): Sequential(\n    (0): Tanh()\n  )\n  (4): ModuleList(\n    (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)\n  )\n)"
    )


def _before_init():
    class Early(nn.Module):
        def __init__(self):
            self.a = nn.Linear(1, 1)

    return Early()


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: nn.Linear(1, 1).foo, AttributeError),
        (_before_init, AttributeError),
        (lambda: setattr(nn.Linear(1, 1), "weight", 3), TypeError),
        (lambda: nn.Linear(1, 1).register_parameter("a.b", None), KeyError),
        (lambda: nn.Linear(1, 1).register_buffer("weight", tg.ones(1)), KeyError),
        (lambda: nn.Linear(1, 1).add_module("u", 3), TypeError),
        (lambda: nn.Module()(3), NotImplementedError),
        (lambda: nn.Module().train(3), ValueError),
        (lambda: nn.Parameter(tg.ones(2).long()), RuntimeError),
        (lambda: nn.Parameter([1.0]), AttributeError),
        (lambda: nn.Linear(1, 1).to(tg.int64), TypeError),
    ],
)
def test_mistakes_raise_torch_s_class(act, error):
    with pytest.raises(error):
        act()


def test_a_parameter_is_a_tensor_with_a_mark():
    data = tg.ones(2)
    p = nn.Parameter(data)
    assert isinstance(p, nn.Parameter)
    assert isinstance(p, tg.Tensor)
    assert not isinstance(data, nn.Parameter)
    assert p.requires_grad
    assert p.is_leaf
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert not isinstance(p * 1, nn.Parameter)


def test_replacing_a_parameter_by_a_module_forgets_the_parameter():
    m = nn.Module()
    m.a = nn.Parameter(tg.ones(1))
    m.a = nn.Identity()
    assert list(m.parameters()) == []
    del m.a
    assert not hasattr(m, "a")


def test_containers_index_and_grow():
    s = nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU()))
    assert s[0] is s.a
    assert len(s[:1]) == 1
    assert s.append(nn.Tanh())[-1] is s[2]
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers.append(nn.Linear(1, 1)).extend([nn.Identity()])
    layers.insert(0, nn.ReLU())
    assert [type(m).__name__ for m in layers] == ["ReLU", "Linear", "Linear", "Identity"]
    del layers[0]
    assert [n for n, _ in layers.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    with pytest.raises(IndexError):
        layers[9]
    named = nn.ModuleDict({"x": nn.Linear(1, 1)})
    assert "x" in named
    assert list(named) == ["x"]


def test_linear_starts_uniform_within_torch_s_bound():
    tg.manual_seed(0)
    layer = nn.Linear(100, 200)
    assert layer.weight.abs().max().item() <= 0.1
    assert layer.bias.abs().max().item() <= 0.1
    assert layer.weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.03)


@pytest.mark.parametrize(
    ("fill", "spread"),
    [
        (nn.init.xavier_uniform_, (2 / 300) ** 0.5),
        (nn.init.xavier_normal_, (2 / 300) ** 0.5),
        (lambda t: nn.init.kaiming_normal_(t, nonlinearity="relu"), (2 / 100) ** 0.5),
        (lambda t: nn.init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"), (2 / 200) ** 0.5),
        (lambda t: nn.init.normal_(t, 1.0, 3.0), 3.0),
        (nn.init.zeros_, 0.0),
    ],
)
def test_initial_values_have_the_documented_spread(fill, spread):
    tg.manual_seed(0)
    w = nn.Parameter(tg.ones(200, 100))
    assert fill(w) is w
    assert w.std().item() == pytest.approx(spread, rel=0.03)
    assert w.requires_grad
    assert w.is_leaf


def test_init_refuses_vectors_and_unknown_names():
    with pytest.raises(ValueError, match="2 dimensions"):
        nn.init.xavier_uniform_(tg.ones(3))
    with pytest.raises(ValueError, match="nonlinearity"):
        nn.init.calculate_gain("nothing")
    assert nn.init.eye_(tg.ones(2, 2)).tolist() == [[1.0, 0.0], [0.0, 1.0]]
