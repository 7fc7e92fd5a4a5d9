"""Reads ``my_pair.py``, a file whose functions return the arguments of ``parity.check``."""

from __future__ import annotations

import functools
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from parity.adapters import side
from parity.errors import ParityError, describe_error, first_line

BUILDERS = ("keras_model", "torch_model")
"""Passed on without a call: a model may be built more than once, in more than one dtype."""

NEEDED = (*BUILDERS, "inputs")
WANTED = ("torch_inputs", "targets", "loss", "optimizer")
"""Passed on only where the file defines them."""


def load(path: Path, seed: int = 0) -> dict[str, Any]:
    """Run a file and call its functions, except those that build the models.

    The file can import from its own folder, as when Python runs it, and from the working directory,
    where its project is. Both frameworks are imported
    before it, so that their start-up messages stay off stderr.

    Args:
        path: of the file.
        seed: of all global random numbers, so that each run builds the same models.

    Returns:
        Arguments of :func:`parity.pairs.check.check` by name.

    Raises:
        ParityError: the file cannot be read or run, lacks a function, or a function raises; also
            later, from the functions that build the models.
    """
    code = _compiled(path)
    side.start()
    side.seed(seed)
    found = _run(path, code)
    functions = {name: _function(path, name, found.get(name)) for name in NEEDED}
    functions |= {name: _function(path, name, found[name]) for name in WANTED if name in found}
    return {
        name: function if name in BUILDERS else function() for name, function in functions.items()
    }


def _compiled(path: Path) -> Any:
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise ParityError(
            f"received {str(path)!r}: {error.strerror}; accepted: a Python file that defines "
            f"{_listed(NEEDED)}"
        ) from None
    except (SyntaxError, ValueError) as error:  # null bytes are a ValueError
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        text = str(getattr(error, "msg", error))
        raise ParityError(f"{where}: {type(error).__name__}: {first_line(text)}") from None


def _run(path: Path, code: Any) -> dict[str, Any]:
    """Run the file as a module of its own name, if that is free, and return its names."""
    name = path.stem if path.stem not in sys.modules else f"pair_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    for folder in (str(Path.cwd()), str(path.resolve().parent)):  # as python and python -m do
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        raise ParityError(f"{_where(path, error)}: {describe_error(error)}") from error
    return module.__dict__


def _function(path: Path, name: str, value: Any) -> Callable[[], Any]:
    if value is None:
        raise ParityError(f"{path}: received no {name}(), accepted: {_listed(NEEDED)}")
    if not (inspect.isroutine(value) or inspect.isclass(value)):
        raise ParityError(
            f"{path}: {name}: received {type(value).__name__}, accepted: a function without "
            "arguments"
        )

    @functools.wraps(value, updated=())
    def call() -> Any:
        try:
            return value()
        except (Exception, SystemExit) as error:
            text = f"{name}() raised {describe_error(error)}"
            raise ParityError(f"{_where(path, error)}: {text}") from error

    return call


def _where(path: Path, error: BaseException) -> str:
    """The file, with the last of its lines that was executed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _listed(names: tuple[str, ...]) -> str:
    calls = [f"{name}()" for name in names]
    return f"{', '.join(calls[:-1])} and {calls[-1]}"
