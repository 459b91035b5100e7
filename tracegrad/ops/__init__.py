"""The operator definitions, imported in order so that the registry is complete."""

from tracegrad.ops import (
    arithmetic,
    compare,
    control,
    create,
    elementary,
    extremes,
    index,
    linalg,
    movement,
    neural,
    normalise,
    overwrite,
    place,
    random,
    reduce,
    rounding,
    slicing,
)

__all__ = ["arithmetic", "slicing", "random", "linalg", "index", "compare", "control", "create", "elementary", "extremes", "movement", "neural", "normalise", "overwrite", "place", "reduce", "rounding"]
