"""Embeddings and the bilinear layer as modules."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import empty
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, OptionError, explain
from tracegrad.nn import functional, init
from tracegrad.nn.module import Module
from tracegrad.nn.parameter import Parameter


class _Lookup(Module):
    """A table weight (num_embeddings, embedding_dim), normal at first; the row padding_idx is 0 and gets no gradient."""

    def _set(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, table: Any, device: Any, dtype: Any
    ) -> None:
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                problem = "Padding_idx must be within num_embeddings"
                raise OptionError(explain(type(self).__name__, problem, padding_idx=padding_idx))
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        if table is None:
            self.weight = Parameter(empty((num_embeddings, embedding_dim), dtype=dtype, device=device))
            self.reset_parameters()
            return
        if tuple(table.shape) != (num_embeddings, embedding_dim):
            problem = "Shape of weight does not match num_embeddings and embedding_dim"
            raise OptionError(explain(type(self).__name__, problem, weight=list(table.shape)))
        self.weight = Parameter(table)

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0


class Embedding(_Lookup):
    """The rows of a table that indices name."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._set(num_embeddings, embedding_dim, padding_idx, _weight, device, dtype)
        if _freeze:
            self.weight.requires_grad_(False)

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (*p) -> (*p, embedding_dim)."""
        options = (self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return functional.embedding(input, self.weight, *options)

    def extra_repr(self) -> str:
        """What the repr shows."""
        shown = [f"{self.num_embeddings}, {self.embedding_dim}"]
        shown += [] if self.padding_idx is None else [f"padding_idx={self.padding_idx}"]
        shown += [] if self.max_norm is None else [f"max_norm={self.max_norm}"]
        shown += [f"norm_type={self.norm_type}"] if self.norm_type != 2 else []
        shown += ["scale_grad_by_freq=True"] if self.scale_grad_by_freq else []
        shown += ["sparse=True"] if self.sparse else []
        return ", ".join(shown)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An Embedding with a given table, which does not require grad if freeze.  Raises AssertionError unless it is a matrix."""
        if embeddings.ndim != 2:
            raise OptionError(explain("from_pretrained", "Embeddings parameter is expected to be 2-dimensional"))
        rows, columns = embeddings.shape
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, _freeze=freeze
        )


class EmbeddingBag(_Lookup):
    """Sums, means or maxima of rows of a table."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type, self.mode = max_norm, norm_type, mode
        self.scale_grad_by_freq, self.sparse, self.include_last_offset = scale_grad_by_freq, sparse, include_last_offset
        self._set(num_embeddings, embedding_dim, padding_idx, _weight, device, dtype)

    def forward(self, input: Tensor, offsets: Any = None, per_sample_weights: Any = None) -> Any:  # noqa: A002
        """Shapes: (bags, length), or (n,) with offsets (bags,) -> (bags, embedding_dim)."""
        return functional.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """What the repr shows."""
        shown = f"{self.num_embeddings}, {self.embedding_dim}"
        shown += "" if self.max_norm is None else f", max_norm={self.max_norm}"
        shown += "" if self.norm_type == 2 else f", norm_type={self.norm_type}"
        shown += ", scale_grad_by_freq=True" if self.scale_grad_by_freq else ""
        shown += f", mode={self.mode!r}"
        return shown + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """An EmbeddingBag with a given table, which does not require grad if freeze.  Raises AssertionError unless it is a matrix."""
        if embeddings.ndim != 2:
            raise OptionError(explain("from_pretrained", "Embeddings parameter is expected to be 2-dimensional"))
        options = (max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx)
        made = cls(*embeddings.shape, *options)
        made.weight.requires_grad_(not freeze)
        return made


class Bilinear(Module):
    """x1^T weight x2 + bias.  weight and bias start uniform in +-1/sqrt(in1_features)."""

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ArgumentValueError(explain("Bilinear", f"in1_features must be > 0, but got {in1_features}"))
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty((out_features, in1_features, in2_features), dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty((out_features,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Any:
        """Shapes: (*p, in1_features), (*p, in2_features) -> (*p, out_features)."""
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """What the repr shows."""
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


__all__ = ["Bilinear", "Embedding", "EmbeddingBag"]
