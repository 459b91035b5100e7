"""torch.backends.mps: what scripts ask before they choose a device."""


def is_available() -> bool:
    """False: tensors live on the CPU."""
    return False


def is_built() -> bool:
    """False."""
    return False
