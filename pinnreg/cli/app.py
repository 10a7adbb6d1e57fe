"""The commands; each is a thin layer over a Python call."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pinnreg import __version__, config, parallel, plots, registry, report, run, scanning, training
from pinnreg.cli import options, picture, show
from pinnreg.cli.analyse import analyse
from pinnreg.cli.bench import bench
from pinnreg.cli.compare import compare
from pinnreg.cli.export import export
from pinnreg.cli.process import be_silent, guarded, keep_memory, problem_folders, signals, use_threads
from pinnreg.cli.reproduce import reproduce
from pinnreg.cli.runs import runs
from pinnreg.cli.schema import schema
from pinnreg.cli.study import study
from pinnreg.cli.template import write_config_template, write_template
from pinnreg.cli.values import print_values
from pinnreg.errors import InputError

ORDER = (
    *("list", "describe", "new-problem", "schema", "new-config", "solve", "runs", "evaluate", "plot", "report"),
    *("animate", "analyse", "compare", "export", "study", "bench", "reproduce"),
)
"""In which the commands are used, and `--help` lists them."""


class InOrder(typer.core.TyperGroup):
    """The commands in that order."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them."""
        return [*(name for name in ORDER if name in self.commands), *sorted(set(self.commands) - set(ORDER))]


app = typer.Typer(
    name="pinnreg",
    cls=InOrder,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(bench, name="bench")
app.command()(study)
app.command()(reproduce)
app.command()(analyse)
app.command()(runs)
app.command()(compare)
app.command()(export)
app.command()(schema)

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="K=V", help="Override a key, as in train.0.steps=50; repeatable."),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; always ends the process with the exit code of the outcome."""
    keep_memory()
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = shlex.join(["pinnreg", *given])  # as the context's `obj`, for commands that record how they were called
    sys.exit(guarded(lambda: _command()(args=given, standalone_mode=False, obj=command)))


@cache
def _command() -> Any:
    """What typer makes of all signatures, which takes longer than most commands."""
    return typer.main.get_command(app)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Solve partial differential equations with regularised physics-informed neural networks."""
    if version:
        show.line(__version__)
    elif context.invoked_subcommand is None:
        show.line(context.get_help())


@app.command("list")
def list_(problems: options.Problems = None, json: options.Json = None) -> None:
    """The problems, configs, regularisers, optimisers, networks, activations and samplers that there are."""
    folders = problem_folders(problems)
    found = registry.find(folders)
    descriptions = {name: show.first_line(path) for name, path in found.items()}
    groups = {name: scanning.group_of(path) for name, path in found.items()}
    own = {
        role: {name: scanning.first_line(path) for name, path in registry.find(folders, role).items()}
        for role in scanning.PARTS
    }
    show.catalogue(descriptions, groups, own, json)


@app.command()
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A problem, or a config.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where the picture goes; NAME_domain.png if not given.")
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the domain, and where conditions hold; may be followed by a FILE.")
    ] = False,
    sketched: Annotated[
        bool | None, typer.Option("--sketch/--no-sketch", help="Show the reference in letters; on a terminal unasked.")
    ] = None,
    problems: options.Problems = None,
    json: options.Json = None,
) -> None:
    """A problem's equation, parameters, domain, conditions and defaults."""
    if file is not None and not plot:
        raise InputError(f"{file}: describe takes a file only with --plot, for the picture that it draws")
    resolved = config.resolve(name, {}, problem_folders(problems))
    title = str(resolved.config.problem["name"])
    target = picture.path_of(title, file, json, resolved.problem.domain) if plot else None
    show.problem(resolved, json)
    if target is not None:
        picture.draw(resolved.problem, title, target)
        show.line(str(target))
    if sys.stdout.isatty() if sketched is None else sketched:
        for text in plots.sketch(resolved.problem):
            show.line(text)


@app.command()
def solve(
    given: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="A YAML file, a shipped config or a problem.")
    ] = None,
    set_: SetOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed, before the config's.")] = None,
    device: options.Device = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The run's folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in --out.")] = False,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run.")] = None,
    problems: options.Problems = None,
    threads: options.Threads = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes", min=1, metavar="N", help="Share the rows among N processes; those of torchrun, or 1."
        ),
    ] = None,
    json: options.Json = None,
    quiet: options.Quiet = False,
) -> None:
    """Solve a PDE and draw its error field."""
    if parallel.follows():
        be_silent()
    if resume is not None and (out is not None or overwrite):
        raise InputError("--resume goes on inside the run's own folder; leave out --out and --overwrite")
    if json is not None:
        json.refuse_own(out)
    overrides: dict[str, Any] = config.parse_overrides(set_ or [])
    overrides |= {} if seed is None else {"seed": seed}
    overrides |= {} if device is None else {"device": device}
    if given is not None and resume is None:
        with show.notes(quiet=True):  # which come again with the run
            config.check(given, overrides, problem_folders(problems))
    use_threads(threads)
    folders = problem_folders(problems)
    with parallel.team_of(processes, ["pinnreg", *sys.argv[1:]]) as team:
        if team is not None and not team.leads:
            run.follow(team, given, overrides, resume=resume, problems=folders)
            return
        with signals() as interrupted, show.notes(quiet):
            solution = run.solve(
                given,
                overrides,
                out=resume or out,
                resume=resume is not None,
                problems=folders,
                overwrite=overwrite,
                hooks=training.Hooks(interrupted=interrupted, undisturbed=interrupted.deferred),
                progress=not quiet,
                team=team,
            )
    assert solution.folder is not None
    assert solution.report is not None
    show.result(solution.folder, report.summary(solution.report), quiet, json)


@app.command()
def evaluate(
    folder: options.Run,
    grid: options.Grid = None,
    estimate: Annotated[
        Literal["auto", "defect", "twin", "none"] | None,
        typer.Option("--estimate", help="How the error is estimated."),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at", metavar="x=.5,t=.1|FILE", help="Values at a point, repeatable, or at those of a CSV file."
        ),
    ] = None,
    derivative: Annotated[
        list[str] | None, typer.Option("--derivative", metavar="NAME", help="With --at: such as xx, too; repeatable.")
    ] = None,
    device: options.Device = None,
    problems: options.Problems = None,
    json: options.Json = None,
) -> None:
    """A run's errors, computed anew on any grid, or its values at points; writes nothing into the run."""
    if at:
        if grid or estimate or device:
            raise InputError("--at: values at points have no --grid, --estimate or --device; leave these out")
        with show.notes(quiet=False):
            print_values(folder, at, derivative or (), problems, json)
        return
    if derivative:
        raise InputError("--derivative: say where with --at, as in --at x=0.5")
    with show.notes(quiet=False):
        folders = problem_folders(problems)
        solution = run.evaluate(
            folder, grid=options.counts("--grid", grid), device=device, problems=folders, estimate=estimate
        )
    assert solution.report is not None
    known = solution.report.facts
    facts = {"run": str(folder), "estimate": known.get("estimate")}
    facts |= {key: known[key] for key in ("bound", "bands") if key in known}
    show.errors(report.summary(replace(solution.report, facts=facts)), json)


@app.command()
def plot(
    folder: options.Run,
    format_: Annotated[str, typer.Option("--format", help="png, pdf or svg.")] = "png",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="K=V", help="As figures.size=single-column, or figures.times=[0.1,0.5]; repeatable."
        ),
    ] = None,
    problems: options.Problems = None,
) -> None:
    """Draw a run's figures again, in any format, size and selection, also of one that has not ended."""
    if format_ not in ("png", "pdf", "svg"):
        raise InputError(f"--format {format_}: expected png, pdf or svg")
    with show.notes(quiet=False):
        paths = run.redraw(folder, format_, problem_folders(problems), config.parse_overrides(set_ or []))
    for path in paths:
        show.line(str(path))


@app.command()
def animate(
    folder: options.Run,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A .gif, or an .mp4 by ffmpeg; evolution.gif in the run's folder."),
    ] = None,
    fps: Annotated[
        int, typer.Option("--fps", help="Frames a second at most; the grid has to have as many times.")
    ] = 20,
    seconds: Annotated[float, typer.Option("--seconds", help="How long it takes.")] = 5.0,
) -> None:
    """The evolution in time of a finished run, beside its reference, as a film."""
    show.line(str(run.animate(folder, out, fps, seconds)))


@app.command("report")
def report_(
    folder: options.Run,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; report.html in the run's folder.")
    ] = None,
    problems: options.Problems = None,
) -> None:
    """A run as one page of HTML with its figures, also of one that has not ended."""
    show.line(str(run.report_page(folder, out, problem_folders(problems))))


@app.command("new-config")
def new_config(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the config; its file is NAME.yaml.")],
    problem: Annotated[str, typer.Option("--problem", metavar="NAME", help="What it solves.")] = "poisson",
    problems: options.Problems = None,
) -> None:
    """Write a commented config of a problem, which solves as it is, to start from."""
    path = write_config_template(name, problem, problem_folders(problems))
    show.line(f"wrote {path}")
    show.line(f"solve it with: pinnreg solve {path}")


@app.command("new-problem")
def new_problem(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the problem and of its file.")],
    folder: Annotated[Path, typer.Option("--problems", metavar="DIR", help="The folder to write into.")] = Path(
        "problems"
    ),
) -> None:
    """Write a commented, working problem file to start from."""
    path = write_template(folder, name, taken=registry.find())
    show.line(f"wrote {path}")
    where = "" if folder == Path("problems") else f" --problems {folder}"
    show.line(f"solve it with: pinnreg solve {name}{where}")
