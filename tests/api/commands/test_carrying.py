"""Which commands a link carries: the rule for each state, and what is a link's from its birth."""

from datetime import UTC, datetime, timedelta

import pytest

from api.commands.carrying import at_birth, to_carry
from api.commands.models import Command
from schemas.codec import MAX_FRAME_BYTES
from schemas.commands import CommandState, Verb

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(seq: int, state: CommandState, epoch: int | None, left_s: float = 1.0) -> Command:
    ends = NOW + timedelta(seconds=left_s)
    return Command(id=str(seq), seq=seq, state=state, sent_epoch=epoch, deadline_at=ends)


@pytest.mark.parametrize(
    ("command", "told", "is_carried"),
    [
        (row(5, CommandState.QUEUED, None), "5", True),
        (row(5, CommandState.QUEUED, None, left_s=0.0), "", False),
        (row(5, CommandState.SENT, 2, left_s=-9.0), "5", True),  # of an older link
        (row(5, CommandState.SENT, None, left_s=-9.0), "5", True),  # its room may have it
        (row(5, CommandState.SENT, 3), "4567", False),
        (row(5, CommandState.SENT, 3), "467", True),
        (row(5, CommandState.SENT, 3, left_s=-9.0), "4", True),  # only the bridge ends it now
        (row(5, CommandState.SENT, 3), None, False),
    ],
)
def test_a_link_carries_what_it_has_not_said(
    command: Command, told: str | None, *, is_carried: bool
) -> None:
    """The link of epoch 3, which has said the ids of *told*, or does not remember (None)."""
    assert to_carry([command], 3, told, NOW) == ([command] if is_carried else [])


@pytest.mark.parametrize("verb", Verb)
def test_only_a_start_can_be_taken_back_from_a_link_that_stands(verb: Verb) -> None:
    """Everything else is the link's from its birth; without a link nothing is."""
    is_start = verb in {Verb.START, Verb.CARD_WRITE}
    born = (CommandState.QUEUED, None) if is_start else (CommandState.SENT, 7)
    assert at_birth(verb, {}, 7) == born
    assert at_birth(verb, {}, None) == (CommandState.QUEUED, None)


def test_what_may_fit_no_frame_waits_for_somebody_to_look() -> None:
    """It expires then; a link that has to say it could not."""
    lines = ["M117 " + "x" * 90] * (MAX_FRAME_BYTES // 95)
    assert at_birth(Verb.GCODE, {"lines": lines}, 7) == (CommandState.QUEUED, None)
