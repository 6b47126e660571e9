"""What a mail looks like on its way. Pure.

Headers are made by `email`, which refuses line breaks in them, from parts that were checked before;
nothing that somebody typed becomes a header of its own or a second recipient.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

MAX_ADDRESS = 254
#: One address, of a kind that every server takes: no list, no comment, no quotes, no display name.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250})")


class Unsendable(ValueError):
    """This can never be sent, however often it is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What one person is to read. *subject* is one line."""

    subject: str
    text: str


def is_address(text: str) -> bool:
    """Whether mail can be sent to *text*."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None


def message(mail: Mail, to: str, sender: str, *, number: int, now: datetime) -> EmailMessage:
    """The message with its headers; *number* makes its id. Raises `Unsendable`."""
    from email.headerregistry import Address  # heavy; a function that mails nobody starts without

    if not is_address(to):
        raise Unsendable("this is no address that mail can be sent to")
    made = EmailMessage()
    try:
        made["From"] = Address("Gantry", addr_spec=sender)
        made["To"] = Address(addr_spec=to)
        made["Subject"] = mail.subject
    except (ValueError, IndexError) as error:
        raise Unsendable(str(error)) from None
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{number}.{int(now.timestamp())}@{sender.partition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # nobody's absence note answers it
    made.set_content(mail.text)
    return made
