"""The messages of the room link: one struct a type, and what is signed."""

from typing import get_args

import msgspec
import pytest

from schemas.facts import AlarmFact, CommandFact, Fact, FactBody, GapFact
from schemas.link import NAME_OF, TYPES, Body, Sender, signed_text
from schemas.session import SAYS, LinkState


def test_every_body_has_one_name() -> None:
    """Types and bodies are a one to one map."""
    assert set(NAME_OF) == set(get_args(Body))
    assert len(NAME_OF) == len(TYPES)


@pytest.mark.parametrize("side", [Sender.AGENT, Sender.API])
def test_who_may_say_what_agrees_with_the_session(side: Sender) -> None:
    """The table of types and the table of the session are one."""
    may = {body for body, sender in TYPES.values() if sender in (side, Sender.BOTH)}
    said = {*SAYS[side, LinkState.GREETING], *SAYS[side, LinkState.OPEN]}
    assert said == may


def test_facts_are_told_apart_by_their_tag() -> None:
    """Each kind comes back as itself."""
    for body in (
        CommandFact(id="c", state="done"),  # type: ignore[arg-type]
        AlarmFact(printer=None, code="x", text="y"),
        GapFact(what="ports", count=2),
    ):
        fact = Fact(seq=1, at_ms=2, boot_id="b", body=body)
        back = msgspec.json.decode(msgspec.json.encode(fact), type=Fact)
        assert type(back.body) is type(body)
    tags = [body.__struct_config__.tag for body in get_args(FactBody)]
    assert len(set(tags)) == len(tags)


def test_signature_binds_bridge_and_nonce() -> None:
    """No two pairs give the same text; the purpose is part of it."""
    assert signed_text("b", "n") == b"gantry-link-v1\nb\nn"
    assert signed_text("b1", "n") != signed_text("b", "1n")
