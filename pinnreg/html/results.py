"""The parts of a page that say what a run came to, from its facts as `report.json` has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinnreg.html.elements import Html, element, joined, table, text
from pinnreg.report import words

History = Mapping[str, NDArray[np.float64]]

STATUS = {True: ("converged", "good"), False: ("not converged", "bad"), None: ("convergence unknown", "open")}
UNFINISHED = ("has not ended", "open")


def status(facts: Mapping[str, Any] | None) -> Html:
    """Whether a run has converged, at a glance; None for one that has not ended."""
    said, kind = UNFINISHED if facts is None else STATUS[facts["converged"]]
    return element("span", text(said), class_=f"status {kind}")


def summary(facts: Mapping[str, Any]) -> Html:
    """In sentences: the error and what it was taken against, or its estimate; whether it converged; what it took."""
    return _list([*_accuracy(facts), _sentence(words.verdict(facts)), _sentence(words.end(facts))], "summary")


def course(history: History) -> Html:
    """The same of a run that has not ended: how far it has come."""
    said = ["Training has not ended: there is no report of errors yet."]
    if len(history.get("step", ())):
        last = {name: float(column[-1]) for name, column in history.items()}
        said.append(
            f"Step {last['step']:.0f} after {last['seconds']:.1f} s, with a loss of {words.number(last['loss'])}."
        )
        said += [_last_error(name, history) for name in history if name.startswith("error_")]
        for name in [name for name in history if name.startswith("unknown_")]:
            said.append(f"{name.removeprefix('unknown_')} = {last[name]:.6g} so far.")
    return _list([each for each in said if each], "summary")


def errors(facts: Mapping[str, Any]) -> Html:
    """The table of errors, and what it lacks."""
    rows = words.error_rows(facts)
    shown = [table(words.ERROR_COLUMNS, rows, right=(1, 2, 3, 4, 6))] if rows else []
    return joined([*shown, *(element("p", text(_sentence(each))) for each in words.error_remarks(facts))])


def estimates(facts: Mapping[str, Any]) -> Html:
    """The table of estimated errors, with what noise leaves open, and bounds; empty without any."""
    found = facts.get("estimated_errors", {})
    columns = ("output", "estimated relative L2", "max |error|", "how", "trust")
    rows = [
        [name, words.number(each["rel_l2"]), words.number(each["max_abs"]), words.way(each), each["reliability"]]
        for name, each in found.items()
    ]
    shown = [table(columns, rows, right=(1, 2))] if rows else []
    if rows and (why := facts.get("estimate")):
        shown.append(element("p", text(_sentence(why))))
    others = [*words.estimates({**facts, "estimated_errors": {}}), *words.validation(facts)]
    # a line that begins with the name of an output keeps it as it is
    ends = [_stopped if each.partition(":")[0] in facts.get("bands", {}) else _sentence for each in others]
    return joined([*shown, *(element("p", text(end(each))) for end, each in zip(ends, others, strict=True))])


def found(facts: Mapping[str, Any]) -> Html:
    """The table of unknown coefficients with their intervals, and of weights that were found; empty without any."""
    columns = ("coefficient", "estimate", "± standard error", "95 % from", "to", "began at", "truth", "off by")
    rows = []
    for name, each in facts.get("unknown", {}).items():
        low, high = each.get("interval") or (None, None)
        off = each["relative_error"]
        error = "-" if each.get("standard_error") is None else f"{each['standard_error']:.2g}"
        numbers = [_number(value) for value in (low, high, each["start"], each["truth"])]
        rows.append([name, _number(each["estimate"]), error, *numbers, "-" if off is None else f"{off:.2%}"])
    weights = [[name, f"{value:.3g}"] for name, value in facts.get("weights", {}).items()]
    shown = [table(columns, rows, right=range(1, len(columns)))] if rows else []
    return joined([*shown, *([table(("term", "weight found"), weights, right=(1,))] if weights else [])])


def notes(facts: Mapping[str, Any]) -> Html:
    """What a small loss does not show; empty without any."""
    said = [_sentence(each) for each in facts.get("notes", ())]
    return _list(said, "notes") if said else Html("")


def _accuracy(facts: Mapping[str, Any]) -> Iterator[str]:
    """How wrong each output is, and who says so."""
    known, reference = facts["errors"], facts["reference"]
    for name, each in known.items():
        what, value = ("RMSE", each["rmse"]) if words.is_of_zero(each) else ("relative L2 error", each["rel_l2"])
        against = f"the reference ({reference['kind']}), whose own error is {words.number(reference['error_estimate'])}"
        yield f"The {what} of {name} is {words.number(value)} against {against}."
    for name, each in facts.get("estimated_errors", {}).items():
        if name not in known:
            size = words.number(each["max_abs"] if each["rel_l2"] is None else each["rel_l2"])
            what = "largest error" if each["rel_l2"] is None else "relative L2 error"
            good = "a good estimate" if words.is_good(each) else "an uncertain estimate"
            yield f"The {what} of {name} is estimated as {size} ({words.way(each)}): {good}. It has no reference."
    for name in facts.get("outputs", ()):
        if name not in known and name not in facts.get("estimated_errors", {}):
            yield f"{name} was compared with nothing, and its error was not estimated: it is not verified."


def _last_error(name: str, history: History) -> str:
    """The last error that was taken in training; "" if none was."""
    column = history[name]
    at = np.flatnonzero(np.isfinite(column))
    if not at.size:
        return ""
    value, output = words.number(float(column[at[-1]])), name.removeprefix("error_")
    return f"The error of {output} against the reference was {value} at step {history['step'][at[-1]]:.0f}."


def _list(said: Sequence[str], kind: str) -> Html:
    return element("ul", *(element("li", text(each)) for each in said), class_=kind)


def _sentence(said: str) -> str:
    """A line of the terminal as a sentence."""
    return _stopped(said[:1].upper() + said[1:])


def _stopped(said: str) -> str:
    """A line that begins with a name, and keeps it, with a full stop."""
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
