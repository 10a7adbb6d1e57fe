"""A trained solution as one program for plain PyTorch, which runs without pinnreg, and its weights as plain arrays.

The program is one of `torch.export`. TorchScript, its forerunner, is deprecated; a pickled module would need the code
of pinnreg and of the problem to load, and may run whatever it likes then. The functions of a problem's conditions and
features become torch's own operations in it, for any number of points, in the precision of the run, and differentiable
by the points as often as torch can.

An initial condition of order 1 takes a slope of other data by autograd inside of the solution. `torch.export` would
keep it for a fixed number of points and cut it off from the gradient; `make_fx` writes it out as operations first.
"""

from __future__ import annotations

import copy
import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor, fx, nn

from pinnreg import files
from pinnreg.equations import Trial
from pinnreg.errors import InputError, is_signal

if TYPE_CHECKING:
    from torch.export import ExportedProgram

ABOUT = "about.json"
"""What the program's file holds besides: axes, outputs, and where it is from."""
APART = {torch.float64: 1e-12, torch.float32: 1e-4}
"""How far the program and the solution may be apart, of the size of the values."""


@final
class _Trained(nn.Module):
    """The trial function with its network."""

    def __init__(self, trial: Trial, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._trial = trial

    def forward(self, points: Tensor) -> Tensor:
        return self._trial(self.network, points)


def write_program(
    trial: Trial,
    network: nn.Module,
    parameters: Mapping[str, Tensor],
    tried: Tensor,
    about: Mapping[str, Any],
    path: Path,
) -> list[Path]:
    """Write the program, and beside it `<name>_weights.npz` with the network's parameters and buffers by name.

    Args:
        trial: how the network becomes the solution.
        network: its architecture; it is left as it is.
        parameters: its trained parameters by name.
        tried: points (n, d) of the domain at which the program has to agree with the solution, in values and slopes.
        about: what its file says besides of where it is from.
        path: of the program.

    Returns:
        The program and the weights.

    Raises:
        InputError: a function of the problem, or a network, that torch cannot follow.
        OSError: a file cannot be written.
    """
    own = copy.deepcopy(network).cpu()
    own.load_state_dict({name: each.detach().cpu() for name, each in parameters.items()}, strict=False)
    trained = _Trained(trial, own).eval().requires_grad_(False)
    like = next(own.parameters())
    at = tried.to(like)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own, which change from release to release
            program = _exported(trained, at)
            apart = _apart(program.module(), trained, at)
    except Exception as error:
        if is_signal(error):
            raise
        raise InputError(f"{path}: torch cannot write this as a program: {_said(error)}") from error
    if not apart <= APART[like.dtype]:
        raise InputError(
            f"{path}: torch cannot write this as a program: it differs by {apart:.1e}, as where a function of the "
            "problem, or the network, computes outside of torch or decides by values"
        )
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={ABOUT: json.dumps(dict(about), ensure_ascii=False)})
    arrays = {name: each.numpy() for name, each in own.state_dict().items()}
    weights = weights_of(path)
    files.write(weights, lambda file: np.savez(file, allow_pickle=False, **arrays))
    files.write(path, lambda file: file.write(content.getvalue()))
    return [path, weights]


def _said(error: Exception) -> str:
    """What is wrong, in one line."""
    text = str(error).strip()
    if "size()[0]" in text and "Constraints violated" in text:
        return "a function, or the network, takes one number of points alone, as by len(x) in place of x.shape[0]"
    return f"{type(error).__name__}: {text.partition(chr(10))[0]}"


def weights_of(path: Path) -> Path:
    """The file of the weights beside a program."""
    return path.with_name(f"{path.stem}_weights.npz")


def _exported(trained: nn.Module, at: Tensor) -> ExportedProgram:
    """The program, for any number of points."""
    # a second to import, which only those wait for who write a program
    from torch.export import Dim, export  # noqa: PLC0415
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415

    # a number that is not also one of something else, which would be taken for the same
    few = at[torch.arange(at.shape[1] + 3) % len(at)]
    graph = make_fx(trained, tracing_mode="symbolic", _allow_non_fake_inputs=True)(few.clone().requires_grad_())
    _keep_gradients(graph)
    program = export(graph, (few,), dynamic_shapes=({0: Dim.DYNAMIC},), strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # files of this machine, nobody else's business
    return program


def _keep_gradients(graph: fx.GraphModule) -> None:
    """Take out where autograd cut off what it kept for itself: values stay, and derivatives of slopes do not vanish."""
    for node in list(graph.graph.nodes):
        if node.target is torch.ops.aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()


def _apart(program: nn.Module, trained: nn.Module, at: Tensor) -> float:
    """The largest difference of values, and of slopes, over their size."""
    (values, slopes), (known, known_slopes) = (_with_slopes(each, at) for each in (program, trained))
    pairs = ((values, known), (slopes, known_slopes))
    return max(float((one - other).abs().max() / (1e-300 + other.abs().max())) for one, other in pairs)


def _with_slopes(function: nn.Module, at: Tensor) -> tuple[Tensor, Tensor]:
    points = at.clone().requires_grad_()
    with torch.enable_grad():
        values = function(points)
        columns = values.unbind(dim=1)
        slopes = [
            torch.autograd.grad(each.sum(), points, retain_graph=True, materialize_grads=True) for each in columns
        ]
    return values.detach(), torch.stack([each for (each,) in slopes])
