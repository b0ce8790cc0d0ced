"""Trouble is told when it begins, changes and ends; not while it lasts."""

from __future__ import annotations

import logging

from store.trouble import Trouble


def test_trouble_that_lasts_is_told_once_and_so_is_its_end(caplog):
    trouble = Trouble(logging.getLogger("tests"), "sweeps")
    trouble.is_over()
    for error in (OSError("full"), OSError("full"), OSError("gone")):
        trouble.is_met(error)
    trouble.is_over()
    trouble.is_over()
    trouble.is_met(OSError("gone"))
    assert caplog.messages == [
        "sweeps fail, and are tried again (OSError: full)",
        "sweeps fail, and are tried again (OSError: gone)",
        "sweeps work again",
        "sweeps fail, and are tried again (OSError: gone)",
    ]
