"""Compiling a function that takes gradients inside.

`torch.compile` reads Python and gives up on a user's residual, on Fields and on gradients of gradients. So the function
is run once on fake tensors, which records the plain tensor operations of forward and backward pass as one graph; that
graph is what is compiled. On CUDA its kernels are captured and replayed as a CUDA graph.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree


def recorded(function: Callable[..., Any], *example: Any) -> Callable[..., Any]:
    """The same function as a plain list of tensor operations, for arguments of the shapes of `example`.

    Gradients that it takes are part of the list, which is to be run without recording any. Python values and tensors
    that it does not get as arguments are frozen as they are now. Arguments and raises as in `compiled`.
    """
    # what torch remembers of earlier fake tensors makes it fail on views of gradients that it records again
    FakeTensorMode.cache_clear()
    with _quiet():
        # without the wrapper a bound method would count its object among the arguments
        plain = lambda *arguments: function(*arguments)  # noqa: E731, PLW0108
        graph: Callable[..., Any] = make_fx(plain, tracing_mode="fake", _allow_non_fake_inputs=True)(*example)
    return graph


def compiled(function: Callable[..., Any], *example: Any) -> Callable[..., Any]:
    """The same function, compiled for arguments of the shapes of `example`.

    Args:
        function: of nested dicts, lists and tuples of tensors, to such. What it does may depend on shapes, not on
            values; tensors and Python values that it does not get as arguments are taken for constants.
        example: arguments, on one device.

    Raises:
        Exception: of any kind, where the function cannot be recorded or compiled.
    """
    device = next(leaf.device for leaf in pytree.tree_leaves(example) if isinstance(leaf, torch.Tensor))
    on_cuda = device.type == "cuda"
    graph = recorded(function, *example)
    with _quiet():
        inner = torch.compile(graph, dynamic=False, mode="reduce-overhead" if on_cuda else "default")
        with torch.no_grad():
            inner(*example)  # torch compiles at the first call

    def call(*arguments: Any) -> Any:
        with torch.no_grad():
            if not on_cuda:
                return inner(*arguments)
            # the next replay writes into the memory of these results
            torch.compiler.cudagraph_mark_step_begin()
            return pytree.tree_map(torch.clone, inner(*arguments))

    return call


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the compiler's warnings about its own internals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
