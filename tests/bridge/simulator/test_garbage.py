"""Whatever arrives, the board neither crashes nor stops answering."""

from random import Random

import pytest

from bridge.simulator.commands import TABLE
from tests.fakes.board import Board

_ALPHABET = b'GMTNXYZEFSPRIJ0123456789.-+* ;\\"\b\t\r\x00\xff'


@pytest.mark.seeded
@pytest.mark.parametrize("seed", range(4))
def test_random_lines_never_raise(seed: int) -> None:
    """Random lines of G-code characters, random commands with random words."""
    random, board = Random(seed), Board(speed=0)
    codes = [code for code in TABLE if code not in (b"M0", b"M1", b"M600", b"M112")]
    for _ in range(3000):
        garbage = bytes(random.choices(_ALPHABET, k=random.randrange(40)))
        board.feed(random.choice([b"", random.choice(codes), b"T", b"N1 "]) + garbage + b"\n")
        board.send("M108")
        board.wait(0.0)
        if board.firmware.killed:
            board.firmware.power_on(board.now)
    board.send("", "M108")
    assert board.send("M118 alive")[-2:] == ["alive", "ok"]
