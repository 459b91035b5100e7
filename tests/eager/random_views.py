"""Random programs of views, writes and reads as text, to be run under any library that has torch's names.

Each step is one line; what it raises is printed, and so is what a program can see of every value: shape, strides, place, version, history.
"""

import numpy as np

VIEWS = (
    "{v}[0]", "{v}[-1:]", "{v}[..., ::2]", "{v}[None]", "{v}[...]", "{v}.view(-1)", "{v}.reshape(-1)", "{v}.reshape({v}.shape[::-1])", "{v}.transpose(0, -1)",
    "{v}.permute(tuple(range({v}.dim()))[::-1])", "{v}.unsqueeze(-1)", "{v}.squeeze()", "{v}.flatten()", "{v}.narrow(0, 0, 1)", "{v}.select(-1, 0)",
    "{v}.diagonal()", "{v}.diagonal(1)", "{v}.expand(2, *{v}.shape)", "{v}.movedim(0, -1)", "{v}.swapaxes(0, -1)", "{v}.mT",
    "{v}.unflatten(0, (-1, 1))", "{v}.as_strided((2, 2), (2, 1))", "{v}.unfold(0, 1, 1)", "{v}.unfold(-1, 2, 2)",
    "{v}.split(1)[0]", "{v}.unbind()[-1]", "{v}.chunk(2, -1)[0]", "{v}.tensor_split(2)[0]", "{v}.view_as({v})",
    "{v}.contiguous()", "{v}.expand_as({v})", "torch.atleast_2d({v})", "{v} + 0", "{v} * 2", "{v}.positive()", "{v}.hsplit(1)[0]",
)  # fmt: skip
WRITES = (
    "{v}.mul_({c})", "{v}.add_({w}.sum())", "{v}.copy_({w}.sum() * {c})", "{v}.zero_()", "{v}.fill_({c})", "{v}.sub_({c})", "{v}[0] = {c}", "{v}[..., -1] = {w}.sum()",
    "{v}.neg_()", "{v}.add_({v}.detach().clone())", "{v} += {c}", "{v}.clamp_(-3.0, 3.0)", "{v}.mul_({w}.detach().sum())",
)  # fmt: skip
FACTS = """
def facts(names):
    for i, t in enumerate(names):
        try:
            name = t.grad_fn.name() if t.grad_fn is not None else None
        except RuntimeError:
            name = "invalid"
        leaf = None if name == "invalid" else t.is_leaf
        base = None if t._base is None else [j for j, u in enumerate(names) if u is t._base]
        print(i, tuple(t.shape), [s for s, k in zip(t.stride(), t.shape) if k > 1], t.storage_offset() if t.numel() else 0, t._version, t._is_view(), base, name, t.requires_grad, leaf, [format(e, ".5g") for e in t.detach().flatten().tolist()])
def step(line, n, names, space):
    try:
        exec(line, space)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        kind = [c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"][0]
        print("raises", kind, flush=True)
"""


def program(seed, steps=12):
    """The text of the program with this seed.  Writes to windows that share elements are left out: torch allows them with undefined results."""
    rng = np.random.default_rng(seed)
    source = (
        "torch.arange(12.0, dtype=torch.float64).view(3, 4)",
        "torch.arange(8.0, dtype=torch.float64).view(2, 2, 2)",
        "torch.arange(6.0, dtype=torch.float64)",
    )[rng.integers(3)]
    lines = [FACTS, f"x = {source}.clone().requires_grad_()"]
    start = ("x * 1", f"{source}.clone()", "(x * 1).t().clone().t() if x.dim() == 2 else x * 1", "x")[
        rng.choice(4, p=[0.55, 0.2, 0.1, 0.15])
    ]
    lines.append(f"n = [{start}]\nspace = dict(torch=torch, n=n, x=x)")
    count = 1
    for _ in range(steps):
        v, w, c = (
            f"n[{rng.integers(count)} % len(n)]",
            f"n[{rng.integers(count)} % len(n)]",
            f"{rng.integers(1, 9) / 2}",
        )
        mode = ("", "", "", "", "with torch.no_grad(): ")[rng.integers(5)]
        kind = rng.integers(10)
        if kind < 5:
            text = VIEWS[rng.integers(len(VIEWS))].format(v=v)
            lines.append(f"step({mode + f'n.append({text})'!r}, n, n, space)")
            count += 1
        elif kind < 9:
            text = WRITES[rng.integers(len(WRITES))].format(v=v, w=w, c=c)
            lines.append(f"step({mode + text!r}, n, n, space)")
        else:
            lines.append(f"step('n.append({v} * {w}.sum())', n, n, space)")
            count += 1
    lines.append("facts(n)")
    lines.append(
        "step('s = x.sum() * 0\\nfor i, t in enumerate(n):\\n    try: s = s + (t * t).sum() * (i + 1)\\n    except RuntimeError: print(\"unused\", i)', n, n, space)"
    )
    lines.append("step('space_s.backward(); space.update(done=True)', n, n, dict(space=space, space_s=space['s']))")
    lines.append(
        "print(x.grad is not None and 'done' in space and [format(g, '.5g') for g in x.grad.flatten().tolist()])"
    )
    return "\n".join(lines)
