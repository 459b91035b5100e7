"""torch.backends.cuda: switches that scripts set; there is no CUDA, so that they have no effect."""


class matmul:  # noqa: N801  (torch's name)
    """How products would be computed."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True


def is_built() -> bool:
    """False."""
    return False
