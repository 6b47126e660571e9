"""The way out: one SMTP server (GANTRY_SMTP_…), asked for each mail, never for longer than it may.

The library is loaded when the first mail leaves.
"""

from email.message import EmailMessage
from typing import Protocol

from api.config import Settings
from api.mail.letters import Unsendable

TIMEOUT_S = 20.0
_FOREVER = range(500, 600)  # answers that another try does not change
_LOGIN_REFUSED = (530, 535)  # but for these: somebody will put the setting right


class NotNow(Exception):
    """The server cannot be reached, or says to come back later."""


class Transport(Protocol):
    """Who carries mail."""

    async def carry(self, mail: EmailMessage) -> None:
        """Hand *mail* over. Raises `Unsendable`, or `NotNow`."""


class Smtp:
    """A server that takes mail for everybody."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def carry(self, mail: EmailMessage) -> None:
        """Hand *mail* over. Raises `Unsendable`, or `NotNow`."""
        import aiosmtplib

        settings = self._settings
        try:
            await aiosmtplib.send(
                mail,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username or None,
                password=settings.smtp_password or None,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            _refused(error.recipients[0])
        except aiosmtplib.SMTPResponseException as error:
            _refused(error)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotNow(type(error).__name__) from None


def _refused(error: object) -> None:
    """Raises what the server's answer means. Its text may repeat what was sent: only the code."""
    code = int(getattr(error, "code", 0))
    said = f"the server answered {code}"
    if code in _FOREVER and code not in _LOGIN_REFUSED:
        raise Unsendable(said)
    raise NotNow(said)
