"""The command book: what is handed over, what ends, and what a restart makes of it."""

import pytest

from bridge.agent.commands import CommandBook, CommandRow, Fetch, Finish, Hand, SenderView
from bridge.control.messages import Verdict
from schemas.commands import CARD_PRINT, CommandState, GcodeArgs, TemperatureArgs, Verb
from schemas.jobs import AttemptEvent
from tests.fakes.rows import SHA, row, start_args

READY = SenderView(boot="life-1")
S = CommandState


def finished(decision: object) -> tuple[CommandState, str]:
    assert isinstance(decision, Finish)
    return decision.state, decision.code


def handed(book: CommandBook, command: CommandRow, view: SenderView = READY) -> None:
    assert book.add(command) == []
    assert book.next(0, view) == Hand(command)


def test_command_waits_for_its_sender() -> None:
    """Nothing is handed over before a sender is adopted."""
    book = CommandBook()
    book.add(row(Verb.GCODE))
    assert book.next(0, SenderView()) is None
    assert isinstance(book.next(0, READY), Hand)
    assert book.next(0, READY) is None


def test_command_expires_at_its_deadline_and_not_before() -> None:
    """The TTL runs on the agent's clock; an expired command is never handed over."""
    book = CommandBook()
    book.add(row(Verb.GCODE, deadline_ms=1000))
    assert book.deadline_ms() == 1000
    assert book.next(999, SenderView()) is None
    assert finished(book.next(1000, READY)) == (S.EXPIRED, "expired")
    assert len(book) == 0


def test_stop_without_sender_fails_and_does_not_expire() -> None:
    """A remote stop has no TTL: when no sender comes back it says so."""
    book = CommandBook()
    book.add(row(Verb.REMOTE_STOP, deadline_ms=1000))
    assert finished(book.next(1000, SenderView())) == (S.FAILED, "no_sender")


def test_start_fetches_its_file_first_and_others_pass() -> None:
    """A download does not hold up a temperature."""
    book = CommandBook()
    start, heat = row(Verb.START), row(Verb.TEMPERATURE, seq=2)
    book.add(start)
    book.add(heat)
    assert book.next(0, READY) == Fetch(start)
    assert book.next(0, READY) == Hand(heat)
    assert book.next(0, READY) is None
    book.file_ready(start.id)
    assert book.next(0, READY) == Hand(start)


def test_start_whose_file_cannot_be_had_never_started() -> None:
    """`file_unavailable`, and the attempt is told as not started."""
    book = CommandBook()
    start = row(Verb.START)
    book.add(start)
    book.next(0, READY)
    end = book.file_failed(start.id, "404")
    assert end == Finish(start, S.FAILED, "file_unavailable", "404", AttemptEvent.NOT_STARTED)
    assert book.file_failed(start.id, "again") is None


def test_start_that_expires_while_fetching_never_started() -> None:
    """The deadline holds during the download as well."""
    book = CommandBook()
    book.add(row(Verb.START, deadline_ms=1000))
    assert isinstance(book.next(0, READY), Fetch)
    end = book.next(1000, READY)
    assert isinstance(end, Finish) and end.attempt is AttemptEvent.NOT_STARTED


def test_start_that_expects_its_own_grant_does_not_wait_for_itself() -> None:
    """Its arguments name the grant; what it expects beside that does not count."""
    book = CommandBook()
    start = row(Verb.START, grant="grant-1")
    book.add(start)
    book.file_ready(start.id)
    assert book.next(0, READY) == Hand(start)


def test_pause_waits_for_the_start_it_means() -> None:
    """A pause that overtook its start's download is not a wrong job."""
    book = CommandBook()
    start, pause = row(Verb.START), row(Verb.PAUSE, grant="grant-1", seq=2)
    book.add(start)
    book.add(pause)
    assert book.next(0, READY) == Fetch(start)
    assert book.next(0, READY) is None
    book.file_ready(start.id)
    assert book.next(0, READY) == Hand(start)
    assert book.next(0, READY) == Hand(pause)


def test_cancel_withdraws_a_start_that_still_waits() -> None:
    """Nothing is printed: the attempt is cancelled, the cancel is done."""
    book = CommandBook()
    start, cancel = row(Verb.START), row(Verb.CANCEL, grant="grant-1", seq=2)
    book.add(start)
    book.add(cancel)
    book.next(0, SenderView())
    end = book.next(0, SenderView())
    assert isinstance(end, Finish)
    assert (end.row, end.attempt) == (start, AttemptEvent.CANCELLED)
    assert book.next(0, SenderView()) == Finish(
        cancel, S.DONE, "", "what it ends was still waiting and is withdrawn"
    )


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME, Verb.CANCEL])
def test_job_verb_for_another_job_is_rejected(verb: Verb) -> None:
    """A late pause on another job is worse than none."""
    book = CommandBook()
    book.add(row(verb, grant="old"))
    view = SenderView(boot="life-1", grant="new")
    assert finished(book.next(0, view)) == (S.REJECTED, "wrong_job")


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME, Verb.CANCEL])
def test_a_print_from_the_card_is_the_senders_to_judge(verb: Verb) -> None:
    """Handed over while no attempt runs; beside one it means nothing."""
    book = CommandBook()
    book.add(row(verb, grant=CARD_PRINT))
    assert isinstance(book.next(0, READY), Hand)
    book.add(row(verb, grant=CARD_PRINT))
    view = SenderView(boot="life-1", grant="new")
    assert finished(book.next(0, view)) == (S.REJECTED, "wrong_job")


def test_job_verb_must_name_its_attempt() -> None:
    """`expect` is mandatory for job verbs."""
    book = CommandBook()
    book.add(row(Verb.PAUSE))
    assert finished(book.next(0, READY)) == (S.REJECTED, "wrong_job")


def test_job_verb_for_the_running_job_is_handed_over() -> None:
    """The sender's own word about its grant counts."""
    book = CommandBook()
    pause = row(Verb.PAUSE, grant="g")
    book.add(pause)
    assert book.next(0, SenderView(boot="life-1", grant="g")) == Hand(pause)


def test_newer_temperature_replaces_an_unsent_older_one() -> None:
    """Coalescing: only when every heater of the older one is set again."""
    book = CommandBook()
    old, other = row(Verb.TEMPERATURE), row(Verb.TEMPERATURE, seq=2)
    bed = row(Verb.TEMPERATURE, seq=3, args=TemperatureArgs({"bed": 60.0}))
    book.add(old)
    ends = book.add(other)
    assert [(end.row, end.state) for end in ends] == [(old, S.SUPERSEDED)]
    assert book.add(bed) == []
    assert book.next(0, READY) == Hand(other)
    assert book.next(0, READY) == Hand(bed)


def test_newer_jog_replaces_an_unsent_older_one_of_its_axes() -> None:
    """Coalescing: a move by hand that nobody has seen begin; lines from a terminal all count."""
    book = CommandBook()
    old, new = (row(Verb.GCODE, seq=seq, args=GcodeArgs(["G1"], jog="x")) for seq in (1, 2))
    other = row(Verb.GCODE, seq=3, args=GcodeArgs(["G1"], jog="y"))
    lines = [row(Verb.GCODE, seq=seq, args=GcodeArgs(["M117"])) for seq in (4, 5)]
    book.add(old)
    ends = book.add(new)
    assert [(end.row, end.state) for end in ends] == [(old, S.SUPERSEDED)]
    for each in (other, *lines):
        assert book.add(each) == []
    handed_over = [book.next(0, READY) for _ in range(4)]
    assert handed_over == [Hand(each) for each in (new, other, *lines)]


def test_sender_that_read_a_command_too_late_did_nothing() -> None:
    """It was frozen over the deadline: expired, and a start has not begun."""
    for verb, attempt in ((Verb.GCODE, None), (Verb.START, AttemptEvent.NOT_STARTED)):
        book = CommandBook()
        command = row(verb)
        book.add(command)
        if verb is Verb.START:
            assert book.next(0, READY) == Fetch(command)
            book.file_ready(command.id)
        assert book.next(0, READY) == Hand(command)
        end = book.outcome(command.id, Verdict.REJECTED, "expired", "late")
        assert end == Finish(command, S.EXPIRED, "expired", "late", attempt)


def test_temperature_that_was_handed_over_is_not_replaced() -> None:
    """After its sender died it waits again, but superseded would claim that nothing happened."""
    book, old = left_over(Verb.TEMPERATURE)
    view = SenderView(boot="life-2")
    assert book.adopted(0, view, frozenset()) == []
    assert book.add(row(Verb.TEMPERATURE, seq=2)) == []
    assert book.next(0, view) == Hand(old)


def test_quarantined_printer_rejects_everything_but_connect() -> None:
    """A person who connects the printer asks for a new sender."""
    book = CommandBook()
    book.add(row(Verb.GCODE))
    book.add(row(Verb.CONNECT, seq=2))
    view = SenderView(quarantined=True)
    assert finished(book.next(0, view)) == (S.REJECTED, "sender_failed")
    assert book.next(0, view) is None
    assert book.wants_connect()


@pytest.mark.parametrize("verdict", list(Verdict))
def test_outcome_ends_the_command_once(verdict: Verdict) -> None:
    """A repeated outcome, and one of a stranger, change nothing."""
    book = CommandBook()
    command = row(Verb.GCODE)
    handed(book, command)
    assert book.outcome("stranger", verdict, "", "") is None
    end = book.outcome(command.id, verdict, "code", "why")
    assert end == Finish(command, S(verdict.value), "code", "why")
    assert book.outcome(command.id, verdict, "", "") is None


def test_rejected_start_never_started() -> None:
    """The sender's refusal of a start ends its attempt."""
    book = CommandBook()
    start = row(Verb.START)
    book.add(start)
    book.file_ready(start.id)
    book.next(0, READY)
    end = book.outcome(start.id, Verdict.REJECTED, "busy", "")
    assert end is not None and end.attempt is AttemptEvent.NOT_STARTED


def test_printer_that_left_ends_everything_open() -> None:
    """Waiting commands are rejected, started ones unknown."""
    book = CommandBook()
    started = row(Verb.GCODE)
    handed(book, started)
    waiting = row(Verb.GCODE, seq=2)
    book.add(waiting)
    assert [(end.row, end.state) for end in book.gone()] == [
        (started, S.UNKNOWN),
        (waiting, S.REJECTED),
    ]
    assert len(book) == 0


# After a restart: rows are in the journal as started, the book is new.


def left_over(verb: Verb, life: str = "life-1", **more: object) -> tuple[CommandBook, CommandRow]:
    command = row(verb, **more)  # type: ignore[arg-type]
    command.sender_boot = life
    book = CommandBook()
    book.add_started(command)
    return book, command


@pytest.mark.parametrize("verb", list(Verb))
def test_same_sender_life_is_asked_again(verb: Verb) -> None:
    """The sender answers a repeated id from memory, so asking is safe for every verb."""
    book, command = left_over(verb, grant="g")
    assert book.adopted(0, READY, frozenset()) == [Hand(command, again=True)]


def test_late_start_that_never_arrived_is_expired() -> None:
    """The same life, past the deadline, not printing it, never reported it: not started."""
    book, _ = left_over(Verb.START, deadline_ms=10)
    (end,) = book.adopted(11, READY, frozenset())
    assert finished(end) == (S.EXPIRED, "expired")
    assert isinstance(end, Finish) and end.attempt is AttemptEvent.NOT_STARTED


@pytest.mark.parametrize(
    ("view", "reported"),
    [
        (SenderView(boot="life-1", grant="grant-1"), frozenset[str]()),
        (READY, frozenset({"grant-1"})),
        (SenderView(boot="life-2"), frozenset({"grant-1"})),
    ],
)
def test_start_that_was_taken_is_done(view: SenderView, reported: frozenset[str]) -> None:
    """Seen running, or reported by any life: the start happened."""
    book, _ = left_over(Verb.START, deadline_ms=10)
    assert [finished(end) for end in book.adopted(11, view, reported)] == [(S.DONE, "")]


@pytest.mark.parametrize("verb", [Verb.START, Verb.GCODE, Verb.RESUME, Verb.RESET_STOP])
def test_new_sender_life_never_repeats_what_is_not_repeatable(verb: Verb) -> None:
    """Safety R03: a started command is reported unknown, not run again."""
    book, command = left_over(verb)
    ends = book.adopted(0, SenderView(boot="life-2"), frozenset())
    assert [finished(end) for end in ends] == [(S.UNKNOWN, "sender_died")]
    assert book.next(0, SenderView(boot="life-2")) is None
    late = book.outcome(command.id, Verdict.REJECTED, "", "")
    assert (
        late is not None and late.state is S.FAILED
    )  # unknown is resolved once, never to rejected


def test_new_sender_life_gets_repeatable_commands_again() -> None:
    """A temperature that is still in time may be set twice."""
    book, command = left_over(Verb.TEMPERATURE)
    view = SenderView(boot="life-2")
    assert book.adopted(0, view, frozenset()) == []
    assert book.next(0, view) == Hand(command)
    assert command.sender_boot == "life-2"


def test_what_a_dead_sender_had_is_never_said_not_to_have_happened() -> None:
    """Link contract, "Command life": rejected and expired mean that nothing happened."""
    view = SenderView(boot="life-2")
    for late in (False, True):
        book, command = left_over(Verb.TEMPERATURE, deadline_ms=10)
        assert book.adopted(0, view, frozenset()) == []
        if late:
            assert finished(book.next(11, view)) == (S.UNKNOWN, "expired")
        else:
            assert book.next(0, view) == Hand(command)
            end = book.outcome(command.id, Verdict.REJECTED, "printer_not_operational", "")
            assert finished(end) == (S.UNKNOWN, "printer_not_operational")
        assert book.without_outcome() == 0


def test_put_back_command_is_handed_over_later() -> None:
    """A journal that refused loses nothing."""
    book = CommandBook()
    command = row(Verb.GCODE)
    handed(book, command)
    book.put_back(command)
    assert book.next(0, READY) == Hand(command)


def test_files_of_open_starts_are_needed() -> None:
    """The spool must not evict what an open start names."""
    book = CommandBook()
    book.add(row(Verb.START, args=start_args(sha256="cd" * 32)))
    assert book.files() == {"cd" * 32}


def test_a_file_for_the_card_is_fetched_first_and_kept() -> None:
    """As a start's; it is nobody's attempt."""
    book = CommandBook()
    write = row(Verb.CARD_WRITE)
    book.add(write)
    assert book.next(0, READY) == Fetch(write)
    assert book.next(0, READY) is None
    assert book.files() == {SHA}
    book.file_ready(write.id)
    assert book.next(0, READY) == Hand(write)
    assert book.files() == {SHA}


def test_a_file_for_the_card_that_cannot_be_had_fails() -> None:
    """Told once; no attempt is invented."""
    book = CommandBook()
    write = row(Verb.CARD_WRITE)
    book.add(write)
    book.next(0, READY)
    assert book.file_failed(write.id, "404") == Finish(write, S.FAILED, "file_unavailable", "404")
    assert len(book) == 0


def test_cancel_withdraws_a_file_for_the_card_that_still_waits() -> None:
    """Nothing is sent; the next cancel means the card again and is the sender's to judge."""
    book = CommandBook()
    write, cancel = row(Verb.CARD_WRITE), row(Verb.CANCEL, grant=CARD_PRINT, seq=2)
    book.add(write)
    assert book.next(0, READY) == Fetch(write)
    book.add(cancel)
    end = book.next(0, READY)
    assert isinstance(end, Finish)
    assert (end.row, end.state, end.attempt) == (write, S.REJECTED, None)
    assert finished(book.next(0, READY)) == (S.DONE, "")
    book.file_ready(write.id)
    later = row(Verb.CANCEL, grant=CARD_PRINT, seq=3)
    book.add(later)
    assert book.next(0, READY) == Hand(later)


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
def test_what_means_a_print_from_the_card_waits_for_no_file(verb: Verb) -> None:
    """Only a cancel means a file that is still fetched."""
    book = CommandBook()
    book.add(row(Verb.CARD_WRITE))
    assert isinstance(book.next(0, READY), Fetch)
    pause = row(verb, grant=CARD_PRINT, seq=2)
    book.add(pause)
    assert book.next(0, READY) == Hand(pause)


def test_a_sender_that_died_with_a_file_for_the_card_is_not_given_it_again() -> None:
    """Nobody knows how much of it is there."""
    book, write = left_over(Verb.CARD_WRITE)
    (end,) = book.adopted(0, SenderView(boot="life-2"), frozenset())
    assert finished(end) == (S.UNKNOWN, "sender_died")
    assert book.next(0, SenderView(boot="life-2")) is None
    assert write.state is S.UNKNOWN


def test_a_sender_that_knows_no_files_for_cards_gets_none() -> None:
    """It would hang up on the message."""
    book = CommandBook()
    write = row(Verb.CARD_WRITE)
    book.add(write)
    book.next(0, READY)
    book.file_ready(write.id)
    old = SenderView(boot="life-1", writes_cards=False)
    assert finished(book.next(0, old)) == (S.REJECTED, "sender_too_old")
