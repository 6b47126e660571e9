"""The conversation that finds out which line a printer took last."""

import pytest

from bridge.gcode.failures import sort
from bridge.gcode.greeting import Outcome
from bridge.gcode.regain import ASK_EVERY_S, MAX_BREAKS, MAX_UNHEARD, MAX_WAIT_S, Regain, Waits
from bridge.gcode.replies import Ack, Busy, FirmwareInfo, Reply, Resend, Start, Text

#: What Marlin's receive buffer holds on most boards, in bytes, and what has to get in beside words.
RX_BYTES, STOP = 128, b"M112\n"


class Talk:
    """A conversation with a firmware whose replies the test gives."""

    def __init__(self) -> None:
        self.now = 0.0
        self.regain = Regain(0.0, lowest=1, highest=100, word="gantry-00000000")
        self.written = b""

    def wait(self, seconds: float, *said: Reply) -> bytes:
        """What is written in these seconds, and *said* is heard every two."""
        written = b""
        for _ in range(int(seconds * 10)):
            self.now += 0.1
            written += self.regain.tick(self.now)
            if round(self.now * 10) % 20 == 0:
                for reply in said:
                    self.regain.receive(reply, self.now)
        return written


def test_a_printer_that_waits_for_a_person_is_not_talked_full() -> None:
    """Behind a full receive buffer nobody can stop it, or tell it to go on."""
    talk = Talk()
    written = talk.wait(1200.0, Busy(human=True))
    assert 0 < written.count(b"gantry") <= MAX_UNHEARD
    assert len(written) + len(STOP) < RX_BYTES


def test_a_printer_that_has_waited_for_a_person_is_asked_on() -> None:
    """It reads what waited, answers the newest word last, and is asked for its count."""
    talk = Talk()
    written = talk.wait(60.0, Busy(human=True))
    words = [line.decode() for line in written.split()]
    for word in words:
        talk.regain.receive(Text(f'echo:Unknown command: "{word}"'), talk.now)
        talk.regain.receive(Ack(), talk.now)
    assert b"M105" in talk.wait(0.2)


def test_words_that_were_lost_are_said_again_once_it_is_quiet() -> None:
    """Noise took them all: it is not busy any more, and does not answer."""
    talk = Talk()
    talk.wait(60.0, Busy(human=True))
    assert talk.wait(2 * ASK_EVERY_S).count(b"gantry") >= 1


def test_a_person_may_take_any_time_and_a_machine_may_not() -> None:
    """A filament change takes hours; who is only busy for so long has lost its mind."""
    for human, outcome in ((True, Outcome.WAITING), (False, Outcome.SILENT)):
        talk = Talk()
        talk.wait(MAX_WAIT_S * 2, Busy(human=human))
        assert talk.regain.outcome is outcome
        assert talk.regain.waits is (Waits.PERSON if human else Waits.MACHINE)


def test_a_wait_that_nobody_needs_any_more_is_broken() -> None:
    """As often as the firmware says that it waits, but its buffer is not filled."""
    talk = Talk()
    talk.wait(10.0, Busy(human=True))
    talk.regain.break_waits()
    written = talk.wait(60.0, Busy(human=True))
    assert written.count(b"M108\n") == MAX_BREAKS
    assert MAX_BREAKS * len(b"M108\n") + len(STOP) < RX_BYTES - len(written)


def test_the_answer_to_a_broken_wait_is_not_that_to_the_question() -> None:
    """The `ok` of M108 comes before the refusal: its count is heard all the same."""
    talk = Talk()
    words = talk.wait(3.0, Busy(human=True))
    talk.regain.break_waits()
    assert b"M108" in talk.wait(0.1)
    word = words.split()[-1].decode()
    for reply in (Text(f"echo:{word}"), Ack()):
        talk.regain.receive(reply, talk.now)
    assert b"M105" in talk.wait(0.2)
    refusal = sort("Line Number is not Last Line Number+1, Last Line: 42")
    refused: list[Reply] = [Ack(), refusal, Resend(43), Ack()]
    for one in refused:
        talk.regain.receive(one, talk.now)
    assert (talk.regain.outcome, talk.regain.number) == (Outcome.ANSWERED, 42)


def test_a_restart_behind_the_answer_counts() -> None:
    """While the file is read again up to there."""
    talk = Talk()
    talk.regain.outcome = Outcome.ANSWERED
    talk.regain.receive(Start(), talk.now)
    assert talk.regain.outcome is Outcome.SILENT
    assert talk.regain.reason == "the printer has restarted"


OWN, OTHER = "8777fcb1-279b-5fbf-aadf-57be1d52436e", "182a8101-a0c6-5564-bfb8-7b19c900ee3a"


class Board(Talk):
    """A firmware that has taken 42 lines; *names*: what it answers to M115, one after the other.

    `M1`: that was what it understood, and M108 ends it.
    """

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.broken = 0
        self._waits = False
        self.regain = Regain(0.0, lowest=1, highest=100, word="gantry-00000000", uuid=OWN)
        self._names = [*names]

    def go_on(self) -> None:
        """Answer everything that is asked until nothing is asked any more."""
        while self.regain.outcome is Outcome.WAITING and self.now < 600.0:
            for line in self.wait(0.1).splitlines():
                for reply in self._answers(line):
                    self.regain.receive(reply, self.now)
            if self._waits and round(self.now * 10) % 20 == 0:
                self.regain.receive(Busy(human=True), self.now)

    def _answers(self, line: bytes) -> list[Reply]:
        if self._waits and line == b"M108":
            self._waits, self.broken = False, self.broken + 1
            return [Ack(), Ack()]
        if self._waits:
            return []
        if b"gantry" in line:
            return [Text(f"echo:{line.decode()}"), Ack()]
        if line == b"M115":
            name = self._names.pop(0) if self._names else ""
            self._waits = name == "M1"
            if self._waits:
                return []
            info = FirmwareInfo({"FIRMWARE_NAME": "Marlin", "UUID": name})
            return [info, Ack()] if name else [Ack()]
        if b"M105" in line:
            refusal = sort("Line Number is not Last Line Number+1, Last Line: 42")
            return [refusal, Resend(43), Ack()]
        return []


def test_the_board_that_was_printing_goes_on() -> None:
    """It stands at a possible line and says who it is."""
    board = Board(OWN)
    board.go_on()
    assert (board.regain.outcome, board.regain.number) == (Outcome.ANSWERED, 42)


def test_a_board_at_the_same_line_is_not_taken_for_the_one_that_was_printing() -> None:
    """Two printers have paused at the same line of one file, and their ports have swapped names."""
    board = Board(OTHER, OTHER)
    board.go_on()
    assert board.regain.outcome is Outcome.SILENT
    assert f"another board answers at this port: UUID {OTHER}" in board.regain.reason


@pytest.mark.parametrize("heard", ["", OWN.replace("8", "9"), OTHER])
def test_a_name_that_noise_has_changed_is_asked_for_once_more(heard: str) -> None:
    """It has no checksum: what is heard once is not believed."""
    board = Board(heard, OWN)
    board.go_on()
    assert board.regain.outcome is Outcome.ANSWERED


def test_a_question_of_which_noise_made_a_wait_is_asked_again() -> None:
    """M115 has no checksum: as M1 it would wait for ever for a person who knows nothing of it."""
    board = Board("M1", OWN)
    board.go_on()
    assert board.broken == 1
    assert board.regain.outcome is Outcome.ANSWERED


def test_a_wait_of_the_file_is_not_broken_off_unasked() -> None:
    """Before it has answered the first word it may stand in a change of filament."""
    talk = Board(OWN)
    assert b"M108" not in talk.wait(60.0, Busy(human=True))


def test_a_board_that_does_not_say_who_it_is_prints_nothing() -> None:
    """The one that was printing had said it."""
    board = Board()
    board.go_on()
    assert board.regain.outcome is Outcome.SILENT
    assert board.regain.reason == "the printer did not say who it is, as it had before"
