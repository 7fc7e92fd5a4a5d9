"""The command line: the parser, the flags, and one module for each command."""

from __future__ import annotations

from parity.cli.parser import backend_main, main

__all__ = ["backend_main", "main"]
