"""A file that goes to the printer's own card, whole or honestly not (serial 2, 6, 12/#55)."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from bridge.errors import LocalProtocolError
from bridge.gcode.happenings import OrderDone, OrderLost
from bridge.gcode.standing import StopReach
from bridge.simulator.families import FAMILIES
from schemas.commands import CardAction
from schemas.printer import PrinterState
from tests.fakes.card_hosts import NAME, CardBench, NoisyCable, written_for

_S = PrinterState


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small print with comments, waits and texts."""
    path = tmp_path_factory.mktemp("card") / "cube.gcode"
    lines = ["; made for this test", "G28", "M104 S60", "M109 S60", "", "M117 layer 0"]
    for index in range(100):
        lines.append(f"G1 X{index % 90}.5 Y{index % 97}.25 E{index / 100:.3f} F1800")
        if index % 40 == 0:
            lines += [";LAYER_CHANGE", f"M117 layer {index // 40}", "G4 P10", "G92 E0", "M106 S99"]
    path.write_text("\n".join([*lines, "M104 S0", "M0"]) + "\n; the end", "ascii")
    return path


def test_a_file_goes_to_the_card_as_it_is(file: Path) -> None:
    """Nothing of the host's own is in it, nothing of it is run, the list is new."""
    bench = CardBench(1, file)
    bench.connect()
    bench.send()
    assert bench.sent_whole()
    assert bench.state is _S.OPERATIONAL
    run = bench.ran()
    assert run[run.index(b"M28 CUBE.GCO") :] == [b"M28 CUBE.GCO", b"M29", b"M20"]


def cable_of(seed: int) -> NoisyCable:
    """A cable that damages lines both ways, swallows answers and says some twice."""
    rng = Random(seed)
    return NoisyCable(
        seed,
        rng.choice((0.0, 0.005, 0.02)),
        drop_ok=rng.choice((0.0, 0.01, 0.05)),
        double_ok=rng.choice((0.0, 0.0, 0.02)),
    )


def check(seed: int, file: Path) -> bool:
    """Send *file* over the cable of *seed*; whether it is there. Else the failure is honest."""
    family = FAMILIES[("marlin", "marlin", "marlin-1.1", "marlin-1.0", "repetier")[seed % 5]]
    bench = CardBench(seed, file, cable=cable_of(seed), family=family)
    bench.connect()
    bench.send()
    bench.run_until(lambda: bench.result is not None)
    on_card = bench.on_card()
    assert bench.result is not None
    if bench.result.reason == "":
        assert on_card == written_for(file), f"seed {seed}: the file is another"
        return True
    lines = (on_card or b"").splitlines(keepends=True)
    assert lines == written_for(file).splitlines(keepends=True)[: len(lines)], seed
    return False


def test_bad_cables(file: Path) -> None:
    """serial 12/#55: a resend works inside M28, and the file on the card is the one sent."""
    assert all([check(seed, file) for seed in range(200, 212)])


@pytest.mark.seeded
@pytest.mark.parametrize("first", [0, 100])
def test_two_hundred_bad_cables(file: Path, first: int) -> None:
    """The same, the same every time."""
    assert all([check(seed, file) for seed in range(first, first + 100)])


@pytest.mark.seeded
@pytest.mark.parametrize("seed", range(8))
def test_a_hopeless_cable_ends_honestly(file: Path, seed: int) -> None:
    """What is on the card is the file or its beginning, and the reason says so."""
    bench = CardBench(seed, file)
    bench.connect()
    bench.damage(NoisyCable(seed, 0.4, drop_ok=0.3))
    bench.send()
    bench.run_until(lambda: bench.result is not None)
    bench.damage(None)
    whole = written_for(file).splitlines(keepends=True)
    lines = (bench.on_card() or b"").splitlines(keepends=True)
    assert lines == whole[: len(lines)]
    assert bench.result is not None
    assert bench.result.reason or lines == whole


def sending(bench: CardBench, name: str = NAME) -> None:
    """Connect, and go on to the middle of the file."""
    bench.connect()
    bench.send(name)
    bench.run_until(lambda: len(bench.on_card() or b"") > 1500)


def test_a_cancel_closes_and_deletes_what_was_sent(file: Path) -> None:
    """The list is told anew, and the printer takes commands again."""
    bench = CardBench(3, file)
    sending(bench)
    bench.host.printer.cancel(bench.now)
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None and bench.result.reason == "cancelled"
    assert bench.on_card() is None
    assert bench.ran()[-3:] == [b"M29", b"M30 CUBE.GCO", b"M20"]
    assert bench.state is _S.OPERATIONAL
    bench.send()
    bench.happened.clear()
    assert bench.sent_whole(), "and the next one goes"


def test_progress_is_that_of_the_file_on_the_card(file: Path) -> None:
    """Bytes acknowledged of all; the name on the card, no grant."""
    bench = CardBench(4, file)
    sending(bench)
    live = bench.host.live(bench.now)
    assert live.progress is not None
    assert 1000 < live.progress.file_bytes < live.progress.size_bytes == file.stat().st_size
    assert (live.state, live.file_name, live.grant) == (_S.TRANSFERRING, NAME, None)
    seen = [live.progress.file_bytes]
    for size in (2000, 2500, 3000):
        bench.run_until(lambda size=size: len(bench.on_card() or b"") > size)  # type: ignore[misc]
        progress = bench.host.live(bench.now).progress
        assert progress is not None
        seen.append(progress.file_bytes)
    assert seen == sorted(set(seen))
    assert bench.sent_whole()
    assert bench.host.live(bench.now).file_name is None


def test_heaters_are_off_before_and_a_person_is_told(file: Path) -> None:
    """Nothing could switch them off behind M28."""
    bench = CardBench(5, file, speed=1.0)
    bench.connect()
    bench.host.printer.order(["M104 S60", "M140 S40"], "heat")
    bench.wait(3.0)
    bench.send()
    assert bench.sent_whole()
    run = bench.ran()
    assert run[run.index(b"M28 CUBE.GCO") - 2 :][:2] == [b"M104 S0", b"M140 S0"]
    assert "card_write_cools" in bench.warnings


def test_while_it_goes_nothing_of_ours_is_asked(file: Path) -> None:
    """A printer that cannot report by itself is not polled, however long it takes."""
    bench = CardBench(6, file, family=FAMILIES["marlin-1.0"])
    sending(bench)
    bench.stall(40.0)
    assert bench.sent_whole()
    assert "temperature_silent" not in bench.warnings
    bench.wait(6.0)
    assert b"M105" in bench.ran()[-2:], "and afterwards it is again"


def test_a_full_card_ends_it_and_the_half_is_deleted(file: Path) -> None:
    """`error writing to file` comes with an ok."""
    bench = CardBench(7, file, room=600)
    bench.connect()
    bench.send()
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None
    assert bench.result.reason == ("the file cannot be written on the card: error writing to file")
    assert bench.on_card() is None
    assert OrderDone("T") in bench.happened, "it was opened"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "B1CUBE.GCO",
        "A;M112.G",
        "A*B.GCO",
        "ÄÖ.GCO",
        "A\nM112",
        "A B.GCO",
        "LONGERTHAN.GCO",
        "M110N5.G",
    ],
)
def test_names_that_are_none_are_refused(file: Path, name: str) -> None:
    """Nothing is sent: a name with B and a digit would begin a binary transfer in Marlin."""
    bench = CardBench(8, file)
    bench.connect()
    ran = len(bench.ran())
    with pytest.raises(LocalProtocolError, match="no file on a card is called"):
        bench.send(name)
    bench.wait(0.5)
    assert not any(line.startswith(b"M28") for line in bench.ran()[ran:])
    assert bench.state is _S.OPERATIONAL


def test_a_card_that_is_not_there_is_noticed(file: Path) -> None:
    """Marlin says nothing to M28 without a card: no line of the file is sent, or it would run."""
    bench = CardBench(9, file)
    bench.connect()
    bench.host.printer.order(["M22"], "out")
    bench.wait(0.5)
    bench.host.printer.link.status.card.present = None  # nobody has said so
    bench.send()
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None
    assert "is there a card in it?" in bench.result.reason
    assert b"G28" not in bench.ran()
    assert bench.ran().count(b"M28 CUBE.GCO") == 3
    assert not any(line == b"M30 CUBE.GCO" for line in bench.ran())
    with pytest.raises(LocalProtocolError, match="no card in the printer"):
        bench.host.printer.link.status.card.present = False
        bench.send()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"M29", "line 3: M29"),
        (b"M117 M29 is near", "line 3: M29"),
        (b"M23 X.GCO", "line 3: M23"),
        (b"M24", "line 3: M24"),
        (b"M30 X.GCO", "line 3: M30"),
        (b"M28 X.GCO", "line 3: M28"),
        (b"@pause", "line 3: @PAUSE"),
        (b"M104 S999", "line 3"),
        (b"G1 X" + b"1" * 120, "line 3"),
    ],
)
def test_lines_that_may_not_be_there_are_refused_before(
    tmp_path: Path, line: bytes, why: str
) -> None:
    """With the line's number, while the card is untouched."""
    path = tmp_path / "bad.gcode"
    path.write_bytes(b"; one\nG28\n" + line + b"\nG1 X1\n")
    bench = CardBench(10, path)
    bench.connect()
    bench.send()
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None and bench.result.reason.startswith(why)
    assert not any(line.startswith(b"M28") for line in bench.ran())
    assert any(isinstance(one, OrderLost) for one in bench.happened)
    assert bench.state is _S.OPERATIONAL


def test_a_line_that_only_names_m110_sets_no_count(tmp_path: Path) -> None:
    """Marlin looks for it everywhere; with a blank in it nobody finds it."""
    path = tmp_path / "named.gcode"
    path.write_bytes(b"G28\nM117 set M110 N7\nG1 X1\nG1 X2\n")
    bench = CardBench(10, path)
    bench.connect()
    bench.send()
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None and bench.result.reason == ""
    assert bench.on_card() == b"G28\r\nM117 set M 110 N7\r\nG1 X1\r\nG1 X2\r\n"


def test_pauses_of_the_files_own_are_left_to_the_printer(tmp_path: Path) -> None:
    """M0, M1 and M25 are in the file: from the card the printer does them itself."""
    path = tmp_path / "pauses.gcode"
    path.write_bytes(b"G28\nM0\nM25\nG1 X1\nM600\n")
    bench = CardBench(11, path)
    bench.connect()
    bench.send()
    assert bench.sent_whole()


def test_every_order_is_refused_meanwhile(file: Path) -> None:
    """With what to do about it; a stop is not an order."""
    bench = CardBench(12, file)
    sending(bench)
    printer = bench.host.printer
    now = bench.now
    orders: tuple[Callable[[], object], ...] = (
        lambda: printer.order(["M105"], "x"),
        lambda: printer.order(["M108"], "x"),
        lambda: printer.cool("x"),
    )
    for order in orders:
        with pytest.raises(LocalProtocolError, match="is being sent to its card; cancel that"):
            order()
    steps: tuple[Callable[[], object], ...] = (
        lambda: printer.pause(now),
        lambda: printer.resume(now),
        lambda: printer.card_print.do(CardAction.LIST, "", "x"),
        bench.send,
    )
    for step in steps:
        with pytest.raises(LocalProtocolError, match="transferring"):
            step()
    assert bench.sent_whole()


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("then", [CardAction.SELECT, CardAction.START])
def test_what_follows_is_done_when_the_file_is_there(
    file: Path, then: CardAction, eager: bool
) -> None:
    """Selected, or printed from the card, of which nothing may be read when it is asked for."""
    bench = CardBench(13, file, speed=1.0)
    bench.eager = eager
    bench.connect()
    bench.send(then=then)
    assert bench.sent_whole()
    bench.wait(2.0)
    assert b"M23 CUBE.GCO" in bench.ran()
    assert (b"M24" in bench.ran()) is (then is CardAction.START)
    assert bench.state is (_S.PRINTING if then is CardAction.START else _S.OPERATIONAL)


def test_a_reset_in_the_middle_ends_it(file: Path) -> None:
    """The board has forgotten the file; what is on the card is told to be a part."""
    bench = CardBench(14, file)
    sending(bench)
    bench.firmware.power_on(bench.now)
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None
    assert bench.result.reason == (
        "the printer has restarted; what is on the card under that name is not whole"
    )
    assert bench.state is _S.ERROR
    assert "printer_reset" in bench.warnings


@pytest.mark.parametrize("seed", range(20))
def test_a_host_that_dies_leaves_nothing_of_its_successors_in_the_file(
    file: Path, seed: int
) -> None:
    """kill -9 anywhere: the printer still saves; the next life closes the file first."""
    family = FAMILIES[("marlin", "marlin-1.1", "marlin-1.0", "repetier")[seed % 4]]
    bench = CardBench(seed, file, family=family)
    bench.connect()
    bench.send()
    if not bench.kill_after(bench.random.randrange(20, 200)):
        return  # it was through before
    was_saving = bench.firmware.storage.written.get(NAME)
    bench.next_life()
    bench.connect()
    bench.run_until(lambda: bench.host.printer.link.status.firmware is not None)
    whole = written_for(file).splitlines(keepends=True)
    lines = (bench.on_card() or b"").splitlines(keepends=True)
    assert lines == whole[: len(lines)], was_saving
    bench.host.printer.order(["M118 gantry hears"], "after")
    bench.run_until(lambda: OrderDone("after") in bench.happened)
    assert b"M118 gantry hears" in bench.ran(), "and nothing is saved any more"


def test_a_lost_port_leaves_a_part_and_the_next_connection_closes_it(file: Path) -> None:
    """The board was not reset: a hello would be a line of the file."""
    bench = CardBench(15, file)
    sending(bench)
    bench.host.printer.lost("unplugged", bench.now)
    bench.run_until(lambda: bench.result is not None)
    assert bench.result is not None
    assert bench.result.reason == "unplugged; what is on the card under that name is not whole"
    bench.connect()
    bench.run_until(lambda: bench.host.printer.link.status.firmware is not None)
    whole, on_card = written_for(file), bench.on_card()
    assert on_card is not None and whole.startswith(on_card) and on_card != whole
    bench.happened.clear()
    bench.send()
    assert bench.sent_whole(), "the same file again, over the part"


def test_a_disconnect_ends_it(file: Path) -> None:
    """The printer hears M29 before the port is closed."""
    bench = CardBench(16, file)
    sending(bench)
    bench.host.close(bench.now)
    bench.wait(0.5)
    assert bench.result is not None and bench.result.reason.startswith("the port was closed; ")
    assert bench.ran()[-1].strip() == b"M29"


@pytest.mark.parametrize("family", ["marlin", "marlin-1.1", "marlin-1.0"])
def test_a_stop_gets_through_while_it_saves(file: Path, family: str) -> None:
    """Marlin hears no M112 while it saves: M29 first, and M112 again when the file is closed."""
    bench = CardBench(17, file, family=FAMILIES[family])
    sending(bench)
    assert bench.host.printer.stop_reach is StopReach.IN_TURN
    bench.host.stop("stopped remotely", bench.now)
    bench.run_until(lambda: bench.firmware.killed)
    assert bench.state is _S.HALTED
    assert bench.result is not None and bench.result.reason.startswith("stopped remotely; ")
    whole, on_card = written_for(file), bench.on_card()
    assert on_card is not None and whole.startswith(on_card)


def test_what_others_ordered_before_is_done_and_reports_go_on_behind(file: Path) -> None:
    """Orders that came before M28 go before it; those of our own that come meanwhile go behind."""
    bench = CardBench(18, file)
    bench.connect()
    bench.host.printer.order(["M106 S7"], "fan")
    bench.send()
    bench.run_until(lambda: bench.result is None and len(bench.on_card() or b"") > 100)
    bench.host.printer.link.stream.order([b"M155 S1"])  # as a capability does that comes late
    assert bench.sent_whole()
    bench.wait(0.5)
    run = bench.ran()
    assert run.index(b"M106 S7") < run.index(b"M28 CUBE.GCO") < run.index(b"M29")
    assert b"M155 S1" in run[run.index(b"M29") :]
