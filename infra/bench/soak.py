"""Fifty printers over twenty-four simulated hours: what grows in the API that should not.

The API's clock is one that this benchmark turns, so that a day takes minutes. Every printer shows
itself all the time and prints every half hour; people look through both faces. Memory, file
descriptors, tasks and rows are taken once all is warm, and then every two hours. Rows that tell
what happened (events, samples, prints) grow by what happens, and are kept for as long as the
settings say.
"""

import asyncio
import gc
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tortoise.context import TortoiseContext

from api.app import Application
from api.config import Settings
from api.link.facts import FactRecorder
from api.migrate import migrate
from infra.bench.served import furnish
from infra.bench.table import Figure, show
from schemas.facts import Fact, FactBatch, PrinterFact
from schemas.link import LiveSnap
from schemas.printer import Live, PrinterState, Temperature

PRINTERS = 50
HOURS = 24
WARM_H = 2
STEP_S = 2  # between two pictures
PRINT_S = 1800
LOOK_S = 60
HISTORY = frozenset({"event", "sample", "print"})
_STATES = (PrinterState.PRINTING, PrinterState.OPERATIONAL)


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        counts = asyncio.run(_day(Settings(data_dir=Path(directory))))
    first, last = counts[0], counts[-1]
    hours = HOURS - WARM_H
    slope = 100 * (last.resident_mb - first.resident_mb) / first.resident_mb / hours
    figures = [
        Figure("resident memory at the end", last.resident_mb, "MB", first.resident_mb, "MB"),
        Figure("  its slope", slope, "%/h", goal="<= 1 %/h"),
        Figure("file descriptors", last.files, "", first.files, "", "ratio 1"),
        Figure("tasks", last.tasks, "", first.tasks, "", "ratio 1"),
        Figure("rows that are no history", last.rows, "", first.rows, "", "ratio 1"),
        Figure("  what happened", last.events, "", first.events, "", "as much as happens"),
    ]
    show(f"{PRINTERS} printers over {HOURS} simulated hours", figures, as_json=as_json)


class TurnedClock:
    """A clock that goes only when it is turned."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC)
        self._passed_s = 0.0

    def now(self) -> datetime:
        """The time in UTC, aware."""
        return self._began + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._passed_s

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds


@dataclass(frozen=True, slots=True)
class _Count:
    """What there is of everything at one moment."""

    resident_mb: float
    files: int
    tasks: int
    rows: int
    events: int


class _Day:
    """A farm whose time is turned."""

    def __init__(self, application: Application, clock: TurnedClock, known: dict[str, Any]) -> None:
        self._application = application
        self._clock = clock
        self._client = application.quart.test_client()
        self._token = {"X-API-Key": known["token"]}
        self._key = {"X-Api-Key": known["octoprint_key"]}
        self._slug = known["slug"]
        self._recorder = FactRecorder(application.rooms)
        self._told = 0

    async def pass_by(self, bridge: Any, printers: Sequence[int], second: int) -> None:
        """One step."""
        rooms = self._application.rooms
        self._clock.turn(STEP_S)
        await rooms.bridges.touch(bridge.id)
        await rooms.telemetry.record(bridge, _pictures(printers, second))
        if second % PRINT_S == 0:
            await self._tell(bridge, printers, _STATES[second // PRINT_S % 2])
        if second % LOOK_S == 0:
            await self._look()

    async def _tell(self, bridge: Any, printers: Sequence[int], state: PrinterState) -> None:
        facts = []
        for printer in printers:
            self._told += 1
            body = PrinterFact(printer=printer, state=state)
            facts.append(Fact(seq=self._told, at_ms=self._told, boot_id="bench", body=body))
        row = await self._application.rooms.bridges.paired(bridge.id)
        batch = FactBatch(journal_id=row.fact_journal, facts=facts)
        await self._recorder.record(row, row.epoch, batch)

    async def _look(self) -> None:
        face = f"/octoprint/{self._slug}/api"
        asked = (
            ("/api/v1/printers", self._token),
            (f"{face}/printer?history=true", self._key),
            (f"{face}/job", self._key),
        )
        for path, headers in asked:
            answer = await self._client.get(path, headers=headers)
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status_code} {await answer.get_data()!r}")


async def _day(settings: Settings) -> list[_Count]:
    await migrate(settings)
    clock = TurnedClock()
    application = Application(settings, clock)
    await application.startup()
    counts = []
    try:
        with application.database:
            known = await furnish(application, PRINTERS)
            known.pop("task").cancel()
            bridge = await application.rooms.bridges.paired(1)
            printers = list(range(1, PRINTERS + 1))
            day = _Day(application, clock, known)
            for second in range(0, HOURS * 3600 + STEP_S, STEP_S):
                await day.pass_by(bridge, printers, second)
                if second >= WARM_H * 3600 and second % 7200 == 0:
                    counts.append(await _count(application.database))
    finally:
        await application.shutdown()
    return counts


def _pictures(printers: Sequence[int], second: int) -> LiveSnap:
    temps = {
        "tool0": Temperature(200 + second % 20 / 10, 200.0),
        "bed": Temperature(60 + second % 14 / 10, 60.0),
    }
    state = _STATES[second // PRINT_S % 2]
    return LiveSnap(
        printers=[
            Live(printer=each, state=state, temps=temps, temps_age_s=0.1) for each in printers
        ]
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _count(database: TortoiseContext) -> _Count:
    gc.collect()
    assert database.apps is not None
    rows = {}
    for models in database.apps.values():
        for model in models.values():
            rows[model._meta.db_table] = await model.all().count()
    events = sum(rows[name] for name in HISTORY)
    return _Count(
        resident_mb=_resident_mb(),
        files=_files(),
        tasks=len(asyncio.all_tasks()),
        rows=sum(rows.values()) - events,
        events=events,
    )
