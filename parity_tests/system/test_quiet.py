"""What native code says while it starts: kept back, unless it says why something failed."""

from __future__ import annotations

import os

import pytest

from parity.system.quiet import suppress_stderr


@pytest.mark.parametrize(
    ("error", "said"), [(None, ""), (ValueError, "why\n"), (KeyboardInterrupt, "")]
)
def test_chatter_is_shown_where_it_explains(
    error: type[BaseException] | None, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error may need it; Ctrl-C does not."""

    def start() -> None:
        with suppress_stderr():
            os.write(2, b"why\n")
            if error is not None:
                raise error

    if error is None:
        start()
    else:
        with pytest.raises(error):
            start()
    assert capfd.readouterr().err == said
