"""torch._dynamo.config's names: what programs set has no effect, since there is nothing like it to choose here."""

from tracegrad.compiler.settings_of_torch import patcher

suppress_errors = verbose = error_on_recompile = specialize_int = specialize_float = disable = optimize_ddp = (
    compiled_autograd
) = False
dynamic_shapes = assume_static_by_default = automatic_dynamic_shapes = capture_scalar_outputs = True
capture_dynamic_output_shape_ops = guard_nn_modules = inline_inbuilt_nn_modules = True
cache_size_limit = recompile_limit = 64
accumulated_cache_size_limit = accumulated_recompile_limit = 256
log_level = None
patch = patcher(__name__)
