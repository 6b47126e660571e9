"""Messages: one recipient, and headers that nobody else writes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.mail.letters import Mail, Unsendable, is_address, message

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MAIL = Mail(subject="Hello", text="Text\n")


@pytest.mark.parametrize(
    "address",
    [
        *("a@b.example\r\nBcc: c@d.example", "a@b.example\nX: y", "a@b.example,c@d.example"),
        *("a@b.example c@d.example", '"a b"@c.example', "A <a@b.example>", "a@b.example;c@d"),
        *("a@", "@b", "a", "", "a@b@c.example", "ü@b.example", "a@-b", "a" * 65 + "@b.example"),
        *("a@" + "b" * 260, "(x)a@b.example", "a\x00@b.example"),
    ],
)
def test_what_is_not_one_address_is_refused(address: str) -> None:
    """No list, comment, display name, line break or other script."""
    assert not is_address(address)
    with pytest.raises(Unsendable):
        message(MAIL, address, "farm@example.org", number=1, now=NOW)


@pytest.mark.parametrize("address", ["a@b.example", "a.b+c@localhost", "o'neil_1@x-y.example"])
def test_one_address_is_taken(address: str) -> None:
    """It is the only recipient."""
    made = message(MAIL, address, "farm@example.org", number=1, now=NOW)
    assert made["To"] == address
    assert made["From"] == "Gantry <farm@example.org>"
    assert made["Auto-Submitted"] == "auto-generated"


@given(st.text(max_size=80), st.text(max_size=80))
def test_nobody_types_a_header(subject: str, address: str) -> None:
    """Whatever is typed: refused, or it stays within its own header."""
    mail = Mail(subject=subject, text="x")
    try:
        made = message(mail, address, "farm@example.org", number=1, now=NOW)
    except Unsendable:
        return
    head = made.as_bytes().split(b"\n\n", 1)[0].decode("ascii")
    names = [line.split(":")[0] for line in head.splitlines() if not line.startswith(" ")]
    assert sorted(names) == sorted(set(names)) == sorted(made.keys())
