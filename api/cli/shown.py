"""How the commands talk: results on stdout (text, or one JSON object), all else on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

Stage = Callable[[str, int], Callable[[int], None]]


def result(text: str, facts: dict[str, Any], *, as_json: bool) -> None:
    """The one answer of a command."""
    sys.stdout.write(orjson.dumps(facts).decode() if as_json else text)
    sys.stdout.write("\n")


def complain(text: str) -> None:
    """What went wrong."""
    sys.stderr.write(f"python -m api: {text}\n")


@contextmanager
def stages(*, quiet: bool) -> Iterator[Stage]:
    """Progress bars, one for each stage that is begun; none where nobody looks at a terminal."""
    console = Console(stderr=True)
    columns = (
        *(TextColumn("{task.description:>8}"), BarColumn(), DownloadColumn()),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bars:

        def begin(name: str, size_bytes: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=size_bytes)
            return lambda more_bytes: bars.advance(task, more_bytes)

        yield begin
