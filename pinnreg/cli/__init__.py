"""The command line."""

from pinnreg.cli.app import main

__all__ = ["main"]
