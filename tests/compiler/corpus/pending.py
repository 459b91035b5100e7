"""What is known to be missing: programs that compile() cannot do yet, and those whose eager outcome is not torch's.

PENDING holds "category.name" for every way, "category.name@jax" for one backend, "category.name+joint" for result and derivatives in one compiled function,
and "fuzz.seed" for a random program.
"""

PENDING: set[str] = set()

# eager tracegrad differs from torch here, for the reason beside it
EAGER_DIFFERS: dict[str, str] = {
    "footguns.autocast_changes": "autocast has no arithmetic of lower precision here and says so"
}
