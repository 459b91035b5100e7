"""Element types under torch's names, torch's promotion table, and the default dtype.

Inside the package an element type is a `numpy.dtype`; the `dtype` objects here are what users see.  Layer 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, ArgumentValueError, DTypeError, NotSupportedError, explain

NumpyDType = np.dtype[Any]
NUMBERS = (bool, int, float, complex)  # the classes of Python numbers
SCALARS = (*NUMBERS, np.generic)  # and NumPy's scalars, which count as such


class TorchClass(type):
    """Classes that print under torch's name, as scripts that print `type(x)` expect: the class body gives it as `_shown`."""

    def __repr__(cls) -> str:
        shown = cls.__dict__.get("_shown")
        return type.__repr__(cls) if shown is None else f"<class '{shown}'>"


class dtype(metaclass=TorchClass):  # noqa: N801  (torch's name)
    """An element type, such as `tracegrad.float32`.  There is one object per type: compare with `is` or `==`."""

    _shown = "torch.dtype"
    __slots__ = ("is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")

    def __init__(self, name: str, numpy_dtype: Any) -> None:
        self.name = name
        self.numpy: NumpyDType = np.dtype(numpy_dtype)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind in "fV"
        self.is_complex = self.numpy.kind == "c"
        self.is_signed = self.numpy.kind in "ifcV"

    def __getattr__(self, name: str) -> Any:
        if name == "numpy":
            if self is bfloat16:
                return _load_bfloat16()
            raise NotSupportedError(explain("dtype", f"there are no tensors of {self!r}", "Use int32 or int64"))
        raise AttributeError(f"'torch.dtype' object has no attribute {name!r}")

    def to_real(self) -> dtype:
        """The dtype of the parts of a complex dtype; the dtype itself otherwise."""
        return _ALL[f"float{8 * self.itemsize // 2}"] if self.is_complex else self

    def to_complex(self) -> dtype:
        """The complex dtype with parts of this floating dtype.  Raises RuntimeError where there is none."""
        found = (
            self
            if self.is_complex
            else {"bfloat16": complex64, "float32": complex64, "float64": complex128}.get(self.name)
        )
        if found is None:
            raise DTypeError(explain("to_complex", "there is no complex dtype with such parts", got=self))
        return found

    def __repr__(self) -> str:
        return f"torch.{self.name}"  # scripts compare printed forms with torch's

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)


def _by_name(name: str) -> dtype:
    return BY_NAME[name]


bool_ = dtype("bool", np.bool_)
uint8 = dtype("uint8", np.uint8)
int8 = dtype("int8", np.int8)
int16 = dtype("int16", np.int16)
int32 = dtype("int32", np.int32)
int64 = dtype("int64", np.int64)
float16 = dtype("float16", np.float16)
float32 = dtype("float32", np.float32)
float64 = dtype("float64", np.float64)
complex64 = dtype("complex64", np.complex64)
complex128 = dtype("complex128", np.complex128)


def _named(name: str, size: int, kind: str) -> dtype:
    """A dtype without NumPy's: that of bfloat16 is loaded when it is first read, reading another one's raises NotImplementedError."""
    made = object.__new__(dtype)
    made.name, made.itemsize = name, size
    made.is_floating_point, made.is_complex, made.is_signed = kind == "f", False, kind == "f"
    return made


bfloat16 = _named("bfloat16", 2, "f")
# dtypes that programs can name and compare, and that no tensor has
NAMED_ONLY = {f"uint{8 * n}": _named(f"uint{8 * n}", n, "u") for n in (2, 4, 8)}
_ALL = {d.name: d for d in (bool_, uint8, int8, int16, int32, int64, float16, float32, float64, complex64, complex128)}
BY_NAME = {**_ALL, "bfloat16": bfloat16, **NAMED_ONLY}
ALIASES = {"half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
           "cfloat": complex64, "cdouble": complex128}  # fmt: skip
_FROM_NUMPY: dict[NumpyDType, dtype] = {d.numpy: d for d in _ALL.values()}

PROMOTABLE = _FROM_NUMPY.keys()  # the NumPy dtypes that tensors have
BOOL, I32, I64 = bool_.numpy, int32.numpy, int64.numpy
F32, F64 = float32.numpy, float64.numpy
HALF_CHARACTERS = "eE"  # `numpy.dtype.char` of float16 and bfloat16

# Names of torch's tensor classes, as its messages print them (`Long`, `Float`).
TORCH_CLASS = {"bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "float16": "Half",
               "bfloat16": "BFloat16", "float32": "Float", "float64": "Double", "complex64": "ComplexFloat", "complex128": "ComplexDouble"}  # fmt: skip


class _Default:
    """The dtype of new floating-point tensors."""

    float: NumpyDType = F32


default = _Default()


def set_default_dtype(d: dtype) -> None:
    """Make `d` (a floating dtype) the dtype of new tensors made from Python floats.  Raises TypeError for any other dtype."""
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise ArgumentError(explain("set_default_dtype", "only floating-point dtypes can be the default", got=d))
    default.float = d.numpy


def get_default_dtype() -> dtype:
    """The dtype of new tensors made from Python floats; float32 unless changed."""
    return from_numpy(default.float)


def default_complex() -> NumpyDType:
    """The complex dtype whose parts have the default dtype."""
    return complex128.numpy if default.float == F64 else complex64.numpy


def from_numpy(d: NumpyDType) -> dtype:
    """The tracegrad dtype of a NumPy dtype.  Raises TypeError when there is none."""
    found = _FROM_NUMPY.get(d)
    if found is None:
        if d.name == "bfloat16":
            _load_bfloat16()
            return bfloat16
        if not d.isnative:
            problem = "given numpy array has byte order different from the native byte order"
            raise ArgumentValueError(
                explain("dtype", problem, "Pass array.astype(array.dtype.newbyteorder('='))", got=d)
            )
        names = ", ".join([*_ALL, "bfloat16"])
        raise ArgumentError(explain("dtype", f"NumPy's {d} has no tensor dtype; the supported types are {names}"))
    return found


def to_numpy(d: Any) -> NumpyDType:
    """The NumPy dtype of `d`: a tracegrad dtype, Python's float, int, bool or complex, or anything `numpy.dtype` accepts."""
    if isinstance(d, dtype):
        return d.numpy
    if d is float:
        return default.float
    if d is int:
        return I64
    if d is bool:
        return BOOL
    if d is complex:
        return default_complex()
    try:
        return from_numpy(np.dtype(d)).numpy
    except TypeError as error:
        raise ArgumentError(explain("dtype", f"{d!r} is not an element type")) from error


# NumPy's kind of bfloat16 is "V", which no other tensor has: tests for floating dtypes are `d.kind in "fV"`, and `d.kind in "fcV"` with complex ones
_RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "V": 2, "c": 3}


def kind_rank(d: NumpyDType) -> int:
    """0 for bool, 1 for integers, 2 for floating, 3 for complex."""
    return _RANK[d.kind]


def is_half(d: NumpyDType | tuple[Any, ...]) -> bool:
    """Whether the dtype of a value (a tuple for several results) is float16 or bfloat16."""
    return not isinstance(d, tuple) and d.char in HALF_CHARACTERS


def category(d: NumpyDType) -> str:
    """NumPy's `kind` with "f" for bfloat16 as well."""
    return "f" if d.kind == "V" else d.kind


def _promote_pair(a: NumpyDType, b: NumpyDType) -> NumpyDType:
    if a == b:
        return a
    low, high = sorted((a, b), key=lambda d: (_RANK[d.kind], d.itemsize))
    if _RANK[low.kind] == _RANK[high.kind]:
        if {low.kind, high.kind} == {"u", "i"}:  # uint8 with a signed type: the signed type that holds both
            signed = high if high.kind == "i" else low
            return int16.numpy if signed.itemsize == 1 else signed
        return F32 if high.itemsize == 2 and high.kind in "fV" else high  # float16 with bfloat16
    if high.kind == "c" and low.kind in "fV":
        return complex128.numpy if low == F64 else high
    return high


PROMOTION: dict[tuple[NumpyDType, NumpyDType], NumpyDType] = {
    (a.numpy, b.numpy): _promote_pair(a.numpy, b.numpy) for a in _ALL.values() for b in _ALL.values()
}


def _load_bfloat16() -> NumpyDType:
    """NumPy's dtype of bfloat16, from the package ml_dtypes, which the first use of such values imports."""
    import ml_dtypes

    d: NumpyDType = np.dtype(ml_dtypes.bfloat16)
    _FROM_NUMPY[d], bfloat16.numpy = bfloat16, d
    for other in (*_ALL.values(), bfloat16):
        PROMOTION[d, other.numpy] = PROMOTION[other.numpy, d] = _promote_pair(d, other.numpy)
    return d


def promote_types(a: NumpyDType, b: NumpyDType) -> NumpyDType:
    """The dtype of the combination of two tensors with axes, by torch's table (int64 with float32 is float32)."""
    return PROMOTION[a, b]


def number_dtype(value: object) -> NumpyDType:
    """The dtype that torch gives a Python number: bool, int64, the default float, or its complex."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return I64
    if isinstance(value, float):
        return default.float
    return default_complex()


def result_dtype(with_axes: list[NumpyDType], zero_dim: list[NumpyDType], numbers: list[NumpyDType]) -> NumpyDType:
    """torch's result type: tensors with axes decide; 0-d tensors, then Python numbers, only raise the category (bool < int < float)."""
    result: NumpyDType | None = None
    for group in (with_axes, zero_dim, numbers):
        if not group:
            continue
        best = group[0]
        for d in group[1:]:
            best = PROMOTION[best, d]
        if result is None:
            result = best
        elif kind_rank(best) > kind_rank(result):
            # something complex of a lower group beside a floating tensor takes the tensor's precision
            result = (
                PROMOTION[result, complex64.numpy]
                if best.kind == "c" and result.kind in "fV"
                else PROMOTION[result, best]
            )
    assert result is not None
    return result


class finfo:  # noqa: N801  (torch's name)
    """Limits of a floating dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, type: dtype | None = None) -> None:  # noqa: A002  (torch's name)
        d = type if type is not None else get_default_dtype()
        if not isinstance(d, dtype) or not (d.is_floating_point or d.is_complex):
            raise ArgumentError(explain("finfo", "needs a floating-point dtype; iinfo takes integers", got=d))
        if d is bfloat16:
            self.dtype, self.bits, self.eps, self.resolution = "bfloat16", 16, 2.0**-7, 0.01
            self.max, self.tiny = (2 - 2.0**-7) * 2.0**127, 2.0**-126
            self.min, self.smallest_normal = -self.max, self.tiny
            return
        info = np.finfo(d.numpy)
        self.dtype, self.bits = d.to_real().name, int(info.bits)
        self.eps, self.max, self.min, self.tiny = (float(v) for v in (info.eps, info.max, info.min, info.tiny))
        self.smallest_normal, self.resolution = self.tiny, 10.0 ** -int(info.precision)

    def __repr__(self) -> str:
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
                f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})")  # fmt: skip


class iinfo:  # noqa: N801  (torch's name)
    """Limits of an integer dtype: bits, max, min."""

    def __init__(self, type: dtype) -> None:  # noqa: A002  (torch's name)
        if not isinstance(type, dtype) or type.is_floating_point or type.is_complex or type is bool_:
            raise ArgumentError(explain("iinfo", "needs an integer dtype; finfo takes floating-point ones", got=type))
        info = np.iinfo(type.name)
        self.dtype, self.bits, self.max, self.min = type.name, int(info.bits), int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
