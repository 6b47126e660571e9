"""What differs between firmware families, as data (serial 10).

A row lists only its differences from Marlin 2. A new firmware is a row and a transcript. The row is
chosen by FIRMWARE_NAME of `M115`, before that by the boot text; a printer's configuration may name
one and then nothing that the firmware says changes it.

What is the same for all and therefore no column: every line but a probe is numbered and has its
checksum; `M110 N0` has the numbered form that all families take, and goes out with nothing in
flight; all spellings of `ok`, Resend and temperatures are understood from everybody.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

#: A stop for most firmwares. One line feed ends a half line that was on its way; Marlin's emergency
#: parser ignores one more line behind a half line that ends within its number, hence the second.
#: That of Marlin 1.1, and of a 2.0 that nobody has seen the last of, takes a blank line for the
#: beginning of one to ignore, and with it the M112 behind: hence another.
STOP_BYTES = b"\n\nM112\nM112\n"


class Emergency(StrEnum):
    """When a firmware obeys M112, M108 and M410."""

    BY_CAPABILITY = "by_capability"  # EMERGENCY_PARSER of M115 says so; unknown without that line
    AT_ONCE = "at_once"
    IN_TURN = "in_turn"  # when the line is read: not while a long command or a full queue holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family is spoken to. Times in seconds."""

    name: str
    #: FIRMWARE_NAME of M115 that this row is for, ignoring case.
    pattern: str
    #: A line of its boot text that no other family says, ignoring case; blank: none.
    banner: str = ""
    #: Most lines in flight: its command queue.
    window: int = 4
    #: More of them on a link with flow control. They wait in the receive ring, and leave room
    #: there for a stop.
    spare: int = 0
    #: Most bytes in flight on a UART: its receive ring less one.
    rx_bytes: int = 127
    #: It asks for a damaged or missing line again. Where it does not, a lost `ok` is undecidable.
    asks_again: bool = True
    #: An `ok` follows each Resend.
    resend_ok: bool = True
    #: It may say the same Resend twice without a second cause.
    doubles_resend: bool = False
    #: It drops a repeated line without a word: behind a damaged replay an answer is looked for
    #: sooner, because no Resend will tell.
    silent_repeats: bool = False
    #: It takes lines without number between numbered ones. Where not, a probe is numbered too.
    bare_lines: bool = True
    #: No answer for so long: probe. Shortened once `busy` lines are seen.
    silence_s: float = 30.0
    #: The same while a long command runs and nobody has seen `busy`.
    long_silence_s: float = 600.0
    #: It says `ok` when it has read a line: so many while one takes minutes, itself included.
    reads_ahead: int = 0
    #: It knows M113, which says whether long commands speak (`busy`).
    keepalive: bool = True
    #: Capabilities it has without ever saying so; what M115 says wins.
    #: A card may be behind any of them: one that prints from it needs its heat when we connect.
    assumed: frozenset[str] = frozenset({"SDCARD"})
    #: Answers when all motion is done.
    drain: bytes = b"M400"
    #: It answers M114 with its position.
    position: bool = True
    #: Each of these ends a line wherever it stands: what is behind a colon is another line, behind
    #: the first asterisk the checksum, and the line is asked for again for ever.
    ends_at: bytes = b""
    #: When it obeys a stop.
    emergency: Emergency = Emergency.BY_CAPABILITY
    #: It reads on while it heats or waits: M108 ends that without an emergency parser too.
    reads_on: bool = False
    #: What is sent for a stop.
    stop: bytes = STOP_BYTES
    #: Ends a halt: behind a stop that a person has released, and behind a fault when a person has
    #: it connected again. Behind its own kill() Marlin hears nothing before its board is reset;
    #: one that was reset takes no harm.
    revives: bytes = b""
    #: It changes filament (M600) without help from the host.
    own_filament_change: bool = False
    #: A refused number tells its line count, as seen on the real one: a print can go on exactly.
    tells_count: bool = False
    #: G90 and G91 set the extruder's mode too. Where not, M82 and M83 do alone; some take it for
    #: relative behind either of G91 and M83.
    joined_modes: bool = True
    #: A file on its card is selected by its name in lower case.
    lower_case_names: bool = False
    #: Keeps the motors on for a day of pause: what has not moved for 2 to 10 minutes is let go of
    #: else, and whoever changes filament moves the head. The time from before is nowhere to be
    #: read, so none is put back that might be shorter. Blank: it lets go of none, or has no word.
    holds: bytes = b""
    #: Said now and then in a pause, to one that takes a print of which nothing comes for finished.
    presence: bytes = b""
    #: Takes that back, where the firmware remembers what it had.
    lets_go: bytes = b""
    #: Goes on behind a pause of its own (`action:paused`): it brings back its head and its heat by
    #: itself, and asks again for the lines that it has thrown away. Blank: it has no word for that.
    goes_on: bytes = b""
    #: By `action:pause` it tells of such a pause, too: its state is kept, its heaters go off.
    pauses_itself: bool = False
    #: Takes back such a pause when the print ends in it.
    drops_pause: bytes = b""
    #: A homing that fails stops nothing but itself: it goes on, and refuses every move behind.
    outlives_homing: bool = False
    #: Ends a print from its card.
    card_abort: bytes = b"M524"
    #: Why no file can be written to its card over the cable (M28), for a person; blank: it can.
    no_card_write: str = ""

    def spelled(self, texts: list[bytes]) -> list[bytes]:
        """*texts* as this family takes them in; the same list where nothing needs a change."""
        if not self.ends_at:
            return texts
        batch = b"\n".join(texts)
        for mark in self.ends_at:
            if mark in batch:
                dots = bytes.maketrans(self.ends_at, b"." * len(self.ends_at))
                return [text.translate(dots) for text in texts]
        return texts


#: It is in the queue while the board looks there, and moves nothing.
SHORT_DWELL = b"G4 P100"
#: Seconds, for all that come from Sprinter; without S it would let go of them at once.
_A_DAY = b"M84 S86400"

MARLIN = Dialect(
    name="marlin",
    revives=b"M999",
    holds=_A_DAY,
    pattern=r"marlin",
    spare=2,
    banner=r"^(echo: ?)?marlin (bugfix-)?2",
    tells_count=True,
    reads_on=True,
)

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="prusa-buddy",
        revives=b"M999",
        holds=_A_DAY,
        pattern=r"prusa-firmware-buddy",
        presence=SHORT_DWELL,
        spare=2,
        assumed=frozenset({"AUTOREPORT_TEMP", "SDCARD"}),
        own_filament_change=True,
        no_card_write="files come to Prusa's Buddy boards over their network or on a stick",
    ),
    Dialect(
        name="prusa",
        revives=b"M999",
        holds=_A_DAY,
        pattern=r"prusa-firmware",
        banner=r"^(echo: ?)?prusa|^[0-9.]+-[0-9]+_prusa",
        window=1,
        resend_ok=False,
        own_filament_change=True,
        joined_modes=False,
        lower_case_names=True,
        ends_at=b":*",  # the MK2's, of the same name (`Marlin_main.cpp`, `get_command`)
        goes_on=b"M602",
        drops_pause=b"M603",
        card_abort=b"M603",
        # it takes lines without number into the file too, and keeps the numbers of the others there
        no_card_write="Prusa's firmware would keep the line numbers in the file",
    ),
    Dialect(
        name="reprapfirmware",
        revives=b"M999",
        pattern=r"reprapfirmware",
        banner=r"^reprapfirmware",
        window=1,
        asks_again=False,
        silence_s=60.0,
        keepalive=False,
        emergency=Emergency.AT_ONCE,
        own_filament_change=True,
        joined_modes=False,
        card_abort=b"M0",
        no_card_write="RepRapFirmware drops damaged lines without a word: send it over its network",
    ),
    Dialect(
        name="repetier",
        revives=b"M999",
        holds=_A_DAY,
        pattern=r"repetier",
        banner=r"^(info: ?)?repetier",
        rx_bytes=63,
        doubles_resend=True,
        ends_at=b":*",  # up to 0.92, and in what others made of it (`gcode.cpp`)
        bare_lines=False,
        reads_ahead=3,
        keepalive=False,
        # built to demand checksums it refuses the bare one, and empties its ring; it looks for M112
        # before it looks at the number (`gcode.cpp`, `checkAndPushCommand`)
        stop=b"\n\nN1 M112*32\n" + STOP_BYTES,
        card_abort=b"M25",
        own_filament_change=True,
        joined_modes=False,
    ),
    Dialect(
        name="smoothie",
        revives=b"M999",
        pattern=r"smoothie",
        banner=r"^smoothie",
        window=1,
        resend_ok=False,
        ends_at=b"*",  # `GcodeDispatch.cpp`, `find_first_of`
        keepalive=False,
        card_abort=b"abort",
        # its word of M600, the next G28 takes it back (`Player.cpp`, `suspend_command`)
        pauses_itself=True,
        goes_on=b"M601",
        emergency=Emergency.AT_ONCE,
        stop=b"\x18" + STOP_BYTES,
        own_filament_change=True,
        no_card_write="Smoothieware writes files its own way: copy it to the drive that it shows",
    ),
    Dialect(
        name="klipper",
        revives=b"FIRMWARE_RESTART",
        holds=b"SET_IDLE_TIMEOUT TIMEOUT=86400",
        lets_go=b"SET_IDLE_TIMEOUT",
        goes_on=b"RESUME",
        drops_pause=b"CLEAR_PAUSE",
        outlives_homing=True,
        pattern=r"klipper",
        banner=r"^// klipper state",
        window=2,
        asks_again=False,
        silence_s=600.0,
        long_silence_s=3600.0,
        keepalive=False,
        emergency=Emergency.AT_ONCE,
        own_filament_change=True,
        joined_modes=False,
        no_card_write="Klipper has no card: its files are a folder of its own host",
    ),
    Dialect(name="malyan", pattern=r"malyan", window=1),
    Dialect(
        name="chitu",
        pattern=r"chitu|cbd make",
        window=1,
        no_card_write="nobody has seen that a Chitu board takes one over its cable",
    ),
    Dialect(
        name="teacup",
        pattern=r"teacup",
        window=1,
        resend_ok=False,
        ends_at=b"*",
        reads_ahead=9,
        keepalive=False,
        drain=b"G4 P0",
        emergency=Emergency.IN_TURN,
        no_card_write="Teacup writes no files to a card",
        joined_modes=False,
    ),
    Dialect(
        name="marlin-1.0",
        revives=b"M999",
        holds=_A_DAY,
        pattern=r"marlin[^;]*; sprinter/grbl|marlin ?(v?1\.0|v1\b)",
        banner=r"^(echo: ?)?marlin ?(v?1\.0|v1\b)",
        ends_at=b":*",
        keepalive=False,
        card_abort=b"M25",
        emergency=Emergency.IN_TURN,
        joined_modes=False,
    ),
    Dialect(
        name="marlin-1.1",
        revives=b"M999",
        holds=_A_DAY,
        pattern=r"marlin (bugfix-)?1\.",
        spare=2,
        banner=r"^(echo: ?)?marlin (bugfix-)?1\.1",
        reads_on=True,
        joined_modes=False,
    ),
    Dialect(
        name="sprinter",
        holds=_A_DAY,
        pattern=r"sprinter",
        banner=r"^sprinter",
        ends_at=b":*",
        window=1,
        keepalive=False,
        drain=b"G4 P0",
        emergency=Emergency.IN_TURN,
        joined_modes=False,
    ),
    MARLIN,
)

_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def by_firmware(name: str) -> Dialect:
    """The row for a FIRMWARE_NAME; Marlin for a name that nobody knows."""
    for dialect in DIALECTS:
        if re.search(dialect.pattern, name, re.IGNORECASE):
            return dialect
    return MARLIN


def by_banner(line: str) -> Dialect | None:
    """The row whose boot text *line* is, None for any other line."""
    for dialect in DIALECTS:
        if dialect.banner and re.search(dialect.banner, line, re.IGNORECASE):
            return dialect
    return None


def by_name(name: str) -> Dialect | None:
    """The row called *name*, None for `auto` and for what no row is called."""
    return _BY_NAME.get(name)
