"""tracegrad: automatic differentiation of Python programs under PyTorch's names, on the tape and as compiled graphs.

`import tracegrad as torch` runs scripts written for torch's autograd.  Only NumPy is imported; func, nn, optim, utils and the compiler are loaded on first use.
"""

from __future__ import annotations

import gc
import importlib
import math
from typing import Any

_collecting = gc.isenabled()
gc.disable()  # what an import makes lives for good: looking for garbage in between takes a sixth of its time

import tracegrad.ops
from tracegrad import dtypes as _dtypes
from tracegrad.devices import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    device,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from tracegrad.dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype
from tracegrad.eager import methods as _methods

_methods.attach()

from tracegrad import autograd  # noqa: E402
from tracegrad.autograd.anomaly import (  # noqa: E402
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_anomaly_enabled,
)
from tracegrad.autograd.modes import (  # noqa: E402
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tracegrad.eager import creation as _creation  # noqa: E402
from tracegrad.eager.generate import exported_function as _exported_function  # noqa: E402
from tracegrad.eager.late import function_of as _function_of  # noqa: E402
from tracegrad.eager.tensor import Size, Tensor  # noqa: E402
from tracegrad.ir.op import REGISTRY as _REGISTRY  # noqa: E402
from tracegrad.slots import slots as _slots  # noqa: E402

__version__ = "0.1.0"


class version:  # noqa: N801  (torch's name)
    """What scripts ask torch.version: the version, and that there is neither CUDA nor ROCm."""

    __version__, cuda, hip, xpu, git_version, debug = __version__, None, None, None, None, False


inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
newaxis = None

# what is loaded on first use: name -> (module, attribute of it or None for the module itself)
_LAZY = {
    **{
        name: (f"tracegrad.{name}", None)
        for name in "func fft linalg nn optim special utils export compiler amp cuda backends pytree random signal testing".split()
    },
    **{
        name: ("tracegrad.eager.functions", name)
        for name in "allclose broadcast_shapes can_cast equal is_complex is_floating_point is_inference is_nonzero is_tensor numel promote_types result_type "
        "typename BoolTensor ByteTensor CharTensor ShortTensor IntTensor LongTensor HalfTensor BFloat16Tensor FloatTensor DoubleTensor ComplexFloatTensor ComplexDoubleTensor".split()
    },
    **{
        name: ("tracegrad.eager.complex_values", name)
        for name in "conj is_conj is_neg resolve_conj resolve_neg".split()
    },
    **{
        name: ("tracegrad.nn.torch_names", name)
        for name in (
            "adaptive_avg_pool1d adaptive_max_pool1d alpha_dropout alpha_dropout_ avg_pool1d batch_norm bilinear celu_ channel_shuffle "
            "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_embedding_loss "
            "constant_pad_nd cosine_similarity dropout dropout_ embedding feature_alpha_dropout feature_alpha_dropout_ feature_dropout feature_dropout_ group_norm "
            "hinge_embedding_loss instance_norm kl_div layer_norm margin_ranking_loss max_pool1d max_pool1d_with_indices "
            "max_pool2d max_pool3d native_channel_shuffle native_dropout pairwise_distance pdist pixel_shuffle pixel_unshuffle rms_norm rrelu rrelu_ selu_ "
            "threshold_ triplet_margin_loss"
        ).split()
    },
    **{
        name: ("tracegrad.nn.more_torch_names", name)
        for name in "affine_grid_generator ctc_loss grid_sampler grid_sampler_2d grid_sampler_3d gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell".split()
    },
    **{
        name: ("tracegrad.nn.native_functions", name)
        for name in "_weight_norm alpha_dropout_ binary_cross_entropy_with_logits conv_tbc convolution embedding_bag embedding_renorm_ feature_alpha_dropout_ "
        "feature_dropout_ native_batch_norm native_dropout native_dropout_backward native_group_norm native_layer_norm norm_except_dim poisson_nll_loss".split()
    },
    "compile": ("tracegrad.compiler", "compile"),
    "_dynamo": ("tracegrad._dynamo", None),
    "_higher_order_ops": ("tracegrad._higher_order_ops", None),
    "_inductor": ("tracegrad._inductor", None),
    "capture": ("tracegrad.compiler", "capture"),
    "mark_dynamic": ("tracegrad.compiler", "mark_dynamic"),
    "debug_print": ("tracegrad.compiler.debug", "debug_print"),
    "vmap": ("tracegrad.func", "vmap"),
    **{name: ("tracegrad.func.control_flow", name) for name in "cond fori_loop map scan while_loop".split()},
    **{name: ("tracegrad.eager.sampling", name) for name in "bernoulli binomial multinomial normal poisson".split()},
    **{name: ("tracegrad.eager.sequences", name) for name in "logspace range tril_indices triu_indices".split()},
    **{
        f"{name}_window": ("tracegrad.eager.tapers", f"{name}_window")
        for name in "bartlett blackman hamming hann kaiser".split()
    },
    **{name: ("tracegrad.eager.spectrograms", name) for name in "istft stft".split()},
    **{name: ("tracegrad.eager.histograms", name) for name in "histogram histogramdd segment_reduce".split()},
    **{
        name: ("tracegrad.eager.view_copies", name)
        for name in (
            "alias_copy as_strided_copy detach_copy diagonal_copy expand_copy fill narrow_copy permute_copy select_copy slice_copy "
            "split_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy "
            "view_as_complex_copy view_as_real_copy view_copy"
        ).split()
    },
    **{
        name: ("tracegrad.eager.other_names", name)
        for name in (
            "compiled_with_cxx11_abi empty_permuted get_device is_distributed is_same_size is_vulkan_available "
            "nonzero_static sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum"
        ).split()
    },
    **{
        name: ("tracegrad.eager.rare", name)
        for name in (
            "empty_strided frombuffer is_storage is_signed unsafe_split unsafe_split_with_sizes unsafe_chunk"
        ).split()
    },
    **{
        name: ("tracegrad.eager.settings", name)
        for name in "are_deterministic_algorithms_enabled autocast_decrement_nesting autocast_increment_nesting clear_autocast_cache get_autocast_cpu_dtype "
        "get_autocast_dtype get_autocast_gpu_dtype get_deterministic_debug_mode is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled "
        "set_autocast_cache_enabled set_autocast_cpu_enabled set_autocast_dtype set_autocast_enabled set_deterministic_debug_mode get_default_device get_float32_matmul_precision get_num_interop_threads get_num_threads "
        "is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled set_default_device set_default_tensor_type set_float32_matmul_precision "
        "set_flush_denormal set_num_interop_threads set_num_threads set_warn_always use_deterministic_algorithms".split()
    },
    "from_dlpack": ("tracegrad.utils.dlpack", "from_dlpack"),
    "to_dlpack": ("tracegrad.utils.dlpack", "to_dlpack"),
    "set_printoptions": ("tracegrad.eager.printing", "set_printoptions"),
    "autocast": ("tracegrad.amp", "autocast"),
    "GradScaler": ("tracegrad.amp", "GradScaler"),
    "save": ("tracegrad.utils.serialization", "save"),
    "load": ("tracegrad.utils.serialization", "load"),
    "Graph": ("tracegrad.export", "Graph"),
}


def __getattr__(name: str) -> Any:
    """What is not there yet: the parts of the package, and the functions of operators."""
    if name == "__all__":
        return [n for n in __dir__() if not n.startswith("_") and n not in ("annotations", "gc", "importlib", "math")]
    found = _part(name) if name in _LAZY else _function(name)
    globals()[name] = found
    return found


def _function(name: str) -> Any:
    if name in _IN_PLACE.split() and hasattr(Tensor, name):
        return _function_of(getattr(Tensor, name))
    op = None if name.startswith("_") else _REGISTRY.called(name)
    if op is None or not op.function:
        raise AttributeError(f"module 'tracegrad' has no attribute {name!r}")
    return _exported_function(op.name)


def _part(name: str) -> Any:
    module, attribute = _LAZY[name]
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise AttributeError(f"module 'tracegrad' has no attribute {name!r}") from error
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    functions = (name for op in _REGISTRY.values() if op.function for name in (op.name, *op.aliases))
    return sorted({*globals(), *_LAZY, *functions, *(name for name in _IN_PLACE.split() if hasattr(Tensor, name))})


def _tape_graph(tensor: Tensor) -> Any:
    """Tensor.graph, loaded with the exporters on first use."""
    importlib.import_module("tracegrad.export")
    return importlib.import_module("tracegrad.eager.tape").tape_graph(tensor)


def _jvp(*arguments: Any) -> Any:
    """Forward mode for checks, loaded on first use."""
    return importlib.import_module("tracegrad.func.forward").push_forward("forward_ad", *arguments)


def _jacfwd(function: Any, inputs: Any) -> Any:
    """The Jacobian blocks of a function by forward mode, one tuple per output, loaded on first use."""
    return importlib.import_module("tracegrad.func.forward").jacobian_by_columns("forward_ad", function, inputs)


def _batched_rows(*arguments: Any) -> Any:
    """Many gradients in one program, loaded on first use."""
    return importlib.import_module("tracegrad.func.rows").batched_rows(*arguments)


def _vmap(function: Any) -> Any:
    """func.vmap, loaded on first use."""
    return importlib.import_module("tracegrad.func").vmap(function)


_slots.jacfwd = _jacfwd
_slots.tape_graph, _slots.jvp, _slots.batched_rows, _slots.vmap = _tape_graph, _jvp, _batched_rows, _vmap


# the in-place methods that torch also has as functions
_IN_PLACE = (
    "abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ asinh_ atan_ atanh_ ceil_ clamp_ clamp_max_ clamp_min_ clip_ "
    "conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ index_put_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ "
    "nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ resize_as_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_"
)


def _public_names() -> dict[str, Any]:
    """dtypes, constructors, and the functions that are not operators."""
    names: dict[str, Any] = {
        d.name: d for d in (_dtypes.from_numpy(numpy_dtype) for numpy_dtype in _dtypes._FROM_NUMPY)
    }
    names |= _dtypes.ALIASES | _dtypes.NAMED_ONLY | {"bfloat16": _dtypes.bfloat16}
    return names | {name: getattr(_creation, name) for name in _creation.__all__}


globals().update(_public_names())

if _collecting:
    if not gc.get_freeze_count():  # all that was made goes to the oldest generation unlooked at
        gc.freeze()
        gc.unfreeze()
    gc.enable()
