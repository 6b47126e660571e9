"""What `bridge status` says of a printer to somebody who goes there."""

import os
import time
from pathlib import Path

from bridge.agent.status import STATUS_FILE, notes_of, stale
from schemas.printer import Live, PrinterState, Prompt


def test_only_what_asks_for_a_person_is_noted() -> None:
    """Nothing while all is well; the question, the place, the heat and the stop where it is not."""
    well = Live(printer=1, state=PrinterState.OPERATIONAL, stop_reach="at_once")
    assert notes_of(well) == []
    troubled = Live(
        printer=1,
        state=PrinterState.PAUSED,
        prompt=Prompt("Filament out", ["Resume"]),
        position_known=False,
        temps_stale=True,
        stop_reach="unknown",
        heat_lease_s=61.4,
    )
    assert notes_of(troubled) == [
        "it asks: Filament out [Resume]",
        "nobody knows where its head is: home it before anything else moves",
        "its temperatures are old: it reports none",
        "a remote stop may not act at once: have its power switch in reach",
        "heated without a job, for 61 s more",
    ]


def test_a_status_that_is_old_although_an_agent_runs_says_so(tmp_path: Path) -> None:
    """On a full disk `bridge status` showed the last word as if it were the present one."""
    (tmp_path / STATUS_FILE).write_text("{}")
    assert stale(tmp_path) is None
    minute_ago = time.time() - 60
    os.utime(tmp_path / STATUS_FILE, (minute_ago, minute_ago))
    said = stale(tmp_path)
    assert said is not None
    assert "60 s old" in said
    assert "MiB are free" in said
