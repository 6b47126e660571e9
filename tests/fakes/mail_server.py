"""A real SMTP server in the test's own loop, that keeps what it gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class MailServer:
    """Mails in the order in which they came. *answer*: what it says to the next ones, if not 250.

    *recipients*: of the envelope, one list for each mail.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    answer: str = ""

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        del server, session
        if self.answer:
            return self.answer
        made = BytesParser(policy=default).parsebytes(envelope.content)
        assert isinstance(made, EmailMessage)
        self.mails.append(made)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


@asynccontextmanager
async def running_mail_server() -> AsyncIterator[MailServer]:
    """It listens on a free port of this machine until the end of the block."""
    loop = asyncio.get_running_loop()
    kept = MailServer()
    listener = await loop.create_server(lambda: SMTP(kept, loop=loop), "127.0.0.1", 0)
    kept.port = listener.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        listener.close()
        await listener.wait_closed()
