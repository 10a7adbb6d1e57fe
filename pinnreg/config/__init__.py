"""YAML <-> typed config, with defaults, overrides and messages that say what is near a wrong key."""

from pinnreg.config.figures import FigureSettings
from pinnreg.config.files import differences, dump_yaml, fingerprint, numbers, read_yaml, write_config
from pinnreg.config.messages import explain
from pinnreg.config.model import Config, EvaluateSettings, as_dict, changes, json_schema, section_schema, validate
from pinnreg.config.resolve import Given, Problems, Resolved, check, parse_overrides, problem_folders, resolve

__all__ = [
    "Config",
    "EvaluateSettings",
    "FigureSettings",
    "Given",
    "Problems",
    "Resolved",
    "as_dict",
    "changes",
    "check",
    "differences",
    "dump_yaml",
    "explain",
    "fingerprint",
    "json_schema",
    "numbers",
    "parse_overrides",
    "problem_folders",
    "read_yaml",
    "resolve",
    "section_schema",
    "validate",
    "write_config",
]
