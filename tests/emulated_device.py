"""A second device on the CPU, for tests of what only another device would show.

Inside `emulated_device` the device that runs are on is torch's `meta`, and its tensors are a subclass that holds the
data on the CPU. Each operation is run there, after the checks that a real device makes: all tensors are on one device,
but for CPU numbers (of no dimension) in pointwise operations and CPU tensors as index; none becomes a NumPy array; a
generator belongs to the device of what it fills. What makes the program wait for the device is noted, with the line of
the package that did it:

- "copy": data go from one device to the other, explicitly or as index;
- "wait": a value decides what comes next, as in `item`, `float`, `bool`, `nonzero` or an index by a mask.

It is not a model of time: launches cost what they cost on the CPU, and a copy that does not block is none here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, ClassVar, Literal, final

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("lazy")
CPU = torch.device("cpu")
PACKAGE = Path(__file__).parents[1] / "pinnreg"

aten = torch.ops.aten
WAITING = {
    aten._linalg_check_errors,
    aten._local_scalar_dense,
    aten._unique2,
    aten.equal,
    aten.is_nonzero,
    aten.masked_select,
    aten.multinomial,  # asks whether the weights can be drawn from
    aten.nonzero,
    aten.unique_consecutive,
    aten.unique_dim,
}
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._unsafe_index, aten._index_put_impl_}
"""Their second argument is a list of indices, which may be on the CPU."""
COPYING = {aten._to_copy, aten.copy_, aten.copy}
PLAIN = {int, float, bool, type(None), torch.dtype, torch.device, torch.layout}
"""Types of most arguments that are no tensors."""
FILLING = {aten.fill, aten.fill_, aten.masked_fill, aten.masked_fill_}
"""Not pointwise to torch, but they take a CPU number too."""


class OtherDeviceError(RuntimeError):
    """What a real device refuses."""


@final
@dataclass(frozen=True)
class Event:
    """Something that the program waited for, or that was refused."""

    kind: Literal["copy", "wait", "refused"]
    operation: str
    place: str


@final
@dataclass
class Record:
    """All that happened since the device was there."""

    events: list[Event] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def note(self, kind: Literal["copy", "wait", "refused"], operation: str) -> None:
        """Add an event at the innermost line of the package or of a test."""
        self.events.append(Event(kind, operation, _place()))

    def refuse(self, message: str) -> OtherDeviceError:
        """The error to raise; noted, since there is code that catches errors and goes another way."""
        self.note("refused", message)
        return OtherDeviceError(message)

    def start_step(self) -> None:
        """To be called before each step of a training, as the hook `interrupted`."""
        self.starts.append(len(self.events))

    def second_step(self) -> list[Event]:
        """What happened in it: the first may choose how to go on, the last is followed by the end of the run."""
        assert len(self.starts) > 2, "the run was too short to see its second step apart"
        return self.events[self.starts[1] : self.starts[2]]


def of_kind(kind: str, events: Iterable[Event]) -> list[str]:
    """The events of one kind as lines, the most frequent first: how often, where, what."""
    found = Counter(event for event in events if event.kind == kind).most_common()
    return [f"{times} x {event.place} {event.operation}" for event, times in found]


@contextmanager
def emulated_device() -> Iterator[Record]:
    """Runs inside are on the emulated device, whatever their config says.

    Raises:
        OtherDeviceError: something was refused and the refusal caught by the program, at the end.
    """
    record = Record()
    EmulatedGenerator.there.clear()
    with pytest.MonkeyPatch.context() as patch:
        _replace_what_makes_host_data(patch, record)
        for name, module in list(sys.modules.items()):
            if name.startswith("pinnreg") and hasattr(module, "choose_device"):
                patch.setattr(module, "choose_device", lambda _: DEVICE)
        with _Emulation(record):
            yield record
    if refused := of_kind("refused", record.events):
        raise OtherDeviceError("\n".join(["refused, and caught by the program:", *refused]))


@final
class EmulatedTensor(Tensor):
    """A tensor on the emulated device; what it holds is on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> EmulatedTensor:
        made: EmulatedTensor = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=False,
        )
        made.held = held
        return made

    # a subclass for what it holds, not for what functions do
    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        raise AssertionError(f"{function}: the emulated device is gone")


@final
class EmulatedGenerator(torch.Generator):
    """Random numbers for tensors on the emulated device, or on the CPU as torch's own."""

    # operations see another Python object for the same generator
    there: ClassVar[dict[int, bool]] = {}

    @staticmethod
    def __new__(cls, device: torch.device | str = CPU) -> EmulatedGenerator:
        made: EmulatedGenerator = super().__new__(cls, CPU)
        cls.there[made._cdata] = torch.device(device) == DEVICE
        return made

    @property
    def device(self) -> torch.device:
        """Where it may be used."""
        return DEVICE if self.there[self._cdata] else CPU


@final
@dataclass(frozen=True)
class _Kind:
    """What an operation may do with tensors of two devices."""

    name: str
    copies: bool
    indexes: bool
    waits: bool
    takes_numbers: bool

    @staticmethod
    def of(function: Any) -> _Kind:
        packet = function.overloadpacket
        indexes = packet in INDEXING
        takes_numbers = indexes or packet in FILLING or torch.Tag.pointwise in function.tags
        return _Kind(packet.__name__, packet in COPYING, indexes, packet in WAITING, takes_numbers)


@final
class _Emulation(TorchDispatchMode):
    def __init__(self, record: Record) -> None:
        super().__init__()
        self._record = record
        self._kinds: dict[Any, _Kind] = {}

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kind = self._kinds.get(function) or self._kinds.setdefault(function, _Kind.of(function))
        there: dict[int, EmulatedTensor] = {}  # by what they hold
        here: list[Tensor] = []
        held_args, held_kwargs = _held(args, there, here), _held(kwargs, there, here)
        if any(each.device == DEVICE for each in here):
            raise self._record.refuse(f"{kind.name}: a tensor without data; this way to make one is not emulated")
        target = kwargs.get("device")
        if kind.copies:
            to_device = target == DEVICE if target is not None else isinstance(args[0], EmulatedTensor)
            source = args[1] if len(args) > 1 else args[0]
            if to_device is not isinstance(source, EmulatedTensor):
                self._record.note("copy", kind.name)
        else:
            to_device = bool(there) if target is None else target == DEVICE
            if there:
                self._check(kind, args, here)
        self._check_generator(kind, kwargs.get("generator"), on_device=to_device)
        if target is not None:
            held_kwargs["device"] = CPU
        if function is aten._efficientzerotensor.default:
            function = aten.zeros.default  # that has no data, and is for what comes before operations get here
        result = function(*held_args, **held_kwargs)
        for each in there.values():
            assert each.shape == each.held.shape, f"{kind.name}: a tensor there cannot change its shape"
        return _emulated(result, there) if to_device else result

    def _check(self, kind: _Kind, args: tuple[Any, ...], here: list[Tensor]) -> None:
        """Refuse tensors `here`, on the CPU, beside some on the device, but for those that a device takes too."""
        if kind.waits:
            self._record.note("wait", kind.name)
        if kind.indexes and isinstance(args[0], EmulatedTensor):
            indices = [index for index in args[1] if index is not None]
            if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
                self._record.note("wait", f"{kind.name} by a mask")
            for index in indices:
                if not isinstance(index, EmulatedTensor):
                    self._record.note("copy", f"{kind.name} by an index on the CPU")
            here = [each for each in here if not any(each is index for index in indices)]
        for each in here:
            if each.ndim or not kind.takes_numbers:
                raise self._record.refuse(
                    f"{kind.name}: expected all tensors to be on the same device, but one of shape "
                    f"{tuple(each.shape)} is on the CPU"
                )

    def _check_generator(self, kind: _Kind, generator: torch.Generator | None, *, on_device: bool) -> None:
        if generator is not None and EmulatedGenerator.there.get(generator._cdata, False) != on_device:
            raise self._record.refuse(f"{kind.name}: a generator of another device")


def _held(value: Any, there: dict[int, EmulatedTensor], here: list[Tensor]) -> Any:
    """An argument with what the tensors in it hold; notes the tensors of both devices."""
    kind = type(value)
    if kind is EmulatedTensor:
        there[id(value.held)] = value
        return value.held
    if kind in PLAIN:
        return value
    if isinstance(value, Tensor):
        here.append(value)
    elif isinstance(value, (list, tuple)):
        return [_held(each, there, here) for each in value]
    elif isinstance(value, dict):
        return {name: _held(each, there, here) for name, each in value.items()}
    return value


def _emulated(value: Any, there: dict[int, EmulatedTensor]) -> Any:
    """A result on the device; what was changed in place, and is returned, stays the same tensor."""
    if isinstance(value, Tensor):
        return there[id(value)] if id(value) in there else EmulatedTensor(value)
    return type(value)(_emulated(each, there) for each in value) if isinstance(value, list | tuple) else value


def _replace_what_makes_host_data(patch: pytest.MonkeyPatch, record: Record) -> None:
    """What torch does in C++ with the data themselves, before any operation is seen."""

    def by_device_index(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Tensor, index: Any, *value: Any) -> Any:
            return method(self, _index_there(index) if self.device == DEVICE else index, *value)

        return wrapped

    def made_there(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Any:
            made = function(data, *args, **kwargs)
            return made if device is None else made.to(device)

        return wrapped

    def new_tensor(
        self: Tensor, data: Any, *, dtype: torch.dtype | None = None, device: torch.device | None = None, **kwargs: Any
    ) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, device=device or self.device, **kwargs)

    def only_on_cpu(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            if self.device == DEVICE:
                raise record.refuse("a tensor of another device cannot be a NumPy array; use Tensor.cpu() first")
            return method(self, *args, **kwargs)

        return wrapped

    def tolist(self: Tensor) -> Any:
        return own_tolist(self.cpu())

    own_tolist = Tensor.tolist
    for name in ("__getitem__", "__setitem__"):
        patch.setattr(Tensor, name, by_device_index(getattr(Tensor, name)))
    for name in ("numpy", "__array__"):
        patch.setattr(Tensor, name, only_on_cpu(getattr(Tensor, name)))
    for name in ("tensor", "as_tensor"):
        patch.setattr(torch, name, made_there(getattr(torch, name)))
    patch.setattr(Tensor, "new_tensor", new_tensor)
    patch.setattr(Tensor, "tolist", tolist)
    patch.setattr(torch, "Generator", EmulatedGenerator)
    # series write all rows into one tensor, unless it is a compiler's
    patch.setattr("pinnreg.taylor.kernels.Tensor", EmulatedTensor)
    patch.setattr(torch, DEVICE.type, ModuleType(DEVICE.type), raising=False)  # what torch asks about its devices
    # as on CUDA, one kernel updates all parameters
    fused = ["cpu", "cuda", DEVICE.type]
    patch.setattr(sys.modules["torch.optim.optimizer"], "_get_fused_kernels_supported_devices", lambda: fused)


def _index_there(index: Any) -> Any:
    """An index whose lists and arrays are tensors on the emulated device, as torch copies them there."""
    if isinstance(index, tuple):
        return tuple(_index_there(each) for each in index)
    if isinstance(index, list) or type(index).__module__ == "numpy":
        return torch.as_tensor(index).to(DEVICE)
    return index


def _place() -> str:
    """The innermost line of the package, or of a test."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(PACKAGE) or file.name.startswith("test_"):
            return f"{file.relative_to(PACKAGE.parent)}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"
