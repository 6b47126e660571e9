"""The printer's own card: lists, prints from it, prints that run already (serial 6)."""

import msgspec
import pytest

from bridge.errors import LocalProtocolError
from bridge.gcode.happenings import CardListed, OrderDone, OrderLost
from bridge.gcode.picture import picture
from bridge.gcode.replies import parse
from bridge.gcode.sdcard import MAX_FILES, Card, CardReply
from bridge.gcode.status import Status
from schemas.commands import CardAction
from schemas.printer import CardFile, PrinterConfig, PrinterState
from tests.fakes.host import CONFIG, Host

_S = PrinterState
M115 = b"FIRMWARE_NAME:Marlin 2.1 UUID:1\nCap:SDCARD:1\nCap:EMERGENCY_PARSER:1\n"


def with_card(m27: bytes = b"Not SD printing\n", **changes: object) -> Host:
    """A connected host whose firmware has a card and answers M27 like this."""
    host = Host(msgspec.structs.replace(CONFIG, **changes), m115=M115)
    host.firmware.says |= {
        b"M27": m27,
        b"M23 CUBE.GCO": b"echo:Now fresh file: CUBE.GCO\nFile opened: CUBE.GCO Size: 4000\n"
        b"File selected\n",
    }
    host.printer.opened(host.now, boots=False, lossless=True)
    host.go()
    return host


def state(host: Host) -> PrinterState:
    """The state reported last."""
    return host.states[-1]


def test_a_long_list_is_read_in_order() -> None:
    """serial 12/#54: two thousand names, with blanks, sizes, stamps and long names."""
    status = Status()
    names = [
        f"FILE~{index}.GCO {index} 0x2a3b4c5d Long name {index}.gcode" for index in range(2000)
    ]
    names += ["WITH BLANK.GCO 12", '"QUOTED.GCO" 5 "A long name.gcode"', "NOSIZE.GCO"]
    for line in ["Begin file list", *names, "End file list", "ok"]:
        for reply in parse(line):
            status.fold(reply, 0.0)
    files = status.card.files
    assert files[0] == CardFile("FILE~0.GCO", 0, "Long name 0.gcode")
    assert [one.name for one in files[:2000]] == [f"FILE~{index}.GCO" for index in range(2000)]
    assert files[2000:] == [
        CardFile("WITH BLANK.GCO", 12),
        CardFile('"QUOTED.GCO"', 5, "A long name.gcode"),
        CardFile("NOSIZE.GCO", None),
    ]
    assert not status.card.listing


def test_a_list_without_end_is_bounded() -> None:
    """Noise may swallow its last line."""
    card = Card()
    (begin,) = parse("Begin file list")
    assert isinstance(begin, CardReply)
    card.fold(begin)
    for index in range(MAX_FILES + 10):
        card.entry(f"F{index}.GCO 1")
    assert (len(card.files), card.unlisted) == (MAX_FILES, 10)


def test_a_list_in_mid_print_disturbs_nothing() -> None:
    """serial 12/#54: its lines are no answers."""
    host = with_card()
    host.firmware.says[b"M20"] = b"Begin file list\nA.GCO 1\nok.gco 2\nEnd file list\n"
    job = b"".join(b"G1 X%d\n" % index for index in range(40))
    host.start(job)
    host.printer.order(["M20"], "list")
    host.go()
    assert host.printed == job.splitlines()
    assert OrderDone("list") in host.happened
    assert [one.name for one in host.printer.link.status.card.files] == ["A.GCO", "ok.gco"]


def running() -> Host:
    """A host whose printer prints from its card, started at the terminal."""
    host = with_card()
    host.firmware.says[b"M27"] = b"SD printing byte 10/4000\n"
    host.printer.order(["M23 CUBE.GCO", "M24"], "by hand")
    host.go()
    host.wait(6.0)
    assert state(host) is _S.PRINTING
    return host


def test_a_print_from_the_card_is_followed_to_its_end() -> None:
    """Selected, started, asked about, over; no attempt is invented."""
    host = running()
    host.firmware.says[b"M27"] = b"SD printing byte 1000/4000\n"
    host.wait(6.0)
    live = picture(host.printer, host.now, port=None, baud=None)
    assert live.progress is not None
    assert (live.file_name, live.progress.completion) == ("CUBE.GCO", 25.0)
    host.say(b"Done printing file\n")
    host.go()
    assert host.states[-2:] == [_S.FINISHING, _S.OPERATIONAL]
    assert host.attempts == []


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_print_from_the_card_pauses_resumes_and_is_cancelled(by_hand: bool) -> None:
    """M25, M24, M524, typed or by the printer's own wish; nothing printed at a pause is no end."""
    host = running()
    host.firmware.says[b"M27"] = b"Not SD printing\n"
    for code, word, expected in (
        ("M25", b"pause", _S.PAUSED),
        ("M24", b"resume", _S.PRINTING),
        ("M524", b"cancel", _S.OPERATIONAL),
    ):
        if by_hand:
            host.printer.order([code], code)
        else:
            host.say(b"//action:" + word + b"\n")
        host.go()
        if expected is not _S.PRINTING:
            host.wait(20.0)
        assert state(host) is expected, code
        assert code.encode() in host.firmware.executed
        host.firmware.says[b"M27"] = b"Not SD printing\n"
        if code == "M25":
            host.firmware.says[b"M27"] = b"SD printing byte 20/4000\n"
    assert (b"M104 S0" in host.firmware.executed) is not by_hand


@pytest.mark.parametrize("over", [False, True])
def test_the_last_script_runs_behind_the_end_of_the_file_only(over: bool) -> None:
    """serial 6: old firmwares say `Not SD printing` to a pause at their display, too."""
    host = with_card(b"SD printing byte 10/4000\n", scripts={"after_print": "G28 X"})
    host.wait(6.0)
    assert state(host) is _S.PRINTING
    host.firmware.says[b"M27"] = b"Not SD printing\n"
    if over:
        host.say(b"Done printing file\n")
    host.wait(6.0)
    assert state(host) is _S.OPERATIONAL
    assert (b"G28 X" in host.firmware.executed) is over
    assert ("card_print_stopped" in host.warnings) is not over


def test_a_printer_that_pauses_its_own_print_is_not_told_to() -> None:
    """`paused` and `resumed` tell what has happened."""
    host = running()
    for word, expected in ((b"paused", _S.PAUSED), (b"resumed", _S.PRINTING)):
        host.say(b"//action:" + word + b"\n")
        host.go()
        assert state(host) is expected
    assert b"M25" not in host.firmware.executed
    assert host.firmware.executed.count(b"M24") == 1


def test_names_are_told_as_the_firmware_wants_them() -> None:
    """serial 5: Prusa finds a file only in lower case."""
    host = Host(PrinterConfig(id=1, slug="", name="", port_id="", dialect="prusa"))
    host.connect()
    host.printer.order(["M23 CUBE~1.GCO"], "select")
    host.go()
    assert host.firmware.executed[-1] == b"M23 cube~1.gco"


def test_a_print_that_runs_already_is_taken_up_and_not_cooled() -> None:
    """serial 12/#44: connecting may not harm it, whatever is not trusted."""
    host = Host(m115=M115)
    host.firmware.says[b"M27"] = b"SD printing byte 500/1000\n"
    host.printer.distrust()
    host.printer.opened(host.now, boots=False, lossless=True)
    host.go()
    assert state(host) is _S.PRINTING
    assert "card_print" in host.warnings
    assert b"M104 S0" not in host.firmware.executed
    host.firmware.says[b"M27"] = b"Not SD printing\n"
    host.wait(6.0)
    assert state(host) is _S.OPERATIONAL


def test_an_upload_to_the_card_ends_without_hanging() -> None:
    """serial 12/#56: `Done saving file.` and no `ok`: the silence is looked into."""
    host = with_card()
    host.firmware.stuck = {b"M117"}
    host.printer.order(["M117 stands for M29"], "save")
    host.go()
    host.say(b"Done saving file.\n")
    host.firmware.stuck.clear()
    host.wait(30.0)
    assert OrderDone("save") in host.happened
    assert host.printer.state is _S.OPERATIONAL


def test_the_firmware_tells_by_itself_where_it_can() -> None:
    """serial 6: M27 S5, and no question as long as it does."""
    host = Host(m115=M115 + b"Cap:AUTOREPORT_SD_STATUS:1\n")
    host.firmware.says[b"M27"] = b"SD printing byte 10/1000\n"
    host.printer.opened(host.now, boots=False, lossless=True)
    host.go()
    assert b"M27 S5" in host.firmware.executed
    asked = host.firmware.executed.count(b"M27")
    for count in range(10):
        host.say(b"SD printing byte %d/1000\n" % (20 + count))
        host.wait(5.0)
    assert host.firmware.executed.count(b"M27") == asked
    host.wait(30.0)
    assert host.firmware.executed.count(b"M27") > asked


def test_an_open_file_that_does_not_run_is_no_print() -> None:
    """Some firmwares say `0/size` from the moment a file is selected."""
    host = with_card(b"SD printing byte 0/4000\n")
    assert state(host) is _S.OPERATIONAL


def test_a_start_finds_the_file_first() -> None:
    """M24 goes out behind `File opened` only, and the print is seen at once."""
    host = with_card()
    host.firmware.says |= {b"M23 NONE.GCO": b"open failed, File: NONE.GCO.\n"}
    host.printer.card_print.do(CardAction.START, "NONE.GCO", "none")
    host.go()
    assert OrderLost("none", "the printer finds no 'NONE.GCO' on its card") in host.happened
    assert b"M24" not in host.firmware.executed
    host.printer.card_print.do(CardAction.START, "CUBE.GCO", "cube")
    host.firmware.says[b"M27"] = b"SD printing byte 10/4000\n"
    host.go()
    assert OrderDone("cube") in host.happened
    assert state(host) is _S.PRINTING
    with pytest.raises(LocalProtocolError, match="not free"):
        host.printer.card_print.do(CardAction.LIST, "", "busy")


def test_a_list_that_was_asked_for_is_told_once() -> None:
    """Mounting tells that the card is there, and what is on it; a delete lists it again."""
    host = with_card()
    host.firmware.says |= {
        b"M21": b"echo:SD card ok\n",
        b"M20": b"Begin file list\nA.GCO 12\nEnd file list\n",
        b"M22": b"echo:SD card released\n",
    }
    host.printer.card_print.do(CardAction.MOUNT, "", "mount")
    host.go()
    listed = CardListed(True, (CardFile("A.GCO", 12),), 0)
    told = [each for each in host.happened if isinstance(each, CardListed)]
    assert told[-1] == listed
    host.printer.card_print.do(CardAction.DELETE, "A.GCO", "delete")
    host.go()
    assert b"M30 A.GCO" in host.firmware.executed
    host.printer.card_print.do(CardAction.RELEASE, "", "release")
    host.go()
    told = [each for each in host.happened if isinstance(each, CardListed)]
    assert told[-1] == CardListed(False, (), 0)
    assert {OrderDone("mount"), OrderDone("delete"), OrderDone("release")} <= set(
        each for each in host.happened if isinstance(each, OrderDone)
    )


@pytest.mark.parametrize("name", [" ", "A*B.GCO", "A;M112", "A\nM112", "A" * 300])
def test_no_command_hides_in_a_name(name: str) -> None:
    """What cannot be a file's name reaches no printer."""
    host = with_card()
    sent = len(host.firmware.heard)
    with pytest.raises(LocalProtocolError):
        host.printer.card_print.do(CardAction.DELETE, name, "bad")
    host.go()
    assert len(host.firmware.heard) == sent


def test_a_lost_port_ends_the_search_for_a_file() -> None:
    """Who asked is told."""
    host = with_card()
    host.firmware.stuck.add(b"M23")
    host.printer.card_print.do(CardAction.SELECT, "CUBE.GCO", "select")
    host.go()
    host.printer.lost("unplugged", host.now)
    host.go()
    assert OrderLost("select", "the connection was lost") in host.happened


@pytest.mark.parametrize("told", [True, False])
def test_a_print_of_which_nothing_is_read_yet_has_begun_when_it_was_told_to(told: bool) -> None:
    """For five seconds the printer was free, and a job could begin beside it; a file that is only
    open says the same on old firmwares."""
    host = with_card(b"SD printing byte 0/4000\n")
    if told:
        host.printer.order(["M23 CUBE.GCO", "M24"], "typed")
    else:
        host.printer.order(["M23 CUBE.GCO", "M27"], "typed")
    host.go()
    host.wait(0.1)
    assert host.printer.state is (_S.PRINTING if told else _S.OPERATIONAL)
