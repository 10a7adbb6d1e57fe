"""Pictures that stand alone: where they may go; that of a domain, by `pinnreg describe NAME --plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pinnreg import domain as domains
from pinnreg import equations, plots
from pinnreg.cli.target import JsonFile, check_file
from pinnreg.errors import InputError
from pinnreg.run.folder import is_own

if TYPE_CHECKING:
    from pinnreg.domain import Domain, Side
    from pinnreg.plots.style import Figure

INSIDE, ON = 150, 48**2
"""Points inside, and on sides, of which some are marked."""


def path_of(name: str, given: Path | None, json: JsonFile | None, domain: Domain) -> Path:
    """Where the picture of a problem's domain goes, checked before anything is printed.

    Raises:
        InputError: a domain that cannot be drawn, no figure's format, a file that cannot be written, or one that was
            not drawn here.
    """
    plots.drawn_axes(domain)
    return standing_alone("--plot", Path(f"{name}_domain.png") if given is None else given, json)


def standing_alone(option: str, path: Path, json: JsonFile | None) -> Path:
    """A path for a picture that lies among the user's files, where it may replace only another such picture.

    Raises:
        InputError: no figure's format, a file that cannot be written, or one that is not a picture of this kind.
    """
    plots.check_format(path)
    check_file(option, path)
    if is_own(path):
        raise InputError(f"{option} {path}: pinnreg keeps a file of its own there; choose another name")
    if json is not None and json.path.resolve() == path.resolve():
        raise InputError(f"{option} {path}: the same file as --json; give them two names")
    if path.exists() and not plots.is_marked(path):
        raise InputError(f"{option} {path}: exists, and pinnreg has not drawn it; move it away")
    return path


def draw(problem: equations.Problem, title: str, path: Path) -> None:
    """Draw a problem's domain, and where its conditions hold, into a file.

    Raises:
        InputError: a domain that cannot be drawn.
    """
    domain = problem.domain
    axes = plots.drawn_axes(domain)
    sides = {side: f"{side} ({said})" for side, said in parts_of(domain).items() if _is_drawn(side, axes)}
    held = [_held(each, domain, axes) for each in equations.named_conditions(problem)]
    save(plots.domain_picture(domain, sides, held, title=title), path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure that stands alone; makes the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plots.save(figure, path, mark=True)


def parts_of(domain: Domain) -> dict[Side, str]:
    """The parts of a domain's boundary, and its interfaces, with their measures in words."""
    return {side: _measure(domain, side) for side in _sides(domain)}


def size_of(domain: Domain) -> str:
    """The measure of a domain in space, in words."""
    count = len(domain.space_axes)
    return f"{_word(count)} {domain.volume / _duration(domain):.4g}"


def _sides(domain: Domain) -> tuple[Side, ...]:
    in_space = domain.faces(None) if domain.space_axes else ()
    ends = domain.faces("t") if "t" in domain.axes else ()
    return (*in_space, *ends, *domain.interfaces)


def measure_of(domain: Domain, side: Side) -> float:
    """The measure of a part of the boundary in space."""
    return domain.measure(side) / (1.0 if side.axis == "t" else _duration(domain))


def _measure(domain: Domain, side: Side) -> str:
    dimension = len(domain.space_axes) - (side.axis != "t")
    where = "inside, " if side in domain.interfaces else ""
    return f"{where}{_word(dimension)} {measure_of(domain, side):.4g}" if dimension else f"{where}a point"


def _duration(domain: Domain) -> float:
    start, end = domain.bounds.get("t", (0.0, 1.0))
    return end - start


def _word(dimension: int) -> str:
    return {1: "length", 2: "area", 3: "volume"}.get(dimension, "measure")


def _is_drawn(side: Side, axes: tuple[str, ...]) -> bool:
    return not side.axis or side.axis in axes


def _held(condition: equations.Condition, domain: Domain, axes: tuple[str, ...]) -> plots.Held:
    label = " ".join(filter(None, [f"{condition.name}:", condition.formula, condition.place(domain)]))
    if condition.kind == "measurements":
        return plots.Held(label, condition.points.numpy()[:INSIDE], True)
    faces = [side for side in condition.faces(domain) if _is_drawn(side, axes)]
    if not faces:
        x = condition.sample(domain, INSIDE, "sobol", 0).x
        return plots.Held(label, x.numpy(), len(x.unique(dim=0)) > 1)
    # one after the other along a side, and many since those of a time beside it coincide
    count = ON * (1 if isinstance(domain, domains.Box) and domain.dimension == 2 else len(faces))
    whole = sum(domain.measure(side) for side in _sides(domain) if _is_drawn(side, axes))
    share = sum(map(domain.measure, faces)) / whole
    return plots.Held(label, condition.sample(domain, count, "grid", 0).x.numpy(), False, share)
