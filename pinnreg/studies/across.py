"""What a study of several cases comes to: each entry over all of them, corrected for how many comparisons there are.

A case counts once, however many seeds it has: an entry's ratio to the baseline is, in each case, the geometric mean
over the seeds, and over the cases that of these, with Student's t of their logarithms. So it speaks of problems like
those of the study, and not only of these. Both kinds of p-values, by case and over cases, are corrected after Holm,
each kind among all of its comparisons in the study.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from pinnreg.report import markdown_table
from pinnreg.studies.entries import Entry, compared_key
from pinnreg.studies.model import CASE, PART, Study
from pinnreg.studies.statistics import CONFIDENCE, Ratio, holm, median, ratio_of
from pinnreg.studies.words import factor, interval, number

LEVEL = 1 - CONFIDENCE
UNDECIDED = "undecided"
FEWEST = 3
"""Cases over which something is said."""


@final
@dataclass(frozen=True)
class Compared:
    """A comparison with the baseline.

    Attributes:
        ratio: of the errors.
        p: its p-value, corrected.
    """

    ratio: Ratio
    p: float

    @property
    def word(self) -> str:
        """Helps, hurts, or undecided."""
        if not self.p < LEVEL:  # also where there is none
            return UNDECIDED
        return "helps" if self.ratio.value < 1 else "hurts"


@final
@dataclass(frozen=True)
class Across:
    """One entry over all cases.

    Attributes:
        group: the values of what is varied beside the case and the compared key, as a part; "" if nothing is.
        name: of the entry: its value of the compared key.
        by_case: its comparisons.
        baselines: the median error of the baseline by case.
        over: the comparison over all cases.
        at_edge: the share of the seeds that chose the smallest or largest candidate.
    """

    group: str
    name: str
    by_case: Mapping[str, Compared]
    baselines: Mapping[str, float]
    over: Compared
    at_edge: float

    def count(self, word: str) -> int:
        """In how many cases it helps, hurts, or is undecided."""
        return sum(each.word == word for each in self.by_case.values())


def has_cases(study: Study) -> bool:
    """Whether a study compares something over several cases."""
    return compared_key(study) is not None and any(len(part.cases) >= FEWEST for part in study.whole().values())


def across(study: Study, entries: Sequence[Entry]) -> list[Across]:
    """The entries of a study over its cases, but the baseline, in its order."""
    key = compared_key(study)
    assert key is not None
    compared = [entry for entry in entries if entry.ratio is not None]
    corrected = holm([_ratio(entry).p for entry in compared])
    groups: dict[tuple[str, str], dict[str, tuple[Entry, Compared]]] = {}
    for entry, p in zip(compared, corrected, strict=True):
        place = groups.setdefault((_group(entry, key), entry.labels[key]), {})
        place[entry.labels.get(CASE, "")] = entry, Compared(_ratio(entry), p)
    pooled = {
        place: ratio_of(np.log10([each.ratio.value for _, each in members.values() if each.ratio.pairs]))
        for place, members in groups.items()
    }
    overall = dict(zip(pooled, holm([each.p for each in pooled.values()]), strict=True))
    base = {(_group(each, key), each.labels.get(CASE, "")): each for each in entries if each.ratio is None}
    found = []
    for (group, name), members in groups.items():
        baselines = {case: median(list(base[group, case].errors.values())) for case in members}
        chosen = sum(len(entry.chosen) for entry, _ in members.values())
        edge = sum(entry.at_edge for entry, _ in members.values()) / chosen if chosen else math.nan
        by_case = {case: each for case, (_, each) in members.items()}
        over = Compared(pooled[group, name], overall[group, name])
        found.append(Across(group, name, by_case, baselines, over, edge))
    return found


def sections(study: Study, entries: Sequence[Entry], baseline: str) -> Iterator[str]:
    """The lines of a report: a table over cases, and one by case for each group."""
    found = across(study, entries)
    yield from ("## Over all cases", "", *markdown_table(headings(baseline), [cells(each) for each in found]))
    yield from ("", *METHOD.splitlines(), "", "## By case", "")
    yield f"Error over that of {baseline}; **bold** where it helps or hurts, else undecided:"
    for group, members in by_group(found).items():
        cases = dict.fromkeys(case for each in members for case in each.by_case)
        rows = [[case, _baseline(members, case), *(_cell(each, case) for each in members)] for case in cases]
        yield from ("", *([f"### {group}", ""] if group else []))
        yield from markdown_table(["case", f"error of {baseline}", *(each.name for each in members)], rows)
    yield ""


def by_group(found: Sequence[Across]) -> dict[str, list[Across]]:
    """The entries of each group."""
    groups: dict[str, list[Across]] = {}
    for each in found:
        groups.setdefault(each.group, []).append(each)
    return groups


def headings(baseline: str) -> list[str]:
    """Those of the table over cases."""
    ratio = (f"error / that of {baseline}", "95 % interval", "p")
    return ["part", "entry", "cases", *ratio, "so it", "helps in", "hurts in", "chose an end"]


def cells(each: Across) -> list[str]:
    """A row of the table over cases."""
    ratio, cases = each.over.ratio, len(each.by_case)
    shown = [each.group, each.name, f"{ratio.pairs} of {cases}", factor(ratio.value), interval(ratio.low, ratio.high)]
    counts = [str(each.count("helps")), str(each.count("hurts"))]
    p = "" if math.isnan(each.over.p) else f"{each.over.p:.2g}"
    return [*shown, p, each.over.word, *counts, f"{each.at_edge:.0%}" if each.at_edge > 0 else ""]


METHOD = f"""\
Each case counts once: the ratio is the geometric mean over the cases of the geometric means over their seeds, the
interval and p Student's t of the logarithms over cases. p is corrected after Holm among all rows of this table, and
those by case among all cases and entries: below {LEVEL:.2f} an entry helps or hurts, else it is undecided. chose an
end: the share of seeds that chose the smallest or the largest of several weights, beyond which a better one may lie."""


def _baseline(members: Sequence[Across], case: str) -> str:
    return number(next(each.baselines[case] for each in members if case in each.baselines))


def _cell(entry: Across, case: str) -> str:
    each = entry.by_case.get(case)
    if each is None or not each.ratio.pairs:
        return "-"
    text = factor(each.ratio.value)
    return text if each.word == UNDECIDED else f"**{text}**"


def _ratio(entry: Entry) -> Ratio:
    assert entry.ratio is not None
    return entry.ratio


def _group(entry: Entry, key: str) -> str:
    """What an entry is part of, beside its case: names of parts stand for themselves."""
    others = {name: label for name, label in entry.labels.items() if name not in (key, CASE)}
    return ", ".join(label if name == PART else f"{name} {label}" for name, label in others.items())
