"""torch.backends.cudnn: switches that scripts set; there is no cuDNN, so that they have no effect."""

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""
