"""YAML <-> typed config, with defaults, overrides and messages that say what is near a wrong key."""

from pinnreg.config.files import differences, fingerprint, read_yaml, write_config
from pinnreg.config.model import Config, EvaluateSettings, as_dict, json_schema, validate
from pinnreg.config.resolve import Resolved, parse_overrides, resolve

__all__ = [
    "Config",
    "EvaluateSettings",
    "Resolved",
    "as_dict",
    "differences",
    "fingerprint",
    "json_schema",
    "parse_overrides",
    "read_yaml",
    "resolve",
    "validate",
    "write_config",
]
