"""Starting the worker: bytes in, bytes out, bounded in time and memory, off the event loop."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import api
from api.files.analysis.worker import STATUS_BROKEN

MAX_WORKERS = 2  # at a time, of those that somebody waits for
READ_BYTES = 256 * 1024
_ROOT = str(Path(api.__file__).resolve().parents[1])
_COMMAND = (sys.executable, "-s", "-m", "api.files.analysis.worker")
_waited_for = asyncio.Semaphore(MAX_WORKERS)


class Unreadable(ValueError):
    """The file cannot be read; the text says why."""


class Stopped(RuntimeError):
    """The worker took too long, or died."""


@asynccontextmanager
async def _worker(work: str, stdin: IO[bytes] | int) -> AsyncIterator[Process]:
    """A worker, gone at the end whatever happened. It gets none of our environment."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, work, stdin=stdin, stdout=PIPE, stderr=PIPE, env={"PYTHONPATH": _ROOT}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


async def read_file(work: str, source: Path | AsyncIterator[bytes], limit_s: float) -> bytes:
    """What the worker says of a whole file. Raises `Unreadable`, `Stopped`, `OSError`, and
    what *source* raises.
    """
    if not isinstance(source, Path):
        async with _worker(work, PIPE) as process:
            return await _answer(process, source, limit_s)
    with await asyncio.to_thread(source.open, "rb") as file:
        async with _worker(work, file) as process:
            return await _answer(process, None, limit_s)


async def png_of(picture: bytes, limit_s: float = 10.0) -> bytes:
    """A QOI picture as PNG. Raises `Unreadable`, `Stopped`."""

    async def once() -> AsyncIterator[bytes]:
        yield picture

    async with _waited_for:
        return await read_file("png", once(), limit_s)


async def _answer(process: Process, source: AsyncIterator[bytes] | None, limit_s: float) -> bytes:
    try:
        async with asyncio.timeout(limit_s), asyncio.TaskGroup() as tasks:
            if source is not None:
                tasks.create_task(_give(process, source))
            assert process.stdout is not None
            said = tasks.create_task(process.stdout.read())
    except TimeoutError:
        raise Stopped(f"it took longer than {limit_s:.0f} s") from None
    except ExceptionGroup as broken:  # it ends at the first: the source's, as a rule
        raise broken.exceptions[0] from None
    await _check(process)
    return said.result()


async def _give(process: Process, source: AsyncIterator[bytes]) -> None:
    """What the worker does not take any more is not given; its status says why."""
    stdin = process.stdin
    assert stdin is not None
    with suppress(ConnectionError):
        async for chunk in source:
            stdin.write(chunk)
            await stdin.drain()
        stdin.close()
        await stdin.wait_closed()


async def _check(process: Process) -> None:
    """Raises what a worker that has ended says was wrong."""
    assert process.stderr is not None
    said = (await process.stderr.read()).decode("utf-8", "replace")
    status = await process.wait()
    if status == STATUS_BROKEN:
        raise Unreadable(said[:500])
    if status:
        raise Stopped(f"it ended with status {status}: {said[-300:]}")


async def decoded(source: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The text of binary G-code, as it comes. Raises `Unreadable`, `Stopped`, and what *source*
    raises.
    """
    async with _waited_for, _worker("decode", PIPE) as process:
        giving = asyncio.create_task(_give(process, source))
        try:
            assert process.stdout is not None
            while chunk := await process.stdout.read(READ_BYTES):
                yield chunk
            await giving
            await _check(process)
        finally:
            giving.cancel()
            with suppress(asyncio.CancelledError):
                await giving
