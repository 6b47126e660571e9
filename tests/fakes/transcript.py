"""Transcripts: what a firmware says to what a host sends, and what has to come of it.

A transcript is a text. `> M115` and the `< ` lines behind it are one answer to that command, each
used once and in order; a command without an answer left gets `ok`. In answers `{n}` is the number
of the line and `{last}` that of the one before. `* ` lines are the play:

    * connect                     open the port; the lines before are said while it boots
    * print G28 | G1 X1 | G1 X2   start a print
    * says <text>                 the firmware says so by itself
    * types <command>             a person does
    * waits <seconds>
    * is <what> <value>           what must be so now, see `Play.expect`
"""

from collections import defaultdict, deque
from pathlib import Path

from bridge.gcode.happenings import AttemptMoved, Identified, Warned
from bridge.gcode.lines import clean
from schemas.printer import PrinterConfig
from tests.fakes.firmware import numbered
from tests.fakes.host import Host

CONFIG = PrinterConfig(id=7, slug="t", name="T", port_id="path:/dev/t")


class Scripted:
    """The firmware of a transcript: `executed` is what it has answered without asking again.

    What comes behind a line that it asks for again is flushed, as firmware does.
    """

    def __init__(self) -> None:
        self.answers: dict[bytes, deque[bytes]] = defaultdict(deque)
        self.executed: list[bytes] = []
        self._buffer = b""
        self._wanted: int | None = None  # asked for again and not come yet

    def receive(self, data: bytes) -> bytes:
        """The answers to *data*."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return b"".join(self._answer(line) for line in lines if line)

    def _answer(self, line: bytes) -> bytes:
        found = numbered(line)
        if found is not None and self._wanted is not None and found[0] > self._wanted:
            return b""
        text = line if found is None else found[1]
        waiting = self.answers[text]
        answer = waiting.popleft() if waiting else b"ok\n"
        number = 0 if found is None else found[0]
        answer = answer.replace(b"{n}", b"%d" % number).replace(b"{last}", b"%d" % (number - 1))
        if b"resend" in answer.lower() or b"rs N" in answer:
            self._wanted = number
            return answer
        self._wanted = None
        self.executed.append(text)
        return answer


class LineHost(Host):
    """A cable on which every line is a read of its own."""

    def say(self, data: bytes) -> None:
        """One line after the other."""
        for line in data.splitlines(keepends=True):
            super().say(line)


class Play:
    """One transcript on its way."""

    def __init__(self, text: str) -> None:
        self.firmware = Scripted()
        self.host = LineHost(CONFIG)
        self.host.firmware = self.firmware  # type: ignore[assignment]
        self.boot = b""
        self.steps: list[tuple[str, str]] = []
        self._read(text)

    def run(self) -> None:
        """From the first line to the last."""
        assert any(verb == "is" for verb, _ in self.steps), "it holds nothing against anything"
        for verb, rest in self.steps:
            getattr(self, f"_{verb}")(rest)
        left = [text for text, answers in self.firmware.answers.items() if answers]
        assert left == [], "these were never asked"

    def expect(self, what: str, value: str) -> str:
        """What is so of *what*, written like *value*."""
        printer, happened = self.host.printer, self.host.happened
        codes = [one.code for one in happened if isinstance(one, Warned)]
        known = [one for one in happened if isinstance(one, Identified)]
        states = [one.state.value for one in happened if isinstance(one, AttemptMoved)]
        taken = [text.decode() for text in self.firmware.executed]
        facts: dict[str, str] = {
            "dialect": printer.link.stream.dialect.name,
            "state": printer.state.value,
            "stop": printer.stop_reach.value,
            "firmware": known[-1].name if known else "unknown",
            "uuid": str(known[-1].uuid) if known else "unknown",
            "can": value if printer.link.can(value) else f"not {value}",
            "heater": self._heater(value.partition(" ")[0]),
            "warned": value if value in codes else f"not in {codes}",
            "unwarned": ", ".join(codes),
            "attempt": states[-1] if states else "none",
            "took": value if value in taken else "not sent",
            "moves": " | ".join(text for text in taken if text[:1] == "G"),
        }
        return facts[what]

    # What a transcript says.

    def _read(self, text: str) -> None:
        asked: bytes | None = None
        for line in text.splitlines():
            sign, rest = line[:2], line[2:]
            if sign == "> ":
                asked = rest.encode()
                self.firmware.answers[asked].append(b"")
            elif sign == "< " or line == "<":
                said = rest.encode("latin-1").decode("unicode_escape").encode("latin-1") + b"\n"
                if asked is None:
                    self.boot += said
                else:
                    self.firmware.answers[asked][-1] += said
            elif sign == "* ":
                verb, _, more = rest.partition(" ")
                self.steps.append((verb, more))
            else:
                assert not line or line.startswith("#"), f"what is {line!r}?"

    # The steps of a play.

    def _connect(self, _: str) -> None:
        host = self.host
        host.printer.opened(host.now, boots=bool(self.boot), lossless=not self.boot)
        host.say(self.boot)
        host.wait(6.0)

    def _print(self, rest: str) -> None:
        lines = [line.strip() for line in rest.split("|")]
        self.host.start("".join(f"{line}\n" for line in lines).encode())
        self.host.go()
        self.host.wait(2.0)

    def _says(self, rest: str) -> None:
        self.host.say(rest.encode() + b"\n")
        self.host.go()

    def _types(self, rest: str) -> None:
        assert clean(rest.encode()) is not None
        self.host.printer.order([rest], "typed")
        self.host.go()

    def _waits(self, rest: str) -> None:
        self.host.wait(float(rest))

    def _is(self, rest: str) -> None:
        what, _, value = rest.partition(" ")
        self.host.happened += self.host.printer.events()
        assert (what, self.expect(what, value)) == (what, value)

    def _heater(self, name: str) -> str:
        heater = self.host.printer.link.status.temperatures.get(name)
        told = [None, None] if heater is None else [heater.actual_c, heater.target_c]
        return " ".join([name, *("none" if value is None else f"{value:g}" for value in told)])


def play(path: Path) -> Play:
    """Run the transcript at *path*."""
    played = Play(path.read_text("utf-8"))
    played.run()
    return played
