"""The device object of torch programs.  Tensors live on the CPU; other devices can be named but hold nothing.  Layer 0."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import TorchClass
from tracegrad.errors import ArgumentError, DataError, DeviceError, NotSupportedError, ShapeError, explain

KINDS = ("cpu", "cuda", "mps", "xpu", "meta", "hpu", "mtia", "xla", "vulkan", "ipu", "maia")


class device(metaclass=TorchClass):  # noqa: N801  (torch's name)
    """Where a tensor lives: `device("cpu")`, `device("cuda", 0)`, `device("cuda:0")`.  Raises RuntimeError for an unknown kind."""

    _shown = "torch.device"
    __slots__ = ("index", "type")

    def __init__(self, type: Any, index: int | None = None) -> None:  # noqa: A002  (torch's name)
        if isinstance(type, device):
            type, index = type.type, type.index  # noqa: A001
        elif isinstance(type, int) and not isinstance(type, bool):
            raise DataError(explain("device", "Cannot access accelerator device when none is available", index=type))
        elif not isinstance(type, str):
            raise ArgumentError(explain("device", f"type must be a string such as 'cpu', got {type!r}"))
        kind, colon, number = type.partition(":")
        if kind not in KINDS or (colon and not number.isdigit()):
            raise DataError(
                explain("device", f"Expected one of {', '.join(KINDS)} device type at start of device string: {type}")
            )
        if colon and index is not None:
            raise DataError(
                explain("device", f"type must not include an index because index was passed explicitly: {type}")
            )
        self.type: str = kind
        self.index: int | None = int(number) if colon else index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        """What is made inside lives on this device.  Raises as check_device does for any but the CPU."""
        check_device("device", self)
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is left to do."""


CPU = device("cpu")


class _Named(metaclass=TorchClass):
    """One of a few constants, known by its name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)


class layout(_Named):  # noqa: N801  (torch's name)
    """How elements lie in memory; all tensors are `strided`."""

    _shown = "torch.layout"
    __slots__ = ()


class memory_format(_Named):  # noqa: N801  (torch's name)
    """Which axis changes fastest in a copy: that of the original (`preserve_format`), the last one (`contiguous_format`), or that of
    the channels (`channels_last` for four axes, `channels_last_3d` for five)."""

    _shown = "torch.memory_format"
    __slots__ = ()


strided = layout("strided")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
_NAMED = {f.name: f for f in (strided, contiguous_format, preserve_format, channels_last, channels_last_3d)}
_CHANNELS_LAST = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}


def _by_name(name: str) -> _Named:
    return _NAMED[name]


def axis_order(operation: str, wanted: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes in memory, the fastest at the end, that a memory format asks for: () for row-major, None to keep those of the original.

    Raises RuntimeError where the format is for another number of axes, TypeError for what is no format.
    """
    if wanted is None or wanted is preserve_format:
        return None
    if wanted is contiguous_format:
        return ()
    if not isinstance(wanted, memory_format):
        problem = f"argument 'memory_format' must be torch.memory_format, not {type(wanted).__name__}"
        raise ArgumentError(explain(operation, problem))
    order = _CHANNELS_LAST[wanted]
    if len(order) != ndim:
        problem = f"required rank {len(order)} tensor to use {wanted.name} format"
        raise ShapeError(explain(operation, problem, axes=ndim))
    return order


def check_device(operation: str, wanted: Any) -> None:
    """Accept None and the CPU.  Raises AssertionError for CUDA, as torch without CUDA does, and NotImplementedError for other devices."""
    if wanted is None:
        return
    where = wanted if isinstance(wanted, device) else device(wanted)
    if where.type == "cpu":
        return
    if where.type == "cuda":
        raise DeviceError(explain(operation, "tracegrad has no CUDA tensors", "Use device='cpu'", device=where))
    raise NotSupportedError(explain(operation, "tensors live on the CPU only", "Use device='cpu'", device=where))
