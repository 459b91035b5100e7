"""torch._inductor.config's names: what programs set has no effect, since there is nothing like it to choose here."""

from tracegrad.compiler.settings_of_torch import patcher

debug = max_autotune = max_autotune_gemm = coordinate_descent_tuning = fx_graph_cache = cpp_wrapper = freezing = False
epilogue_fusion = pattern_matcher = split_reductions = force_fuse_int_mm_with_mul = True
fallback_random = deterministic = shape_padding = False
patch = patcher(__name__)
