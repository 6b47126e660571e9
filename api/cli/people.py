"""The console's work on the open database."""

from collections.abc import Awaitable, Callable

from api.accounts.console import Console
from api.accounts.credentials import Credentials
from api.bus import open_bus
from api.clock import SystemClock
from api.config import Settings
from api.db import PATIENT, DatabaseUnusable, open_database
from api.events.service import Ledger
from api.migrate import pending


async def with_console(settings: Settings, work: Callable[[Console], Awaitable[int]]) -> int:
    """What *work* returns. Raises `DatabaseUnusable`, and what *work* raises."""
    if await pending(settings):
        raise DatabaseUnusable(
            "the tables are not those of this version: run `python -m api migrate` first"
        )
    clock = SystemClock()
    ledger = Ledger(open_bus(settings), clock)
    context = await open_database(settings, PATIENT)
    try:
        with context:
            return await work(Console(ledger, Credentials(ledger, clock), clock))
    finally:
        await context.close_connections()
