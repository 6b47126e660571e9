"""What was said is kept in bounded space, whatever happens to the disk, and can be read again."""

import argparse
import json
import os
import random
import re
from pathlib import Path

import pytest

from bridge.blackbox import command, reader
from bridge.blackbox.reader import Filter, NoRecording, chosen, recordings, said, sent_bytes
from bridge.blackbox.records import Kind, chunk, entries, entry
from bridge.blackbox.replay import replay
from bridge.sender import blackbox
from bridge.sender.blackbox import IDLE, BlackBox
from tests.fakes.hosts import Bench

LINES = 400


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The directory of a bridge whose printer 7 has printed once."""
    file = tmp_path / "print.gcode"
    file.write_text("G28\n" + "".join(f"G1 X{n % 90} Y{n % 97}.5 F900\n" for n in range(LINES)))
    box = BlackBox(tmp_path / "blackbox" / "printer-7")
    bench = Bench(3, file, box=box)
    bench.start()
    box.mark(bench.now, "starting -> printing")
    bench.run_until(bench.over)
    box.close(bench.now)
    return tmp_path


def test_a_print_is_recorded_line_by_line(recorded: Path) -> None:
    """Sent and received, with time and number; before the print is another file."""
    found = recordings(recorded / "blackbox")
    assert {one.label for one in found} == {"G", IDLE}
    parts = [one.path for one in chosen(recorded / "blackbox", "last")]
    lines = list(said(parts))
    sent = [line.text for line in lines if line.kind == "sent" and " G1 X" in line.text]
    assert len(sent) == LINES
    assert [line.at_s for line in lines] == sorted(line.at_s for line in lines)
    assert sum(line.text == "ok" for line in lines if line.kind == "received") >= LINES
    assert [line.text for line in lines if line.kind == "state"] == ["starting -> printing"]
    assert reader.about(parts[0])["label"] == "G"


def test_filters_choose_by_number_time_kind_and_text(recorded: Path) -> None:
    """All that is asked for must hold."""
    lines = list(said([one.path for one in chosen(recorded / "blackbox", "G")]))
    numbered = [line.number for line in lines if Filter(first=50, last=52).wants(line)]
    assert numbered == [50, 51, 52]
    only = Filter(kinds=frozenset({"received"}), pattern=re.compile("^ok$"), since_s=0.0)
    assert {line.text for line in lines if only.wants(line)} == {"ok"}
    assert not [line for line in lines if Filter(until_s=-1.0).wants(line)]
    with pytest.raises(NoRecording, match="newest prints are: G"):
        chosen(recorded / "blackbox", "other")


def test_a_simulator_answers_a_recording_as_the_printer_did(recorded: Path) -> None:
    """A whole conversation from the first hello is the same; a changed answer is found."""
    every = [one.path for one in recordings(recorded / "blackbox")]
    result = replay(sent_bytes(every))
    assert result.same, result
    assert result.executed >= LINES
    record = list(sent_bytes(every))
    at = next(i for i, (kind, data) in enumerate(record) if kind is Kind.RECEIVED and i > 40)
    record[at] = (Kind.RECEIVED, b"Resend: 12\nok\n")
    changed = replay(record)
    assert changed.recorded_answer == "resend 12"
    assert changed.replayed_answer == "ok"


def test_a_torn_or_damaged_file_gives_the_rest() -> None:
    """kill -9 in the middle of a chunk, flipped bits: what is whole is told, nothing raises."""
    chunks = [chunk(entry(n, Kind.SENT, b"N%d\n" % n)) for n in range(20)]
    whole = b"".join(chunks)
    assert len(list(entries(whole))) == 20
    assert len(list(entries(whole[:-3]))) == 19
    assert [one.at_s for one in entries(b"xx" + b"".join(chunks[3:5]))] == [3.0, 4.0]
    rng = random.Random(5)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        assert len(list(entries(bytes(damaged)))) >= 19


def test_space_is_bounded_and_the_oldest_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By bytes and by number of files."""
    monkeypatch.setattr(blackbox, "MAX_FILES", 6)
    monkeypatch.setattr(blackbox, "PART_BYTES", 2000)
    monkeypatch.setattr(blackbox, "TOTAL_BYTES", 9000)
    box, rng = BlackBox(tmp_path / "printer-1"), random.Random(1)
    for index in range(30):
        box.begin(float(index), f"G{index}")
        box.note(float(index), True, rng.randbytes(1000))
        box.flush(float(index))
    box.close(30.0)
    kept = recordings(tmp_path)
    assert len(kept) <= 6
    assert sum(one.size_bytes for one in kept) <= 9000
    assert kept[-1].label == "G29"


def test_a_full_disk_costs_the_recording_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """serial 12/#64: it is said why, tried again later, and nothing raises."""
    full = True

    def write(fd: int, data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(fd, data)

    real = os.write
    monkeypatch.setattr(os, "write", write)
    box = BlackBox(tmp_path / "printer-1")
    box.note(0.0, True, b"N1 G28*1\n")
    box.flush(0.0)
    assert "No space left" in (box.problem or "")
    box.note(1.0, True, b"N2\n")
    box.flush(1.0)
    full = False
    box.note(100.0, True, b"N3\n")
    box.close(100.0)
    assert box.problem is None
    assert [line.text for line in said(one.path for one in recordings(tmp_path))] == ["N3"]


def test_the_command_line_lists_shows_and_replays(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people and for programs."""
    parser = argparse.ArgumentParser()
    command.add(parser, argparse.ArgumentParser(add_help=False), lambda _: recorded)

    def run(*words: str) -> str:
        options = parser.parse_args(words)
        assert options.command(options) == 0
        return capsys.readouterr().out

    assert "printer 7" in run("list")
    assert json.loads(run("list", "--json", "--printer", "7"))[-1]["label"] == "G"
    assert run("show", "last", "--sent", "--lines", "9").count("\n") == 1
    assert json.loads(run("show", "--lines", "9-9", "--json"))["number"] == 9
    assert run("show", "--lines=-9") == run("show", "--lines", "1-9")
    assert run("show", "--lines", "9-").count("\n") > 300
    assert json.loads(run("replay", "G", "--json"))["same"]
    assert "the simulator executed 405" in run("replay", "G", "--firmware", "mk3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--grep", "["], "no regular expression"),
        (["--lines", "x"], "N-M"),
        (["--lines", "1-2-3"], "N-M"),
    ],
)
def test_a_filter_that_is_none_is_said(
    words: list[str], said: str, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with it, and the status of a wrong call."""
    parser = argparse.ArgumentParser()
    command.add(parser, argparse.ArgumentParser(add_help=False), lambda _: recorded)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["show", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_recording_is_shown_without_what_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What came over the cable is in it as it was; for programs it stays so."""
    box = BlackBox(tmp_path / "blackbox" / "printer-7")
    box.begin(100.0, "G", job=1, file="x")
    box.note(100.0, False, b"Error:\x1b]0;title\x07 \x1b[2Jgone\n")
    box.close(101.0)
    parser = argparse.ArgumentParser()
    command.add(parser, argparse.ArgumentParser(add_help=False), lambda _: tmp_path)
    for words, text in ((["show"], "Error:?]0;title? ?[2Jgone\n"), (["show", "--json"], "u001b")):
        options = parser.parse_args(words)
        options.command(options)
        told = capsys.readouterr().out
        assert text in told and "\x1b" not in told
