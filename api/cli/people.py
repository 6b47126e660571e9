"""The console's work on the open database."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from api.accounts.console import Console
from api.accounts.credentials import Credentials
from api.accounts.office import FIRST_ORGANIZATION
from api.bus import open_bus
from api.clock import Clock, SystemClock
from api.config import Settings
from api.db import PATIENT, DatabaseUnusable, open_database
from api.events.service import Ledger
from api.migrate import pending
from api.policies.service import Policies
from api.principal import system

#: Who acts when somebody with a shell does.
_SHELL = replace(system(FIRST_ORGANIZATION), username="console", is_superadmin=True)
T = TypeVar("T")


async def with_console(settings: Settings, work: Callable[[Console], Awaitable[int]]) -> int:
    """What *work* returns. Raises `DatabaseUnusable`, and what *work* raises."""

    async def at(ledger: Ledger, clock: Clock) -> int:
        return await work(Console(ledger, Credentials(ledger, clock), clock))

    return await _on_database(settings, at)


async def allow_all(settings: Settings) -> None:
    """Let everybody in again, whatever the allow-list says. Raises `DatabaseUnusable`."""

    async def at(ledger: Ledger, clock: Clock) -> None:
        await Policies(ledger, clock, open_bus(settings)).allow_all(_SHELL)

    await _on_database(settings, at)


async def _on_database(settings: Settings, work: Callable[[Ledger, Clock], Awaitable[T]]) -> T:
    if await pending(settings):
        raise DatabaseUnusable(
            "the tables are not those of this version: run `python -m api migrate` first"
        )
    clock = SystemClock()
    ledger = Ledger(open_bus(settings), clock)
    context = await open_database(settings, PATIENT)
    try:
        with context:
            return await work(ledger, clock)
    finally:
        await context.close_connections()
