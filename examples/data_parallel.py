"""Data-parallel training on several devices: the batch is cut, the weights stand on every device, the losses are those of one device.

On 8 virtual devices of the CPU:          XLA_FLAGS=--xla_force_host_platform_device_count=8 python examples/data_parallel.py
On 2 processes over the loopback:         python examples/data_parallel.py --processes 2
On one device:                            python examples/data_parallel.py

The step is written for one device.  `mesh` names an axis of devices, `in_specs` says which arguments are cut along it; XLA inserts the sum of the gradients.
"""

import argparse
import socket
import subprocess
import sys

import numpy as np

import tracegrad as tg


def loss(params, x, y):
    """Mean squared error of a network with one hidden layer."""
    hidden = tg.tanh(x @ params["w1"] + params["b1"])
    return ((hidden @ params["w2"] + params["b2"] - y) ** 2).mean()


def step(params, x, y):
    """One step of gradient descent: the loss and the new parameters."""
    value, grads = tg.func.value_and_grad(loss)(params, x, y)
    return value, {name: params[name] - 0.1 * grads[name] for name in params}


def train(devices, steps=20):
    """The losses of training on so many devices."""
    random = np.random.default_rng(0)
    x = tg.tensor(random.normal(size=(64, 4)).astype(np.float32))
    y = (x[:, :1] * x[:, 1:2]).sin()
    shapes = {"w1": (4, 16), "b1": (16,), "w2": (16, 1), "b2": (1,)}
    params = {name: tg.tensor(0.5 * random.normal(size=shape).astype(np.float32)) for name, shape in shapes.items()}
    options = {}
    if devices > 1:
        options = {"mesh": {"data": devices}, "in_specs": (None, "data", "data"), "out_specs": None}
    fast = tg.compile(step, backend="jax", **options)
    losses = []
    for _ in range(steps):
        value, params = fast(params, x, y)
        losses.append(value.item())
    return losses


def main():
    """Train on what is there and print the losses."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    if given.processes > 1 and given.rank is None:
        return start(given.processes)
    import jax

    if given.processes > 1:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"127.0.0.1:{given.port}", num_processes=given.processes, process_id=given.rank)
    losses = train(len(jax.devices()))
    if jax.process_index() == 0:
        print(f"devices: {len(jax.devices())}, processes: {jax.process_count()}")
        print("losses:", " ".join(f"{value:.6f}" for value in losses))
    if given.processes > 1:
        jax.distributed.shutdown()
    return 0


def start(count):
    """Start `count` processes of this file and wait for them."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, __file__, "--processes", str(count), "--port", str(port)]
    children = [subprocess.Popen([*command, "--rank", str(rank)]) for rank in range(count)]
    return max(child.wait(240) for child in children)


if __name__ == "__main__":
    sys.exit(main())
