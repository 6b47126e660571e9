"""Facts on their way: none is larger than a frame, whoever has made it."""

import sqlite3

import msgspec
import pytest

from bridge.agent.outbox import TABLES, Outbox
from schemas.codec import MAX_FRAME_BYTES, encode
from schemas.facts import AlarmFact, CardFact, FactBatch, FactBody, FirmwareFact, Port, PortsFact
from schemas.link import Frame
from schemas.printer import CardFile

#: Nothing takes more room in a frame: six bytes for each.
LONG = "\x01" * 9000
LOUD: tuple[FactBody, ...] = (
    AlarmFact(printer=1, code="printer_asks", text=LONG),
    FirmwareFact(
        printer=1,
        name=LONG,
        uuid=LONG,
        machine=LONG,
        capabilities=dict.fromkeys(map(str, range(9000)), True),
        fields={LONG: LONG},
    ),
    CardFact(printer=1, present=True, files=[CardFile(LONG, 1)] * 3, unlisted=4),
    PortsFact(ports=[Port(port_id="\x01" * 126, device="\x02" * 126)] * 64),
)


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    return connection


def told(outbox: Outbox) -> FactBody:
    """The one fact that waits, as the API gets it."""
    (fact,) = outbox.after(0)
    assert len(encode(Frame(body=FactBatch(journal_id="j" * 40, facts=[fact])))) <= MAX_FRAME_BYTES
    return fact.body


@pytest.mark.parametrize("body", LOUD, ids=lambda body: type(body).__name__)
def test_a_fact_that_fits_no_frame_is_told_in_fewer_words(
    db: sqlite3.Connection, body: FactBody
) -> None:
    """It would end the link, and each one after it, for ever: it is the first that waits."""
    outbox = Outbox(db)
    outbox.add(body, 1, "boot")
    assert type(told(outbox)) is type(body)
    assert outbox.size_bytes < MAX_FRAME_BYTES


@pytest.mark.parametrize("body", LOUD, ids=lambda body: type(body).__name__)
def test_such_a_fact_of_an_older_release_is_told_as_well(
    db: sqlite3.Connection, body: FactBody
) -> None:
    """It lies in the journal as it is."""
    data = msgspec.json.encode(body)
    db.execute("INSERT INTO facts (at_ms, boot, body) VALUES (1, 'boot', ?)", (data,))
    assert type(told(Outbox(db))) is type(body)


def test_what_is_left_out_of_a_card_is_counted(db: sqlite3.Connection) -> None:
    """Nobody takes a card for empty whose names are too long to be told."""
    outbox = Outbox(db)
    outbox.add(LOUD[2], 1, "boot")
    assert told(outbox) == CardFact(printer=1, present=True, files=[], unlisted=7)
