"""Values that PostgreSQL refuses: the sender's mistake, never taken for trouble of the database."""

import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import OperationalError

from api.accounts.models import Organization
from api.alerts.models import Alert
from api.db import PASSING, Unstorable
from api.events.models import Event
from api.events.service import Happened, Ledger
from api.printers.models import Printer
from schemas.facts import AlarmFact, PrinterFact
from schemas.link import FactAck
from schemas.printer import PrinterState
from tests.api.conftest import FakeClock
from tests.api.link import conftest as link
from tests.api.postgres.conftest import Database

farm = link.farm


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
async def test_a_text_that_no_column_holds_is_nobodys_outage(
    database: Database, clock: FakeClock, name: str
) -> None:
    """A NUL, half a character: named as what they are, so nobody waits for them to pass."""
    with pytest.raises(Unstorable) as refused:
        await Organization.filter(id=1).update(name=name)
    assert isinstance(refused.value, OperationalError)
    assert not isinstance(refused.value, PASSING)
    assert await Organization.filter(name="Test farm").exists()


async def test_what_does_not_fit_its_column_is_unstorable_too(
    ledger: Ledger, database: Database
) -> None:
    """A text that is too long, a number that is too large, a NUL inside of JSON."""
    with pytest.raises(Unstorable):
        too_long = "UPDATE organization SET name = repeat('x', 300)"
        await get_connection("default").execute_query(too_long)
    for change in ({"printer_id": 2**40}, {"details": {"a": "\0"}}):
        with pytest.raises(Unstorable):
            await Alert.filter(id=1).update(**change)
    with pytest.raises(Unstorable):
        async with ledger.change(1) as change_:
            change_.record(Happened(organization_id=1, kind="a", data={"text": "\0"}))
    assert not await Event.exists()


async def test_a_poisonous_fact_is_told_as_an_event_and_the_rest_is_recorded(
    farm: link.Farm,
) -> None:
    """It is acknowledged, so it does not come again; the link is not dropped for it."""
    await farm.greet()
    printer = farm.printer.id
    poison = AlarmFact(printer=printer, code="thermal", text="\0")
    well = PrinterFact(printer=printer, state=PrinterState.OPERATIONAL)
    facts = link.batch(poison, well)
    answers = await farm.handler.incoming(farm.bridge, farm.epoch, facts)
    assert answers == [FactAck(journal_id="J1", seq=2)]
    assert (await Printer.get(id=printer)).state == "operational"
    [skipped] = await Event.filter(kind="bridge.fact_skipped")
    assert (skipped.data["seq"], skipped.data["fact"]) == (1, "AlarmFact")
