"""What `report.json` says of a run, in tables of texts and in sentences: for the terminal and for pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line, which has this for its tables, does not wait for NumPy
    from pinnreg.report.compare import Errors

ERROR_COLUMNS = ("output", "relative L2", "relative L1", "max |error|", "RMSE", "against", "its own error")
OWN, ROUNDING = 2.0, 1e-14
"""Times the reference's own error, up to which an error says nothing of the network, unless both are rounding."""
VERDICTS = {True: "converged", False: "NOT CONVERGED", None: "unknown whether it has converged"}


def number(value: float | None) -> str:
    """An error to three digits."""
    return "unknown" if value is None else f"{value:.2e}"


def size(errors: Errors) -> str:
    """The main error of an output, with its name."""
    return f"{'RMSE' if errors.of_zero else 'relative L2 error'} {errors.main:.1e}"


def error_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    """The cells under `ERROR_COLUMNS`: a row for each output and reference; none without a reference."""
    if (reference := facts["reference"]) is None:
        return []
    sources = [(reference, facts["errors"])]
    sources += [(reference["scipy"], reference["scipy"]["errors"])] if reference.get("scipy") else []
    rows = []
    for source, by_output in sources:
        for output, values in by_output.items():
            numbers = ["-" if is_of_zero(values) else number(values[key]) for key in ("rel_l2", "rel_l1")]
            numbers += [number(values[key]) for key in ("max_abs", "rmse")]
            rows.append([output, *numbers, source["kind"], number(source["error_estimate"])])
    return rows


def error_remarks(facts: Mapping[str, Any]) -> list[str]:
    """What the table of errors lacks: a reference, or a better one, that of some outputs, or relative errors."""
    if facts["reference"] is None:
        shown = "its estimated error" if facts.get("estimated_errors") else "the residual of an equation"
        return [f"no reference: nothing was verified; the figure shows the solution, and {shown}"]
    remarks = []
    if zeros := [name for name, each in facts["errors"].items() if is_of_zero(each)]:
        remarks.append(
            f"the reference of {', '.join(zeros)} is zero: no error is relative to it, and the RMSE is its size"
        )
    own = facts["reference"]["error_estimate"]
    if own is not None and (as_good := [name for name, each in facts["errors"].items() if _is_own(each, own)]):
        remarks.append(
            f"the error of {', '.join(as_good)} is about the reference's own, a relative L2 of {number(own)}: the "
            "network's may be smaller"
        )
    if unverified := [name for name in facts.get("outputs", ()) if name not in facts["errors"]]:
        remarks.append(f"no reference for {', '.join(unverified)}: not verified")
    return remarks


def estimates(facts: Mapping[str, Any]) -> list[str]:
    """How wrong the solution is by its own account, and whether that is uncertain."""
    said = []
    for output, band in facts.get("bands", {}).items():
        part = f"{number(band['rel_l2'])} (relative, 95 %), " if band["rel_l2"] is not None else ""
        said.append(f"{output}: noise of the measurements leaves {part}max {number(band['max_abs'])}")
    found = facts.get("estimated_errors", {})
    for output, each in found.items():
        part = f"relative L2 {number(each['rel_l2'])}, " if each["rel_l2"] is not None else ""
        trust = "" if is_good(each) else "; the estimate is uncertain"
        said.append(f"estimated error of {output}: {part}max {number(each['max_abs'])}, {way(each)}{trust}")
    if bound := facts.get("bound"):
        said.append(f"bound of the error by the maximum principle: max {number(bound['max_abs'])}")
    if not all(map(is_good, found.values())):
        said.append(f"uncertain because {facts['estimate']}")
    return said


def way(estimate: Mapping[str, Any]) -> str:
    """How an error was estimated."""
    main, _, noise = estimate["kind"].partition(" and ")
    how = {"defect": "by the linearised defect", "twin": "the difference to a second run"}[main]
    return how + (" and the noise of the measurements" if noise else "")


def validation(facts: Mapping[str, Any]) -> list[str]:
    """The errors at measurements that were held out."""
    return [
        f"validation: RMSE {number(found['rmse'])} on {found['count']} values held out of {name}"
        for name, found in facts.get("validation", {}).items()
    ]


def coefficients(facts: Mapping[str, Any]) -> list[str]:
    """The unknown coefficients and weights that were found."""
    said = []
    for name, found in facts["unknown"].items():
        truth = "" if found["truth"] is None else f", the truth {found['truth']:.6g}"
        error = "" if found["relative_error"] is None else f", {found['relative_error']:.1%} off"
        within = ""
        if "interval" in found:
            low, high = found["interval"]
            within = f" ± {found['standard_error']:.2g}, 95 % within {low:.6g} and {high:.6g}"
        said.append(f"{name} = {found['estimate']:.6g}{within} (from {found['start']:.6g}{truth}{error})")
    return said + [f"{name}: found a weight of {weight:.2g}" for name, weight in facts.get("weights", {}).items()]


def verdict(facts: Mapping[str, Any]) -> str:
    """Whether a run has converged, and why."""
    return f"{VERDICTS[facts['converged']]}: {facts['convergence']}"


def end(facts: Mapping[str, Any]) -> str:
    """Why a run stopped, and what it took."""
    return f"stopped: {facts['stop_reason']} ({facts['steps']} steps, {facts['wall_seconds']:.1f} s in all)"


def is_good(estimate: Mapping[str, Any]) -> bool:
    """Whether an estimate is to be trusted."""
    return bool(estimate["reliability"] == "good")


def is_of_zero(errors: Mapping[str, Any]) -> bool:
    """Whether the reference is zero, and no error is relative to it; as `Errors.of_zero`."""
    return errors["rel_l2"] is None and errors["rmse"] is not None


def _is_own(errors: Mapping[str, Any], own: float) -> bool:
    """Whether an error may be that of a reference with a relative L2 error of its own."""
    return errors["rel_l2"] is not None and ROUNDING < errors["rel_l2"] <= OWN * own
