"""The operator definitions, imported in order so that the registry is complete."""

from tracegrad.ops import arithmetic, compare, control, create, elementary, extremes, movement, normalise, overwrite, place, reduce, rounding

__all__ = ["arithmetic", "compare", "control", "create", "elementary", "extremes", "movement", "normalise", "overwrite", "place", "reduce", "rounding"]
