"""What clients subscribe to, as OctoPrint 1.11 understands it (OctoPrint contract, 8)."""

import time
from typing import Any

import pytest

from api.octoprint.push_wishes import MAX_EXPRESSION, Subscription, logs_of, messages_of
from api.octoprint.push_wishes import subscription as understood

LINES = ["Send: N1 M105*36", "Recv: ok T:21.3 /0.0", "Recv: echo:busy", "[...]"]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ({}, Subscription(False, False, False, False, False)),
        ({"state": True}, Subscription(True, True, False, False, False)),
        ({"state": False, "events": True}, Subscription(False, False, False, True, False)),
        ({"state": {}}, Subscription(True, False, False, False, False)),
        ({"state": {"logs": True}}, Subscription(True, True, False, False, False)),
        (
            {"state": {"logs": "Send:.*", "messages": True}, "plugins": ["a"]},
            Subscription(True, "Send:.*", True, False, frozenset({"a"})),
        ),
    ],
)
def test_what_is_not_listed_is_off(wanted: dict[str, Any], meant: Subscription) -> None:
    """`state: true` means the log without messages."""
    assert understood(wanted) == meant
    assert meant.terminal is (meant.state and bool(meant.logs or meant.messages))


@pytest.mark.parametrize(
    "wanted",
    [
        {"state": 1},
        {"state": "x"},
        {"state": None},
        {"state": {"logs": "("}},
        {"state": {"messages": 7}},
        {"state": {"logs": r"(a)\1"}},
        {"state": {"logs": "x" * (MAX_EXPRESSION + 1)}},
        {"state": {"logs": "(?:" * 50 + "a" + "{1,500})" * 50}},
        {"state": {"logs": "(a{0,100}){9}b"}},
        {"events": "Upload"},
        {"plugins": {}},
    ],
)
def test_what_cannot_be_understood_is_no_wish(wanted: dict[str, Any]) -> None:
    """The message is passed over, as in OctoPrint."""
    assert understood(wanted) is None


def test_lines_are_chosen_by_expression() -> None:
    """Found anywhere in a line; messages are what the printer said, without the mark."""
    assert logs_of(LINES, True) == LINES
    assert logs_of(LINES, False) == messages_of(LINES, False) == []
    temperatures = r"(Send: (N\d+\s+)?M105)|(Recv:\s+(ok\s+([PBN]\d+\s+)*)?([BCLPR]|T\d*):-?\d+)"
    assert logs_of(LINES, temperatures) == LINES[:2]
    assert logs_of(LINES, "(?i)(error|BUSY|resend|M117 .*)") == [LINES[2]]
    assert messages_of(LINES, True) == ["ok T:21.3 /0.0", "echo:busy"]
    assert messages_of(LINES, "^echo:") == ["echo:busy"]


def test_no_expression_keeps_the_server_busy() -> None:
    """What explodes elsewhere takes a moment here: CPU seconds for 300 of the longest lines."""
    lines = ["Recv: " + "a" * 249 + "!"] * 300
    before_s = time.process_time()
    assert logs_of(lines, r"(a+)+$") == []
    assert logs_of(lines, "(.*)*" * 20 + "x") == []
    assert logs_of(lines, "(a{0,100}){3}b") == []
    assert time.process_time() - before_s < 1.0
