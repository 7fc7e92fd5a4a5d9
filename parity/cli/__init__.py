"""The command line: parser, shared flags, and one module per command."""

from __future__ import annotations

from parity.cli.parser import backend_main, main

__all__ = ["backend_main", "main"]
