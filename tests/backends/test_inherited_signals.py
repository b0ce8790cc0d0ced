"""Tests may be started with nohup or in the background of a script, where SIGINT, SIGQUIT or SIGHUP are ignored."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.inherited_signals import as_nohup_does

LOOK = "import signal; print(*(signal.getsignal(n) is signal.SIG_IGN for n in (2, 3, 1, 15)), signal.pthread_sigmask(0, ()))"
CODE = f"""
import os, signal, subprocess, sys
def look():
    return subprocess.run([sys.executable, "-c", {LOOK!r}], capture_output=True, text=True, check=True).stdout
before = look()
from tests.inherited_signals import keep_ignored_signals_from_children
keep_ignored_signals_from_children()
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    os.kill(os.getpid(), number)
print(before + look(), end="")
"""


def test_children_of_tests_have_the_usual_signals_and_the_tests_go_on_ignoring_theirs():
    answer = subprocess.run([sys.executable, "-c", CODE], preexec_fn=as_nohup_does, capture_output=True, text=True, check=False)
    before, after = answer.stdout.splitlines()
    assert answer.returncode == 0
    assert before.startswith("True True True True ")
    assert "SIGTERM" in before
    assert after == "False False False False set()"


def test_this_session_keeps_no_ignored_signal():
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
    assert [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN] == []
