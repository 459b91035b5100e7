import warnings

import torch


def attempt(function):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            print("value", function())
        except Exception as error:
            print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))
    for warning in seen:
        print(warning.category.__name__, str(warning.message).split(".")[0])


def root_of(values):
    with torch.autograd.set_detect_anomaly(True):
        return torch.sqrt(torch.tensor(values, requires_grad=True)).sum()


attempt(lambda: torch.autograd.detect_anomaly() and None)
print(torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
y = root_of([-1.0, 4.0])
y.backward(retain_graph=True)
with torch.autograd.set_detect_anomaly(True):
    print(torch.is_anomaly_enabled())
    attempt(lambda: y.backward(retain_graph=True))
    attempt(lambda: root_of([1.0, 4.0]).backward())
with torch.autograd.set_detect_anomaly(True, check_nan=False):
    print(torch.is_anomaly_check_nan_enabled())
    attempt(lambda: y.backward(retain_graph=True))
print(torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
x = torch.tensor([0.0], requires_grad=True)
late = (torch.sqrt(x) * 0).sum()
with torch.autograd.set_detect_anomaly(True):
    attempt(lambda: late.backward(retain_graph=True))
    attempt(lambda: torch.autograd.grad((x * x).sum(), x, create_graph=True))


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 1

    @staticmethod
    def backward(ctx, g):
        raise ValueError("broken")


with torch.autograd.set_detect_anomaly(True):
    attempt(lambda: Broken.apply(x).sum().backward())
torch.autograd.set_detect_anomaly(True)
print(torch.is_anomaly_enabled())
attempt(lambda: torch.log(x - 1).sum().backward())
torch.autograd.set_detect_anomaly(False)
attempt(lambda: torch.log(x - 1).sum().backward())
with torch.autograd.set_multithreading_enabled(False):
    (x * 2).sum().backward()
torch.autograd.set_multithreading_enabled(True)
