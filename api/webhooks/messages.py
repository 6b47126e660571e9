"""What a service is told of an alert, in its own words (v1 2.7). Pure.

A type whose address is no URL ("bot_token|chat_id") names what the URL is made of.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

MAX_TEXT = 1000
TEST = "test"

Facts = Mapping[str, Any]


class BadAddress(ValueError):
    """Nothing can be sent there; the text says what the type takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What to POST, and where."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def message(webhook_type: str, address: str, facts: Facts) -> Message:
    """The request that tells *facts* (event, title, message, severity and, of alerts, alert_type,
    printer_id, job_id). Raises `BadAddress`.
    """
    return _MAKERS.get(webhook_type, _generic)(address, facts)


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The header by which the receiver knows that *body* is ours and not of yesterday: HMAC-SHA256
    of ``{at_s}.{body}``; *at_s*: Unix time, in seconds.
    """
    mac = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={mac.hexdigest()}"


def check(webhook_type: str, address: str) -> None:
    """Raises `BadAddress` for what *webhook_type* cannot be sent to."""
    url = message(webhook_type, address, {"event": TEST, "title": "", "severity": "info"}).url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadAddress("This is no URL.") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise BadAddress("This takes a URL that begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("A user or password in the URL is not sent; take a secret path instead.")


def _text(facts: Facts) -> str:
    title, rest = str(facts.get("title") or ""), facts.get("message")
    return (f"{title}\n{rest}" if rest else title)[:MAX_TEXT]


def _json(url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Message:
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(
        url=url, body=data, headers={"Content-Type": "application/json", **(headers or {})}
    )


def _generic(address: str, facts: Facts) -> Message:
    if facts["event"] == TEST:
        return _json(address, {"event": TEST, "source": "odin", "message": facts.get("message")})
    return _json(address, facts)


_COLOURS = {"info": 0x3498DB, "warning": 0xF1C40F, "critical": 0xE74C3C}


def _discord(address: str, facts: Facts) -> Message:
    embed = {
        "title": str(facts.get("title") or "")[:256],
        "description": str(facts.get("message") or "")[:MAX_TEXT],
        "color": _COLOURS.get(str(facts.get("severity")), _COLOURS["info"]),
    }
    return _json(address, {"embeds": [embed], "allowed_mentions": {"parse": []}})


def _slack(address: str, facts: Facts) -> Message:
    text = _text(facts).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _json(address, {"text": text})


_NTFY_PRIORITY = {"info": "default", "warning": "high", "critical": "urgent"}


def _ntfy(address: str, facts: Facts) -> Message:
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Priority": _NTFY_PRIORITY.get(str(facts.get("severity")), "default"),
    }
    return Message(url=address, body=_text(facts).encode(), headers=headers)


def _parts(address: str, takes: str) -> list[str]:
    parts = [part.strip() for part in address.split("|")]
    if len(parts) != takes.count("|") + 1 or not all(parts):
        raise BadAddress(f"This type takes {takes}.")
    return parts


def _telegram(address: str, facts: Facts) -> Message:
    token, chat = _parts(address, "bot_token|chat_id")
    url = f"https://api.telegram.org/bot{quote(token, safe=':')}/sendMessage"
    return _json(url, {"chat_id": chat, "text": _text(facts)})


def _pushover(address: str, facts: Facts) -> Message:
    user, token = _parts(address, "user_key|api_token")
    urgent = facts.get("severity") == "critical"
    body = {"token": token, "user": user, "message": _text(facts), "priority": int(urgent)}
    return _json("https://api.pushover.net/1/messages.json", body)


def _whatsapp(address: str, facts: Facts) -> Message:
    phone, recipient, token = _parts(address, "phone_id|recipient|token")
    if not token.isascii() or any(letter.isspace() for letter in token):
        raise BadAddress("A token is one word of plain letters.")
    url = f"https://graph.facebook.com/v21.0/{quote(phone, safe='')}/messages"
    body = {
        "messaging_product": "whatsapp",
        "to": recipient,
        "type": "text",
        "text": {"body": _text(facts)},
    }
    return _json(url, body, {"Authorization": f"Bearer {token}"})


_MAKERS: dict[str, Callable[[str, Facts], Message]] = {
    "discord": _discord,
    "slack": _slack,
    "ntfy": _ntfy,
    "telegram": _telegram,
    "pushover": _pushover,
    "whatsapp": _whatsapp,
}
