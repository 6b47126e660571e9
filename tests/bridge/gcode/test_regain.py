"""The conversation that finds out which line a printer took last."""

from bridge.gcode.regain import ASK_EVERY_S, MAX_UNHEARD, Regain
from bridge.gcode.replies import Ack, Busy, Reply, Text

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
