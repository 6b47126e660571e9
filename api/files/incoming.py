"""Files as they come in: text goes through as it is, binary G-code becomes the text it stands for.

Printers on a cable understand text only, so both faces store and show text, under a name that says
so.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from api.errors import Invalid, Unavailable
from api.files.analysis.bgcode import MAGIC
from api.files.analysis.child import Stopped, Unreadable, decoded
from api.files.names import extension

BINARY = ".bgcode"


def text_name(filename: str) -> str:
    """What *filename* is called once it is text."""
    is_binary = extension(filename) == BINARY
    return f"{filename[: -len(BINARY)]}.gcode" if is_binary else filename


async def as_text(chunks: AsyncIterator[bytes], filename: str) -> AsyncGenerator[bytes, None]:
    """*chunks*, decoded when they are binary G-code.

    Raises `Invalid` (not_gcode) for binary G-code that cannot be read, `Unavailable` when there is
    no way to read it now, and what *chunks* raises.
    """
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= len(MAGIC):
            break
    if not head.startswith(MAGIC):
        if head:
            yield head
        async for chunk in chunks:
            yield chunk
        return
    try:
        async with aclosing(decoded(_after(head, chunks))) as texts:
            async for text in texts:
                yield text
    except Unreadable as error:
        raise Invalid(f"{filename}: {error}", code="not_gcode") from None
    except Stopped as error:
        raise Unavailable(f"Binary G-code cannot be read now: {error}. Send text.") from None


async def _after(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk
