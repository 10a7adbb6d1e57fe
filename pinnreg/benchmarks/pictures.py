"""Examples of every kind of figure: the files and commands that make each, and what is to be seen."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: of its file.
        command: a line that makes it, after those before it.
        file: where the line has drawn it.
        caption: what it shows, in a line.
    """

    name: str
    command: str
    file: str
    caption: str


@final
@dataclass(frozen=True)
class Example:
    """Figures of one run, or of a few.

    Attributes:
        title: of them all.
        config: the text of `mine.yaml`.
        pictures: in the order in which their commands run.
        files: further files by path.
        before: lines that run first and draw nothing to be shown.
    """

    title: str
    config: str
    pictures: tuple[Picture, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()


SOLVE, FIELD, HISTORY = "pinnreg solve mine.yaml --out mine", "mine/error_field.png", "mine/history.png"


def _train(steps: int) -> str:
    return f"train: [{{optimiser: gauss_newton, steps: {steps}}}]\n"


def _small(problem: str, steps: int = 30, more: str = "") -> str:
    return f"problem: {problem}\n{_train(steps)}{more}"


HELD = textwrap.dedent('''\
    from dataclasses import dataclass

    from pinnreg import Box, Problem, dirichlet


    @dataclass(frozen=True)
    class Held(Problem):
        """Δu = u³ - 5 on a square, of which nobody has told the solution."""

        domain = Box(x=(0, 1), y=(0, 1))
        conditions = (dirichlet(0.0),)

        def residual(self, u):
            return u.laplacian - u**3 + 5
    ''')
STUDY = textwrap.dedent("""\
    base:
      problem: {name: poisson, dimension: 2}
      network: {hidden: [10, 10]}
      points: {interior: 40, resample_every: null}
      train: [{optimiser: gauss_newton, steps: 15}]
    vary:
      regularisers: {none: [], ktv2: [{kind: ktv, order: 2, schedule: linear, weight: [1e-8, 1e-6, 1e-4]}],
                     gpinn: [{kind: gpinn, schedule: linear, weight: [1e-5, 1e-3]}]}
      seed: [0, 1, 2]
    """)
CASES = textwrap.dedent("""\
    set:
      network: {hidden: [10, 10]}
      points: {interior: 60, resample_every: null}
      train: [{optimiser: gauss_newton, steps: 15}]
    cases: {heat: {base: heat}, wave: {base: wave}, poisson: {base: poisson}}
    vary:
      regularisers: {none: [], ktv2: [{kind: ktv, order: 2, schedule: linear, weight: 1e-6}],
                     gpinn: [{kind: gpinn, schedule: linear, weight: 1e-4}]}
      seed: [0, 1]
    """)

EXAMPLES: tuple[Example, ...] = (
    Example(
        "One axis",
        _small("{name: poisson, dimension: 1}", 20),
        (Picture("curve", SOLVE, FIELD, "Curves of one axis, and the error below zero and above"),),
    ),
    Example(
        "One axis and time",
        _small("heat", 30),
        (
            Picture("slices", SOLVE, FIELD, "A map of space and time, and slices at round times"),
            Picture("history", SOLVE, HISTORY, "Loss and errors by step"),
            Picture(
                "single_column",
                "pinnreg plot mine --set figures.size=single-column",
                FIELD,
                "The same in the size of a journal's column",
            ),
            Picture(
                "residual",
                "pinnreg plot mine --set 'figures.panels=[solution,error,residual]'",
                FIELD,
                "With the residual in the place of the reference",
            ),
            Picture("analysis", "pinnreg analyse mine", "mine/analysis.png", "Kernels, curvatures, and variation"),
            Picture("animation", "pinnreg animate mine --seconds 1", "mine/evolution.gif", "Its evolution in time"),
        ),
    ),
    Example(
        "Two runs compared",
        _small("heat", 8),
        (
            Picture(
                "compared",
                "pinnreg compare one two --out both.png",
                "both.png",
                "Curves of error and fields of two runs, side by side",
            ),
        ),
        before=("pinnreg solve mine.yaml --out one", "pinnreg solve mine.yaml --out two --set 'network.hidden=[5]'"),
    ),
    Example(
        "Two axes",
        _small("{name: poisson, dimension: 2}", 30),
        (Picture("map", SOLVE, FIELD, "Maps, and the maximum of the error in the title"),),
    ),
    Example(
        "A shape with holes",
        _small("poisson_holes", 20),
        (
            Picture("holes", SOLVE, FIELD, "Maps up to the outline of the shape"),
            Picture(
                "domain",
                "pinnreg describe poisson_holes --plot holes.png",
                "holes.png",
                "The domain, and where its conditions hold",
            ),
        ),
    ),
    Example(
        "Materials that meet",
        _small("stacked_plates", 20),
        (Picture("interfaces", SOLVE, FIELD, "Maps with the interface between two materials"),),
    ),
    Example(
        "Two axes and time",
        _small("wave_2d", 15, "evaluate: {grid: [40, 40, 11]}\n"),
        (
            Picture("times", SOLVE, FIELD, "Maps at times"),
            Picture(
                "times_chosen",
                "pinnreg plot mine --set figures.size=single-column --set 'figures.times=[0,0.5]'",
                FIELD,
                "At two times, in a journal's column",
            ),
        ),
    ),
    Example(
        "Three axes",
        _small("{name: poisson, dimension: 3}", 15),
        (Picture("planes", SOLVE, FIELD, "Three planes through the middle"),),
    ),
    Example(
        "Several outputs",
        _small("schroedinger", 30),
        (Picture("outputs", SOLVE, FIELD, "A row of panels for each output"),),
    ),
    Example(
        "A family of solutions",
        _small("heat_family", 20),
        (Picture("family", SOLVE, FIELD, "A solution of parameters at some of their values"),),
    ),
    Example(
        "An unknown coefficient, from measurements",
        "problem: {name: heat, alpha: 0.4}\n"
        "unknown: {alpha: {start: 1.0, positive: true}}\n"
        "measurements: [{samples: 60, noise: 0.05}]\n" + _train(25),
        (
            Picture("measurements", SOLVE, FIELD, "The places of the measurements are marked"),
            Picture("unknown", SOLVE, HISTORY, "The coefficient by step, beside loss and errors"),
        ),
    ),
    Example(
        "No reference",
        _small("held", 25),
        (Picture("estimate", SOLVE, FIELD, "The estimated error in the place of the error, and it says so"),),
        files={"problems/held.py": HELD},
    ),
    Example(
        "A study",
        STUDY,
        (
            Picture("study_errors", "pinnreg study mine.yaml --out study", "study/errors.png", "Errors by entry"),
            Picture("study_weights", "pinnreg study mine.yaml --out study", "study/weights.png", "Errors by weight"),
            Picture("study_fields", "pinnreg study mine.yaml --out study", "study/fields.png", "Error fields"),
        ),
    ),
    Example(
        "A study of several problems",
        CASES,
        (
            Picture(
                "study_ratios",
                "pinnreg study mine.yaml --out study",
                "study/ratios.png",
                "Errors over those without a penalty",
            ),
        ),
    ),
)
