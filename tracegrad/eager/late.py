"""What not every program uses: methods of Tensor that load their module of this folder on first use, and stand-ins for functions of such modules."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, explain

# methods of Tensor, by the module whose METHODS has them, or whose functions of these names they are
PLACES = {
    "complex_values": "conj is_conj resolve_conj is_neg resolve_neg",
    "conversions": (
        "item tolist __bool__ __float__ __int__ __complex__ __index__ to cpu cuda type type_as numpy __array__ __array_wrap__ __dlpack__ __dlpack_device__ "
        "half float double short int long cfloat cdouble bool byte char"
    ),
    "facts": (
        "size stride dim numel is_contiguous contiguous element_size data_ptr is_floating_point is_complex is_signed is_same_size get_device _is_view "
        "storage_offset is_set_to untyped_storage ndimension nelement"
    ),
    "indexing": "__getitem__ __setitem__",
    "inplace": "copy_ fill_ zero_",
    "reshaping": (
        "t_ transpose_ swapaxes_ swapdims_ unsqueeze_ squeeze_ as_strided_ resize_ resize_as_ set_ share_memory_"
    ),
    "fills": (
        "uniform_ normal_ log_normal_ bernoulli_ exponential_ cauchy_ geometric_ random_ fill_diagonal_ apply_ map_"
    ),
    "printing": "__repr__ __format__",
    "sampling": "multinomial bernoulli",
    "copying": "__copy__ __deepcopy__ __reduce_ex__",
    "other_names": (
        "dense_dim sparse_dim to_dense resize resize_as map2_ chalf nonzero_static is_distributed is_coalesced indices coalesce values "
        "crow_indices col_indices ccol_indices row_indices to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc to_mkldnn"
    ),
    "view_copies": "narrow_copy",
    "spectrograms": "istft stft",
    "histograms": "histogram",
    "rare": "dim_order is_pinned is_shared is_nonzero equal allclose as_subclass storage new new_empty_strided pin_memory bfloat16 "
    "unsafe_split unsafe_split_with_sizes unsafe_chunk",
}
# properties of Tensor, by the module whose PROPERTIES has them
PROPERTIES = {"complex_values": "mH H real imag"}


class OnFirstUse:
    """An attribute of Tensor that is made when it is first asked for, and takes its own place then: later uses cost nothing more."""

    __slots__ = ("make", "name")

    def __init__(self, name: str, make: Callable[[str], Any]) -> None:
        self.name, self.make = name, make

    def made(self) -> Any:
        """The attribute itself, from now on Tensor's own."""
        found = self.make(self.name)
        setattr(Tensor, self.name, found)
        return found

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        found = self.made()
        return found if instance is None else found.__get__(instance, owner)


class PropertyOnFirstUse(OnFirstUse):
    """The same for a property."""

    __slots__ = ()

    def __set__(self, instance: Any, value: Any) -> None:
        self.made().__set__(instance, value)


def late(module: str, name: str) -> Callable[..., Any]:
    """The function `name` of a module of this folder, which is loaded at the first call."""
    found: Any = None

    def function(*args: Any, **kwargs: Any) -> Any:
        nonlocal found
        if found is None:
            found = getattr(import_module(f"tracegrad.eager.{module}"), name)
        return found(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"See tracegrad.eager.{module}.{name}."
    return function


def function_of(method: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the module for an in-place method: `tracegrad.exp_(x)`.  Raises TypeError for anything but a Tensor."""

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002  (torch's name)
        if not isinstance(input, Tensor):
            problem = f"argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
            raise ArgumentError(explain(method.__name__, problem))
        return method(input, *args, **kwargs)

    function.__name__ = function.__qualname__ = method.__name__
    function.__doc__ = method.__doc__
    return function


def _method(module: str) -> Callable[[str], Any]:
    def make(name: str) -> Any:
        loaded = import_module(f"tracegrad.eager.{module}")
        return getattr(loaded, "METHODS", {}).get(name) or getattr(loaded, name)

    return make


def _property(module: str) -> Callable[[str], Any]:
    return lambda name: import_module(f"tracegrad.eager.{module}").PROPERTIES[name]


METHODS = {
    name: OnFirstUse(name, make)
    for make, names in ((_method(module), names) for module, names in PLACES.items())
    for name in names.split()
} | {
    name: PropertyOnFirstUse(name, make)
    for make, names in ((_property(module), names) for module, names in PROPERTIES.items())
    for name in names.split()
}


def part(name: str) -> Any:
    """A module of the package that is loaded only where somebody asks for it."""
    return import_module(name)
