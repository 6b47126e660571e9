"""A terminal in an app: what is typed there is sent, and both directions come back over push."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.flows.conftest import Faces, eventually
from tests.flows.test_kill import kill

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]

PATIENCE_S = 60.0


class TerminalTab:
    """The terminal of an OctoPrint client."""

    def __init__(self, faces: Faces, socket: ClientConnection) -> None:
        self._faces = faces
        self._socket = socket
        self.histories = 0
        self.logs: list[str] = []
        self.messages: list[str] = []

    def sign_in(self) -> None:
        """As every client does: a passive login, then `auth`."""
        answer = self._faces.octoprint.post("/api/login", json={"passive": True})
        body = answer.raise_for_status().json()
        self.say(auth=f"{body['name']}:{body['session']}")

    def say(self, **message: Any) -> None:
        self._socket.send(json.dumps(message))

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Listen until *holds*."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"no {what} in {self.logs[-20:]}"
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            self.histories += "history" in message
            for name in ("history", "current"):
                self.logs += message.get(name, {}).get("logs", ())
                self.messages += message.get(name, {}).get("messages", ())

    def type(self, line: str, *statuses: int) -> None:
        """Send a line; beside 204 these *statuses* are fine."""
        answer = self._faces.octoprint.post("/api/printer/command", json={"command": line})
        assert answer.status_code in (204, *statuses), answer.text

    def said(self, start: str, text: str) -> int:
        """The place of the first line that begins with *start* and has *text*; -1: none yet."""
        places = (
            place for place, line in enumerate(self.logs) if line.startswith(start) and text in line
        )
        return next(places, -1)


@pytest.fixture
def tab(faces: Faces) -> Iterator[TerminalTab]:
    url = faces.printer["octoprint_url"].replace("http", "ws", 1)
    with connect(f"{url}/sockjs/websocket", proxy=None) as socket:
        tab = TerminalTab(faces, socket)
        tab.sign_in()
        yield tab


def test_what_is_typed_is_seen_with_its_answer(faces: Faces, tab: TerminalTab) -> None:
    """octoprint 8: `Send:` and `Recv:` lines, in the order of the cable; messages in push."""
    tab.until(lambda: bool(tab.logs), "line at all")  # the past, or the printer's own reports
    tab.type("M117 first of the tab")
    tab.until(lambda: tab.said("Send: ", "M117 first of the tab") >= 0, "line that was typed")
    tab.type("M115")
    tab.until(lambda: tab.said("Send: ", "M115") >= 0, "M115")
    asked = tab.said("Send: ", "M117 first of the tab")
    tab.until(lambda: any("FIRMWARE_NAME" in line for line in tab.logs[asked:]), "answer to M115")
    tab.until(lambda: any("FIRMWARE_NAME" in line for line in tab.messages), "message")
    told = [line for line in tab.logs if "M117 first of the tab" in line and "Send" in line]
    assert len(told) == 1, told
    assert all(line.startswith(("Send: ", "Recv: ", "Changing", "[...")) for line in tab.logs)


def test_a_filter_keeps_the_rest_away(faces: Faces, tab: TerminalTab) -> None:
    """octoprint 8: subscribe with an expression; lines go on while the printer prints nothing."""
    tab.until(lambda: tab.histories == 1, "history")
    tab.say(subscribe={"state": {"logs": "M117 (only|too)", "messages": False}})
    tab.until(lambda: tab.histories == 2, "history by the new wish")
    tab.logs, tab.messages = [], []
    tab.type("M117 not this one")
    tab.type("M117 only this one")
    tab.until(lambda: tab.said("Send: ", "only this one") >= 0, "line that was typed")
    tab.type("M117 too")
    tab.until(lambda: tab.said("Send: ", "M117 too") >= 0, "second line")
    assert [line for line in tab.logs if "not this one" in line] == []
    assert tab.messages == []


def test_a_reader_does_not_notice_that_the_agent_dies(faces: Faces, tab: TerminalTab) -> None:
    """kill -9: the lines go on, each once, by the cursor of the last one that was heard."""
    tab.type("M117 before")
    tab.until(lambda: tab.said("Send: ", "M117 before") >= 0, "line that was typed")
    kill(faces.farm, "agent")
    eventually(lambda: faces.get_v1("/bridges")[0]["online"], 60.0, "the room is back")
    tab.type("M117 after", 409)  # within the second that the face waits, or later
    tab.until(lambda: tab.said("Send: ", "M117 after") >= 0, "line that was typed after it")
    numbered = [line for line in tab.logs if re.match(r"Send: N[1-9]\d* ", line)]
    assert len(numbered) == len(set(numbered)), numbered
