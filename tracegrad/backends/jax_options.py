"""The options of the JAX backend, as `tg.compile(f, backend="jax", ...)` takes them; docs/jax.md describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tracegrad.devices import device as Device
from tracegrad.errors import ArgumentError, ArgumentValueError, DeviceError, ShapeError, explain
from tracegrad.ir.types import Type

NAMES = ("device", "donate", "fusion", "mesh", "in_specs", "out_specs")
PLATFORMS = {"cpu": "cpu", "cuda": "gpu", "gpu": "gpu", "tpu": "tpu", "xla": None, "mps": "METAL", "xpu": "sycl"}
Spec: TypeAlias = "PartitionSpec | None"  # None: the whole value on every device


class Options(NamedTuple):
    """What a program is compiled with.

    device   the jax.Device that it runs on, None for JAX's default       donate     names of arguments whose memory results may take
    fusion   whether XLA fuses; None lets the size of the program decide   mesh       devices with named axes, or None for one device
    in_specs, out_specs   specs as the user gave them                      parameters names of the function's parameters
    """

    device: Any = None
    donate: frozenset[str] = frozenset()
    fusion: bool | None = None
    mesh: Mesh | None = None
    in_specs: Any = None
    out_specs: Any = None
    parameters: tuple[str, ...] = ()

    def in_spec(self, name: str) -> Spec:
        """How the leaf of this name is spread: as its argument is; the whole on every device where in_specs says nothing."""
        given = self.in_specs
        if isinstance(given, Mapping):
            return next((_spec("in_specs", given[p]) for p in given if _is_leaf_of(name, p)), None)
        if not isinstance(given, (tuple, list)):
            return _spec("in_specs", given)
        pairs = zip(self.parameters, given, strict=False)
        return next((_inner(spec, name[len(p) + 1 :]) for p, spec in pairs if _is_leaf_of(name, p)), None)

    def out_spec(self, position: int, count: int) -> Spec:
        """How one of `count` results is spread.  Raises ValueError when there are specs for another number of results."""
        specs = list(_leaves(self.out_specs))
        if isinstance(self.out_specs, (tuple, list, Mapping)) and len(specs) != count:
            problem = f"out_specs has {len(specs)} entries for {count} results"
            raise ArgumentValueError(explain("compile", problem, "Give one spec for all, or one for each"))
        return specs[position] if isinstance(self.out_specs, (tuple, list, Mapping)) else specs[0]

    def is_donated(self, name: str) -> bool:
        """Whether the leaf of this name belongs to an argument that was donated."""
        return any(_is_leaf_of(name, given) for given in self.donate)

    def sharding(self, spec: Spec, of: Type, what: str) -> NamedSharding:
        """The sharding of a value on the mesh.  Raises RuntimeError when an axis of the value cannot be cut evenly, ValueError for an axis that the mesh lacks."""
        mesh = self.mesh
        parts: tuple[Any, ...] = tuple(spec or ())
        assert mesh is not None
        if len(parts) > of.ndim:
            raise ArgumentValueError(
                explain("compile", f"the spec {spec} of {what} has more axes than the value", value=of)
            )
        for axis, (size, part) in enumerate(zip(of.shape, parts, strict=False)):
            chosen = () if part is None else (part,) if isinstance(part, str) else tuple(part)
            unknown = [a for a in chosen if a not in mesh.shape]
            if unknown:
                problem = (
                    f"the spec of {what} names the axis {unknown[0]!r}, the mesh has {', '.join(map(repr, mesh.shape))}"
                )
                raise ArgumentValueError(explain("compile", problem))
            pieces = 1
            for a in chosen:
                pieces *= mesh.shape[a]
            if size % pieces:
                problem = f"axis {axis} of {what} has {size} entries, which {pieces} devices cannot share evenly"
                raise ShapeError(explain("compile", problem, "Pad it, or choose another spec", value=of))
        return NamedSharding(mesh, spec if spec is not None else PartitionSpec())


def read_options(given: Mapping[str, Any], parameters: tuple[str, ...] = (), backward: bool = False) -> Options:
    """The options from keywords; backward=True leaves out what belongs to the forward program (donate, out_specs).

    Raises TypeError for an unknown option and for values of a wrong type, ValueError for a donated name that is no parameter, AssertionError for a device that
    is not there.
    """
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        problem = f"got an unexpected keyword argument {unknown[0]!r}; backend 'jax' has the options {', '.join(NAMES)}"
        raise ArgumentError(explain("compile", problem))
    mesh = _mesh(given.get("mesh"))
    if mesh is None and any(given.get(name) is not None for name in ("in_specs", "out_specs")):
        raise ArgumentError(explain("compile", "in_specs and out_specs need a mesh", "Pass mesh= as well"))
    if mesh is not None and given.get("device") is not None:
        raise ArgumentError(explain("compile", "mesh and device exclude each other: a mesh says which devices"))
    specs = given.get("in_specs")
    if isinstance(specs, (tuple, list)) and len(specs) > len(parameters) > 0:
        raise ArgumentValueError(
            explain("compile", f"in_specs has {len(specs)} entries for {len(parameters)} parameters")
        )
    for spec in (specs, given.get("out_specs")):
        list(_leaves(spec))
    fusion = given.get("fusion")
    if fusion is not None and not isinstance(fusion, bool):
        raise ArgumentError(explain("compile", f"fusion must be True, False or None, got {fusion!r}"))
    donated = _donated(given.get("donate"), parameters)
    device = None if given.get("device") is None else find_device(given["device"])
    if backward:
        return Options(device, frozenset(), fusion, mesh, specs, None, parameters)
    return Options(device, donated, fusion, mesh, specs, given.get("out_specs"), parameters)


def find_device(wanted: Any) -> Any:
    """The jax.Device for "cpu", "cuda", "cuda:1", a torch-like device, or a jax.Device itself.  Raises AssertionError where there is none."""
    if isinstance(wanted, jax.Device):
        return wanted
    if isinstance(wanted, str) and wanted.partition(":")[0] in ("gpu", "tpu"):  # JAX's names
        kind, _, number = wanted.partition(":")
        index = int(number or 0)
    else:
        named = wanted if isinstance(wanted, Device) else Device(wanted)
        kind, index = named.type, named.index or 0
    try:
        if kind not in PLATFORMS:
            raise RuntimeError(f"JAX has no platform for {kind!r}")
        found = jax.local_devices(backend=PLATFORMS[kind])
    except RuntimeError as error:
        raise DeviceError(_no_device(wanted, str(error))) from error
    if index >= len(found):
        raise DeviceError(_no_device(wanted, f"there are {len(found)} of this kind"))
    return found[index]


def _no_device(wanted: Any, reason: str) -> str:
    there = ", ".join(f"{d.platform}:{i}" for i, d in enumerate(jax.local_devices()))
    return explain("compile", f"JAX has no device {str(wanted)!r} here ({reason.splitlines()[0]})", f"It has {there}")


def _mesh(given: Any) -> Mesh | None:
    if given is None or isinstance(given, Mesh):
        return given
    if not isinstance(given, Mapping) or not all(isinstance(n, str) and isinstance(s, int) for n, s in given.items()):
        raise ArgumentError(
            explain("compile", f"mesh must be a jax.sharding.Mesh, or sizes by axis names, got {given!r}")
        )
    sizes, count = tuple(given.values()), 1
    for size in sizes:
        count *= size
    if count > len(jax.devices()):
        remedy = "On the CPU set XLA_FLAGS=--xla_force_host_platform_device_count=8 before JAX starts"
        raise DeviceError(explain("compile", f"the mesh needs {count} devices, JAX has {len(jax.devices())}", remedy))
    automatic = (jax.sharding.AxisType.Auto,) * len(sizes)
    return jax.make_mesh(sizes, tuple(given), axis_types=automatic, devices=jax.devices()[:count])


def _donated(given: Any, parameters: tuple[str, ...]) -> frozenset[str]:
    names: list[Any] = [] if given is None else [given] if isinstance(given, (str, int)) else list(given)
    found = set()
    for name in names:
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise ArgumentError(explain("compile", f"donate takes names and positions of arguments, got {name!r}"))
        if isinstance(name, int):
            if not -len(parameters) <= name < len(parameters):
                raise ArgumentValueError(
                    explain("compile", f"donate: there is no argument {name} ({len(parameters)} parameters)")
                )
            name = parameters[name]
        elif name not in parameters:
            known = ", ".join(parameters)
            raise ArgumentValueError(
                explain("compile", f"donate: {name!r} is not a parameter of the function ({known})")
            )
        found.add(name)
    return frozenset(found)


def _is_leaf_of(name: str, parameter: str) -> bool:
    """Whether a leaf's name, `x` or `x_3`, belongs to the parameter."""
    return name == parameter or (name.startswith(f"{parameter}_") and name[len(parameter) + 1 :].isdigit())


def _inner(spec: Any, number: str) -> Spec:
    """The spec of leaf `number` of an argument: one spec is for all of its leaves, a container has one for each."""
    leaves = list(_leaves(spec))
    if not isinstance(spec, (tuple, list, Mapping)) or isinstance(spec, PartitionSpec):
        return leaves[0]
    position = int(number or 0)
    if position >= len(leaves):
        problem = f"in_specs has {len(leaves)} entries for an argument with more leaves"
        raise ArgumentValueError(explain("compile", problem, "Give one spec for all, or one for each"))
    return leaves[position]


def _leaves(spec: Any) -> Iterable[Spec]:
    """The specs in a container of them, in order."""
    if isinstance(spec, (tuple, list)) and not isinstance(spec, PartitionSpec):
        for part in spec:
            yield from _leaves(part)
    elif isinstance(spec, Mapping):
        for part in spec.values():
            yield from _leaves(part)
    else:
        yield _spec("specs", spec)


def _spec(what: str, given: Any) -> Spec:
    if given is None or isinstance(given, PartitionSpec):
        return given
    if isinstance(given, str):
        return PartitionSpec(given)
    problem = f"{what} takes jax.sharding.PartitionSpec, the name of an axis of the mesh (which cuts the first axis), or None, got {given!r}"
    raise ArgumentError(explain("compile", problem))
