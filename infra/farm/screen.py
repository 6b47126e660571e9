"""What the farm shows: a table on a terminal, plain lines anywhere else."""

import sys
import time
from collections import deque
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PLAIN_EVERY_S = 5.0
NOTES_KEPT = 6
_COLOURS = {
    "printing": "green",
    "paused": "yellow",
    "idle": "cyan",
    "offline": "red",
    "error": "bold red",
}


class Screen(Protocol):
    """Where the farm's news go."""

    def note(self, text: str) -> None:
        """One line of news."""

    def welcome(self, lines: list[tuple[str, str]]) -> None:
        """The URLs and credentials, once."""

    def show(self, printers: list[dict[str, Any]]) -> None:
        """The printers as they are now, about once a second."""

    def close(self) -> None:
        """Give the terminal back."""


def open_screen() -> Screen:
    """A live table when standard output is a terminal, plain lines otherwise."""
    return LiveScreen() if sys.stdout.isatty() else PlainScreen()


class PlainScreen:
    """Lines: every change of state at once, progress every 5 s."""

    def __init__(self) -> None:
        self._states: dict[int, str] = {}
        self._said_at: dict[int, float] = {}

    def note(self, text: str) -> None:
        """One line of news."""
        print(text, flush=True)

    def welcome(self, lines: list[tuple[str, str]]) -> None:
        """The URLs and credentials, once."""
        width = max(len(name) for name, _ in lines)
        for name, value in lines:
            print(f"  {name:<{width}}  {value}", flush=True)

    def show(self, printers: list[dict[str, Any]]) -> None:
        """Say what changed, and how far the prints are."""
        now = time.monotonic()
        for printer in printers:
            key, state = printer["id"], printer["status"]
            changed = self._states.get(key) != state
            due = state == "printing" and now - self._said_at.get(key, 0.0) >= PLAIN_EVERY_S
            if changed or due:
                self._states[key], self._said_at[key] = state, now
                print(plain_line(printer), flush=True)

    def close(self) -> None:
        """Nothing to give back."""


def plain_line(printer: dict[str, Any]) -> str:
    """One printer as a line of text."""
    parts = [f"{printer['name']}: {printer['status']}", temperatures(printer)]
    if printer["status"] in ("printing", "paused"):
        parts.append(f"{printer.get('progress') or 0.0:5.1f} %")
        if left := time_left(printer):
            parts.append(f"{left} left")
    if printer.get("last_error_message") and printer["status"] in ("error", "offline"):
        parts.append(str(printer["last_error_message"]))
    return "  ".join(part for part in parts if part)


def temperatures(printer: dict[str, Any]) -> str:
    """Nozzle and bed in °C, with their targets when heated; "" when nothing is known."""
    shown = []
    for name, actual, target in (
        ("nozzle", "nozzle_temp", "nozzle_target_temp"),
        ("bed", "bed_temp", "bed_target_temp"),
    ):
        if printer.get(actual) is not None:
            goal = f"/{printer[target]:.0f}" if printer.get(target) else ""
            shown.append(f"{name} {printer[actual]:.0f}{goal} °C")
    return ", ".join(shown)


def time_left(printer: dict[str, Any]) -> str:
    """Time left as h:mm:ss; "" when unknown."""
    seconds = printer.get("time_left_s")
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


class LiveScreen:
    """A table that renews itself, with the latest news below it."""

    def __init__(self) -> None:
        self._console = Console()
        self._notes: deque[str] = deque(maxlen=NOTES_KEPT)
        self._head: list[tuple[str, str]] = []
        self._printers: list[dict[str, Any]] = []
        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()

    def note(self, text: str) -> None:
        """One line of news."""
        self._notes.append(text)
        self._draw()

    def welcome(self, lines: list[tuple[str, str]]) -> None:
        """The URLs and credentials, kept on top."""
        self._head = lines
        self._draw()

    def show(self, printers: list[dict[str, Any]]) -> None:
        """Draw the printers anew."""
        self._printers = printers
        self._draw()

    def close(self) -> None:
        """Leave the last picture and give the terminal back."""
        self._live.stop()

    def _draw(self) -> None:
        head = Table.grid(padding=(0, 2))
        for name, value in self._head:
            head.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
        parts: list[Any] = [Panel(head, title="Gantry", title_align="left")] if self._head else []
        if self._printers:
            parts.append(self._table())
        parts += [Text(note, style="dim") for note in self._notes]
        self._live.update(Group(*parts), refresh=True)

    def _table(self) -> Table:
        table = Table(expand=True)
        for title in ("printer", "state", "temperatures", "progress", "", "left"):
            table.add_column(title)
        for printer in self._printers:
            state = str(printer["status"])
            done = float(printer.get("progress") or 0.0)
            busy = state in ("printing", "paused")
            table.add_row(
                str(printer["name"]),
                Text(state, style=_COLOURS.get(state, "")),
                temperatures(printer),
                ProgressBar(total=100, completed=done, width=30) if busy else "",
                f"{done:.1f} %" if busy else "",
                time_left(printer) if busy else "",
            )
        return table
