"""The link session: order, epochs, lanes and silence, for both sides."""

import pytest

from schemas.codec import decode, encode
from schemas.facts import FactBatch
from schemas.link import (
    Beat,
    Body,
    BulkToken,
    CmdGot,
    Desired,
    FactAck,
    Frame,
    Hello,
    LiveSnap,
    Nak,
    Refuse,
    RemoteStop,
    Sender,
    Welcome,
)
from schemas.printer import Live, PrinterState
from schemas.session import BEAT_S, GREETING_S, Lateness, LinkSession, LinkState, WrongSession

HELLO = Hello(protocols=(1, 1), bridge_id="b", boot_id="x", boot_count=1, agent_version="0")


def welcome(epoch: int = 3, beat_s: float = BEAT_S, dead_s: float = 40.0) -> Welcome:
    return Welcome(
        session="s",
        epoch=epoch,
        protocol=1,
        server_time="2026-01-01T00:00:00.000Z",
        fact_ack=FactAck(journal_id="j", seq=0),
        bulk=BulkToken(token="t", life_s=60),
        beat_s=beat_s,
        dead_s=dead_s,
    )


def carry(source: LinkSession, target: LinkSession, now: float) -> list[Body | None]:
    got = []
    while (frame := source.data_to_send()) is not None:
        got.append(target.receive(frame, now))
    return got


def opened(now: float = 0.0) -> tuple[LinkSession, LinkSession]:
    """Agent and API with a link that stands."""
    agent, api = LinkSession(Sender.AGENT, now), LinkSession(Sender.API, now)
    agent.say(HELLO, now)
    carry(agent, api, now)
    api.say(welcome(), now)
    carry(api, agent, now)
    return agent, api


def said(session: LinkSession) -> list[Body]:
    bodies = []
    while (frame := session.data_to_send()) is not None:
        bodies.append(decode(frame).body)
    return bodies


def test_greeting_opens_both_sides_under_one_epoch() -> None:
    """Hello, welcome; every later frame carries the epoch."""
    agent, api = opened()
    assert (agent.state, api.state) == (LinkState.OPEN, LinkState.OPEN)
    assert agent.epoch == api.epoch == 3
    agent.say(CmdGot(seq=1), 1.0)
    frame = agent.data_to_send()
    assert frame is not None and decode(frame).epoch == 3


def test_nothing_but_the_greeting_comes_first() -> None:
    """A peer that begins with anything else is not served."""
    api = LinkSession(Sender.API, 0.0)
    assert api.receive(encode(Frame(body=CmdGot(seq=1))), 0.0) is None
    assert api.state is LinkState.CLOSED
    with pytest.raises(WrongSession):
        LinkSession(Sender.AGENT, 0.0).say(CmdGot(seq=1), 0.0)


def test_refusal_ends_the_session() -> None:
    """The reason is kept."""
    agent, api = LinkSession(Sender.AGENT, 0.0), LinkSession(Sender.API, 0.0)
    api.say(Refuse(code="clone", reason="twice"), 0.0)
    (body,) = carry(api, agent, 0.0)
    assert isinstance(body, Refuse)
    assert agent.closed == "refused: twice"


def test_frame_of_an_older_epoch_is_dropped_silently() -> None:
    """It comes from a socket that was already replaced (fencing)."""
    agent, api = opened()
    late = encode(Frame(body=RemoteStop(id="x", printer=1), epoch=2))
    assert agent.receive(late, 1.0) is None
    assert agent.data_to_send() is None
    assert api.closed is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"t":"future","e":3,"d":{}}', "unsupported"),
        ("{", "bad_frame"),
        (encode(Frame(body=CmdGot(seq=1), epoch=3)), "out_of_place"),
    ],
)
def test_bad_frames_are_answered_and_the_link_stays(text: str, code: str) -> None:
    """Never a disconnect: the agent keeps its link to a newer API."""
    agent, _ = opened()
    assert agent.receive(text, 1.0) is None
    (nak,) = said(agent)
    assert isinstance(nak, Nak) and nak.code == code
    assert agent.state is LinkState.OPEN


def test_stop_leaves_first_and_pictures_last() -> None:
    """Lanes: remote stop, acks, facts, pictures."""
    agent, api = opened()
    for body in (
        Desired(version=1, printers=[]),
        FactAck(journal_id="j", seq=1),
        RemoteStop(id="x", printer=1),
    ):
        api.say(body, 0.0)
    assert isinstance(said(api)[0], RemoteStop)
    batch = FactBatch(journal_id="j", facts=[])
    for later in (LiveSnap(printers=[]), batch, CmdGot(seq=1)):
        agent.say(later, 0.0)
    assert agent.waiting() == 3
    assert [type(body) for body in said(agent)] == [CmdGot, FactBatch, LiveSnap]


def test_newer_picture_replaces_the_one_that_waits() -> None:
    """A slow line loses pictures and never facts."""
    agent, _ = opened()
    snaps = [LiveSnap(printers=[Live(printer=n, state=PrinterState.OFFLINE)]) for n in (1, 2)]
    for snap in snaps:
        agent.say(snap, 0.0)
    assert said(agent) == [snaps[1]]


def test_beats_carry_clocks_and_load() -> None:
    """Each side says its clock and echoes the other's."""
    agent, api = opened()
    agent.load(printing=2, outbox=5)
    assert agent.deadline() == BEAT_S
    agent.tick(
        BEAT_S,
    )
    (beat,) = carry(agent, api, BEAT_S)
    assert beat == Beat(sent_ms=15_000, printing=2, outbox=5)
    api.tick(BEAT_S + 1)
    (echo,) = said(api)
    assert isinstance(echo, Beat) and echo.echo_ms == 15_000


def test_intervals_of_the_welcome_count() -> None:
    """A function asks for slow beats."""
    agent, api = LinkSession(Sender.AGENT, 0.0), LinkSession(Sender.API, 0.0)
    api.say(welcome(beat_s=60.0, dead_s=150.0), 0.0)
    carry(api, agent, 0.0)
    assert agent.deadline() == 60.0
    agent.tick(149.0)
    assert agent.closed is None
    agent.tick(150.0)
    assert agent.silent_since == 0.0
    assert agent.closed == "nothing heard for 150 s"


def test_peer_that_is_not_listened_to_is_not_dead() -> None:
    """Its frames lie unread: beats go on, and its silence counts once somebody listens again."""
    api = LinkSession(Sender.API, 0.0)
    api.say(welcome(beat_s=15.0, dead_s=40.0), 0.0)
    with api.not_listening():
        api.tick(15.0)
        assert api.deadline() == 30.0
        api.tick(1000.0)
        assert api.closed is None
    assert api.deadline() == 40.0
    api.tick(1000.0)
    assert api.silent_since is None
    assert api.closed == "nothing heard for 40 s"


@pytest.mark.parametrize("side", [Sender.AGENT, Sender.API])
def test_peer_that_never_greets_is_given_up(side: Sender) -> None:
    """Ten seconds."""
    session = LinkSession(side, 5.0)
    assert session.deadline() == 5.0 + GREETING_S
    session.tick(14.9)
    assert session.closed is None
    session.tick(15.0)
    assert session.state is LinkState.CLOSED


def test_first_reason_stays_and_a_closed_session_is_quiet() -> None:
    """Later ends do not hide the cause."""
    agent, _ = opened()
    agent.close("one")
    agent.close("two")
    agent.tick(1000.0)
    assert agent.closed == "one"
    assert agent.receive(encode(Frame(body=RemoteStop(id="x", printer=1), epoch=3)), 1.0) is None
    assert agent.data_to_send() is None


def test_session_can_be_taken_up_in_the_middle() -> None:
    """A function has no memory: state and epoch come from rows."""
    api = LinkSession(Sender.API, 0.0, state=LinkState.OPEN, epoch=3)
    body = api.receive(encode(Frame(body=CmdGot(seq=4), epoch=3)), 0.0)
    assert body == CmdGot(seq=4)


def test_deadline_that_is_reached_is_acted_upon() -> None:
    """R08: whatever the clock's rounding: a tick at `deadline()` beats or closes, always."""
    for step in range(2000):
        heard = 7.0 + step * 0.1234567
        for state in (LinkState.GREETING, LinkState.OPEN):
            session = LinkSession(Sender.API, heard, state=state, epoch=1)
            before = 0.0
            while session.closed is None:
                assert session.deadline() > before
                before = session.deadline()
                session.tick(before)
                session.data_to_send()


def test_lateness_is_told_by_two_clocks_that_have_no_common_zero() -> None:
    """What a frame needs beyond the promptest ones; clocks that drift apart make nobody late."""
    lateness = Lateness()
    assert [lateness.of(5_000_000 + at, 70 + at) for at in (0, 1000)] == [0, 0]
    assert lateness.of(5_002_000, 2070 + 25_000) == 25_000
    assert lateness.of(0, 1) == 0
    frozen = lateness.of(5_030_000, 30_070 + 600_000)
    assert frozen == 600_000
    drift = Lateness()
    found = [drift.of(1 + at, int(at * 1.0001)) for at in range(0, 7 * 86_400_000, 15_000)]
    assert max(found) < 20


def test_session_says_how_late_the_newest_frame_is() -> None:
    """Each side learns it from the other's frames."""
    agent, api = opened(1.0)
    api.say(Beat(sent_ms=0), 10.0)
    carry(api, agent, 14.5)
    assert agent.late_ms == 4500
    api.say(Beat(sent_ms=0), 15.0)
    carry(api, agent, 15.0)
    assert agent.late_ms == 0
