"""save and load: what comes back, what is refused, and what damaged files are told."""

from __future__ import annotations

import io
import json
import zipfile
from collections import OrderedDict, defaultdict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, EmptyFileError, FormatError
from tracegrad.utils import serialization


def saved(obj: Any) -> bytes:
    target = io.BytesIO()
    tg.save(obj, target)
    return target.getvalue()


def again(obj: Any) -> Any:
    return tg.load(io.BytesIO(saved(obj)))


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -(2**70), 2.5, float("inf"), float("-inf"), 1 - 2j, "é\ud800", b"\x00a", [], (), {}, [1, [2, (3,)]], {1: "a", (2, 3): None, None: 1},
     OrderedDict(b=1, a=2), {1, 2}, frozenset({3}), tg.float32, tg.bool, tg.device("cpu"), tg.Size([2, 3]), tg.Size([])],
    ids=repr,
)  # fmt: skip
def test_plain_values_come_back_with_their_class(value: Any):
    found = again(value)
    assert found == value and type(found) is type(value)


def test_nan_and_the_sign_of_zero_come_back():
    nan, zero = again([float("nan"), -0.0])
    assert nan != nan and str(zero) == "-0.0"


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", "bool", "complex64", "complex128"]
)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4)])
def test_tensors_come_back(dtype: str, shape: tuple[int, ...]):
    x = tg.from_numpy(np.asarray(np.arange(12)[: int(np.prod(shape))].reshape(shape) % 5).astype(dtype))
    found = again(x)
    assert found.dtype == x.dtype and found.shape == x.shape and tg.equal(found, x)


@pytest.mark.parametrize(
    "value", [np.float32(1.5), np.int64(3), np.bool_(True), np.complex128(1j), np.uint16(7)], ids=repr
)
def test_numpy_scalars_come_back(value: Any):
    found = again(value)
    assert found == value and type(found) is type(value)


def test_numpy_arrays_come_back_with_negative_strides_too():
    a = np.arange(6).reshape(2, 3)[:, ::-1]
    found = again({"a": a})["a"]
    assert type(found) is np.ndarray and (found == a).all()


def test_a_leaf_that_requires_grad_still_does_and_a_result_becomes_a_leaf():
    x = tg.ones(2, requires_grad=True)
    leaf, result = again([x, x * 2])
    assert leaf.requires_grad and result.requires_grad and result.is_leaf and leaf.grad is None


def test_a_parameter_and_what_the_user_wrote_on_it_come_back():
    p = tg.nn.Parameter(tg.ones(2))
    p.tag = ["a", 1]
    found = again(p)
    assert isinstance(found, tg.nn.Parameter) and found.tag == ["a", 1]


def test_tensors_that_share_memory_share_it_again():
    base = tg.zeros(4)
    whole, part = again((base, base[1:3]))
    part.fill_(5)
    assert whole.tolist() == [0, 5, 5, 0]


def test_views_of_other_dtypes_share_memory_again():
    x = tg.zeros(2, dtype=tg.float32)
    a, b = again((x, x.view(tg.int32)))
    b.fill_(0x3F800000)
    assert a.tolist() == [1, 1]


def test_the_same_tensor_in_two_places_is_one_object_again():
    x = tg.ones(1)
    a, b = again([x, {"x": x}])
    assert a is b["x"]


def test_strides_come_back():
    x = tg.arange(6).reshape(2, 3)
    turned, spread, spaced = again([x.t(), tg.ones(1, 3).expand(2, 3), tg.arange(10)[::2]])
    assert turned.stride() == (1, 3) and spread.stride() == (0, 1) and spaced.stride() == (2,)
    assert spaced.tolist() == [0, 2, 4, 6, 8]


def test_a_small_view_of_a_large_tensor_makes_a_small_file():
    assert len(saved(tg.zeros(100_000)[:10])) < 2_000


def test_the_same_data_make_the_same_bytes():
    assert saved({"a": tg.ones(3)}) == saved({"a": tg.ones(3)})


def test_model_and_optimizer_continue_where_they_were():
    def training(model: Any, optimizer: Any, steps: int) -> list[Any]:
        for _ in range(steps):
            optimizer.zero_grad()
            (model(tg.ones(2, 3)) ** 2).sum().backward()
            optimizer.step()
        return [p.tolist() for p in model.parameters()]

    tg.manual_seed(0)
    model = tg.nn.Linear(3, 2)
    optimizer = tg.optim.Adam(model.parameters(), lr=0.1)
    training(model, optimizer, 2)
    state = again({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2})
    other = tg.nn.Linear(3, 2)
    restored = tg.optim.Adam(other.parameters(), lr=0.5)
    other.load_state_dict(state["model"])
    restored.load_state_dict(state["optimizer"])
    assert training(other, restored, 3) == training(model, optimizer, 3)


def test_a_path_a_text_and_an_open_file_are_taken(tmp_path: Path):
    for place in (tmp_path / "a.pt", str(tmp_path / "b.pt")):
        tg.save(tg.ones(2), place)
        assert tg.load(place, map_location="cpu", weights_only=True, mmap=True).tolist() == [1, 1]
    with (tmp_path / "c.pt").open("wb") as target:
        tg.save(tg.ones(2), target)
    with (tmp_path / "c.pt").open("rb") as source:
        assert tg.load(source).tolist() == [1, 1]


def test_numpy_reads_the_file(tmp_path: Path):
    tg.save({"w": tg.arange(3)}, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert file["memory/0"].tolist() == [0, 1, 2]


Point = namedtuple("Point", "x y")  # noqa: PYI024


@pytest.mark.parametrize(
    ("obj", "place"),
    [
        ({"a": [1, object()]}, r"obj\['a'\]\[1\]"),
        (lambda x: x, "at: obj"),
        (Point(1, 2), "Point"),
        (defaultdict(list), "defaultdict"),
        ({"m": tg.nn.Linear(1, 1)}, "state_dict"),
        ([np.array(["a"])], r"obj\[0\]"),
        ([np.array([None])], r"obj\[0\]"),
        ({object(): 1}, "a key of obj"),
        ([np.datetime64("2020-01-01")], "datetime64"),
    ],
    ids=["object", "function", "namedtuple", "defaultdict", "module", "text array", "object array", "key", "date"],
)
def test_what_cannot_be_saved_is_named_with_its_place(obj: Any, place: str):
    with pytest.raises(ArgumentError, match=place):
        saved(obj)


def test_data_that_contain_themselves_are_refused():
    data: list[Any] = []
    data.append(data)
    with pytest.raises(ArgumentValueError, match="contain themselves"):
        saved(data)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "a.pt"
    tg.save(tg.ones(2), place)
    with pytest.raises(ArgumentError):
        tg.save([tg.zeros(2), object()], place)

    def full(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(serialization.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        tg.save(tg.zeros(2), place)
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]
    assert tg.load(place).tolist() == [1, 1]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="Parent directory"):
        tg.save(tg.ones(2), tmp_path / "no" / "a.pt")


def test_an_empty_file_is_an_end_of_file(tmp_path: Path):
    with pytest.raises(EOFError, match="seek") as caught:
        tg.load(io.BytesIO())
    assert isinstance(caught.value, EmptyFileError)


@pytest.mark.parametrize("f", [5, None, ["a"]])
def test_something_that_is_no_file_is_refused(f: Any):
    with pytest.raises(AttributeError):
        tg.load(f)
    with pytest.raises(AttributeError):
        tg.save(1, f)


@pytest.mark.parametrize("location", ["cuda", tg.device("cuda:0"), {"cpu": "cuda:1"}], ids=str)
def test_another_device_is_refused(location: Any):
    with pytest.raises(RuntimeError, match="CPU only"):
        tg.load(io.BytesIO(saved(1)), map_location=location)


# --- damaged and hostile files


def rewritten(content: bytes, change: Any, compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
    """The file with its entries passed through change(name, data) -> data or None."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    out.seek(0)
    return out


def with_structure(obj: Any, change: Any) -> io.BytesIO:
    """The file of obj with its structure changed in place by change(structure)."""

    def edit(name: str, data: bytes) -> bytes:
        if name != "structure.json":
            return data
        structure = json.loads(data)
        change(structure)
        return json.dumps(structure).encode()

    return rewritten(saved(obj), edit)


def entry(**fields: Any) -> Any:
    return lambda s: s["arrays"][0].update(fields)


def value(found: Any) -> Any:
    return lambda s: s.update(value=found)


HOSTILE = {
    "offset outside": (entry(offset=8), "shows bytes"),
    "shape too large": (entry(shape=[100], strides=[4]), "shows bytes"),
    "shape enormous": (entry(shape=[2**40, 2**40], strides=[0, 0]), "too large"),
    "negative stride": (entry(strides=[-4]), "no sizes"),
    "negative offset": (entry(offset=-4), "no sizes"),
    "strides missing": (entry(strides=[]), "1 sizes and 0 strides"),
    "odd stride": (entry(strides=[3]), "not in elements"),
    "bool as a size": (entry(shape=[True]), "no sizes"),
    "many axes": (entry(shape=[1] * 65, strides=[0] * 65), "65 sizes"),
    "object dtype": (entry(dtype="object"), "unknown dtype"),
    "dtype no text": (entry(dtype=3), "unknown dtype"),
    "unhashable dtype": (entry(dtype=[]), "unknown dtype"),
    "tensor of uint64": (entry(dtype="uint64", shape=[1], strides=[8]), "does not exist"),
    "integer that requires grad": (entry(dtype="int32", requires_grad=True), "requires_grad"),
    "kind unknown": (entry(kind="code"), "no kind"),
    "memory missing": (entry(memory=7), "memory/7.npy cannot be read"),
    "fields no object": (entry(fields=[1]), "fields"),
    "reserved field": (entry(fields={"_is_number": True}), "reserved"),
    "no such entry": (value({"array": 5}), "refers to entry 5"),
    "entry by text": (value({"array": "0"}), "refers to entry"),
    "kind of value": (value({"eval": "1"}), "unknown kind 'eval'"),
    "two kinds": (value({"list": [], "tuple": []}), "one kind"),
    "bare list": (value([1]), "neither a plain value"),
    "list no list": (value({"list": 3}), "is no list"),
    "pair of three": (value({"dict": [[1, 2, 3]]}), "is no dict"),
    "key unhashable": (value({"dict": [[{"list": []}, 1]]}), "is no dict"),
    "size of texts": (value({"Size": ["a"]}), "is no Size"),
    "dtype of nothing": (value({"dtype": "float7"}), "is no dtype"),
    "device of nothing": (value({"device": "warp"}), "is no device"),
    "bytes no base64": (value({"bytes": "?"}), "is no bytes"),
    "scalar too short": (value({"scalar": ["float32", "00"]}), "is no scalar"),
    "complex of texts": (value({"complex": ["a", "b"]}), "is no complex"),
    "float of a text": (value({"float": "x"}), "is no float"),
    "other format": (lambda s: s.update(format="other"), "format is tracegrad"),
    "newer version": (lambda s: s.update(version=2), "version 2"),
    "no value": (lambda s: s.pop("value"), "no 'value'"),
    "arrays no list": (lambda s: s.update(arrays={}), "no list"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_structure_is_refused_with_its_place(case: str):
    change, said = HOSTILE[case]
    with pytest.raises(FormatError, match=said):
        tg.load(with_structure(tg.arange(2, dtype=tg.float32), change))


def test_deep_nesting_is_refused():
    deep: Any = 1
    for _ in range(200):
        deep = {"list": [deep]}
    with pytest.raises(FormatError, match="levels deep"):
        tg.load(with_structure(1, value(deep)))


def test_json_too_deep_to_parse_is_refused():
    content = rewritten(saved(1), lambda name, data: b"[" * 200_000)
    with pytest.raises(FormatError, match="JSON"):
        tg.load(content)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"3"])
def test_a_structure_that_is_no_json_object_is_refused(text: bytes):
    with pytest.raises(FormatError, match=r"structure\.json"):
        tg.load(rewritten(saved(1), lambda name, data: text))


def test_compressed_entries_are_refused():
    with pytest.raises(FormatError, match="compressed"):
        tg.load(rewritten(saved(tg.ones(2)), lambda name, data: data, zipfile.ZIP_DEFLATED))


def test_an_array_of_objects_inside_is_never_unpickled(tmp_path: Path):
    class Trap:
        def __reduce__(self) -> Any:
            return (tmp_path / "executed").touch, ()

    trap = io.BytesIO()
    np.save(trap, np.array([Trap()], object), allow_pickle=True)
    content = rewritten(saved(tg.ones(2)), lambda name, data: trap.getvalue() if "memory" in name else data)
    with pytest.raises(FormatError, match=r"memory/0\.npy is no \.npy file"):
        tg.load(content)
    assert not (tmp_path / "executed").exists()


def test_a_bool_tensor_of_other_bytes_is_refused():
    change = entry(dtype="bool", shape=[8], strides=[1])
    with pytest.raises(FormatError, match="0 and 1"):
        tg.load(with_structure(tg.ones(2), change))


def test_a_file_of_pytorch_is_named_as_such():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    content.seek(0)
    with pytest.raises(FormatError, match="file of PyTorch"):
        tg.load(content)


def test_every_truncated_file_is_refused():
    content = saved({"a": tg.arange(20), "b": [1, 2.5, "text"]})
    for length in range(1, len(content), 7):
        with pytest.raises(FormatError):
            tg.load(io.BytesIO(content[:length]))


def test_files_with_a_changed_byte_are_read_as_they_were_or_refused():
    data = {"a": tg.arange(20), "b": [1, 2.5, "text"]}
    content = saved(data)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        try:
            found = tg.load(io.BytesIO(bytes(changed)))
        except FormatError:
            continue
        assert found["b"] == data["b"] and tg.equal(found["a"], data["a"])
