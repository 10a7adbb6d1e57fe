"""The file `study.yaml` in a study's folder: what was asked, and what says that the folder and its figures are ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pinnreg.config import dump_yaml, read_yaml
from pinnreg.errors import InputError
from pinnreg.files import write_text
from pinnreg.run.folder import STUDY
from pinnreg.run.provenance import package_version
from pinnreg.studies.model import Study, as_plain


def note_figures(study: Study, folder: Path, figures: Sequence[str]) -> None:
    """Write down the study and the names of the figures that it has drawn, or is about to draw."""
    provenance = {"pinnreg": package_version(), "figures": list(dict.fromkeys(figures))}
    write_text(folder / STUDY.marker, dump_yaml(as_plain(study) | {"provenance": provenance}))


def noted_figures(folder: Path) -> list[str]:
    """The names of a study's figures; none where there is no study."""
    try:
        names = read_yaml(folder / STUDY.marker)["provenance"]["figures"]
    except (InputError, KeyError, TypeError):
        return []
    # names alone: a path would lead out of the folder
    return [name for name in names if isinstance(name, str) and name == Path(name).name]
