"""Signals to the processes of a farm under test."""

import os
import signal


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal one process. 0, which a farm says of one that is just starting, would be everybody
    around us: the test run itself.
    """
    assert pid > 1, f"no process has the number {pid}"
    os.kill(pid, number)
