"""SIGTERM ends a process of the service, however it was started."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.inherited_signals import as_nohup_does

CODE = """
import signal, time
from store.termination import heed_sigterm
heed_sigterm()
print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, flush=True)
time.sleep(600)
"""


def test_sigterm_ends_a_process_that_was_started_to_ignore_it_and_sighup_stays_ignored():
    with subprocess.Popen([sys.executable, "-c", CODE], preexec_fn=as_nohup_does, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGHUP)
        process.terminate()
        assert process.wait(timeout=20) == -signal.SIGTERM
