"""Where the results over torch's samples differ on purpose, with the reason."""

from __future__ import annotations

# The values are random, or those of memory that nobody wrote: shapes are compared.
RANDOM = {
    "bernoulli", "cauchy", "empty", "empty_like", "empty_permuted", "empty_strided", "exponential", "geometric", "log_normal", "multinomial", "new_empty",
    "new_empty_strided", "nn.functional.alpha_dropout", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d",
    "nn.functional.feature_alpha_dropout", "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d",
    "nn.functional.multi_head_attention_forward", "nn.functional.rrelu", "nn.functional.scaled_dot_product_attention", "normal", "pca_lowrank", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "svd_lowrank", "uniform",
}  # fmt: skip

# Batching and compiling are refused: the size of the result depends on values, or the call writes running statistics.
EAGER_ONLY = {
    "equal",
    "item",
    "masked_select",
    "native_batch_norm",
    "nn.functional.batch_norm",
    "nn.functional.instance_norm",
    "repeat_interleave",
}

# Positions among equal values are an accident of torch's selection algorithm: for integers only the values are compared.
TIES = {"kthvalue", "topk", "mode", "sort", "median", "nanmedian", "msort"}

# Not compared at all.
LEFT_OUT = {
    "argsort": "positions among equal values",
    "as_strided": "torch's samples are views of memory that a NumPy array does not show",
    "as_strided_copy": "as as_strided",
    "as_strided_scatter": "as as_strided; torch's gradient keeps the elements that were replaced",
    "bfloat16": "NumPy cannot show torch's bfloat16",
    "chalf": "there is no complex32",
    "cholesky_inverse": "torch's forward mode has six digits",
    "hash_tensor": "not in the vocabulary",
    "linalg.norm (subgradients_at_zero)": "second derivatives at 0 are 0; torch has nan",
    "logcumsumexp": "torch's forward mode has six digits, and nan for complex numbers",
    "max_pool2d_with_indices_backward": "not a public name of torch",
    "native_group_norm": "strided operands are taken; torch refuses them",
    "nn.functional.local_response_norm": "torch rounds the averages of whole numbers to whole numbers",
    "nn.functional.hardsigmoid": "torch's slope is 1/6 in float32",
    "slice": "not a public name of torch",
    "special.airy_ai": "SciPy's values are exact to the last digits, torch's are not",
    "special.bessel_j0": "as airy_ai",
    "special.bessel_j1": "as airy_ai",
    "special.bessel_y0": "as airy_ai",
    "special.bessel_y1": "as airy_ai",
}

# Wrong calls that are answered, or have another class.
ERRORS_LEFT_OUT = {
    "__radd__": "a method of Tensor called with a number in the place of self",
    "__rand__": "as __radd__",
    "__rdiv__": "as __radd__",
    "__rmul__": "as __radd__",
    "__ror__": "as __radd__",
    "__rxor__": "as __radd__",
    "cat": "torch cannot resize memory of NumPy; out= gets memory of its own here",
    "gather": "an out= of one element that is seen twice",
}
