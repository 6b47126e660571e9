"""Pushes that one browser alone can read, as the standard's own example says."""

from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from joserfc import jwt
from joserfc.jwk import ECKey

from api.push.envelope import LIFE, BadKey, Sender, check_keys, decoded, encoded, sealed_for
from tests.api.push.conftest import Secrets
from tests.fakes.browser_push import PushBrowser

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_the_example_of_the_standard() -> None:
    """RFC 8291, section 5: the same keys and salt make the same bytes."""
    made = sealed_for(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
        b"When I grow up, I want to be a watermelon",
        private=int.from_bytes(decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"),
        salt=decoded("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encoded(made) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWA"
        "mS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxs"
        "j_Qulcy4a-fN"
    )


def test_nobody_else_reads_it() -> None:
    """Another browser's keys open nothing; twice the same text is twice another push."""
    mine, other = PushBrowser(), PushBrowser()
    first, second = (
        sealed_for(mine.keys["p256dh"], mine.keys["auth"], b'{"a":1}') for _ in range(2)
    )
    assert first != second and mine.read(first) == mine.read(second) == {"a": 1}
    with pytest.raises(InvalidTag):
        other.read(first)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("auth", ""),
        ("auth", "AAAA"),
        ("auth", "not base64!"),
        ("p256dh", "AAAA"),
        ("p256dh", "BA" + "A" * 85),
        ("p256dh", "ü" * 40),
    ],
)
def test_what_is_no_key_is_refused(name: str, text: str) -> None:
    """Wrong lengths, points that are not on the curve, text that is no base64."""
    with pytest.raises(BadKey):
        check_keys(**{**PushBrowser().keys, name: text})


def test_a_push_says_who_it_is_from() -> None:
    """RFC 8292: signed for the push service's origin alone, for less than a day."""
    sender = Sender(Secrets(), "mailto:farm@example.org")
    words = sender.signature("https://push.example.org:8443/send/abc?d=e", NOW)
    scheme, token, public = words.replace(",", "").split()
    assert (scheme, public) == ("vapid", f"k={sender.public_key}")
    point = decoded(sender.public_key)
    assert (point[0], len(point)) == (4, 65)
    key = ECKey.import_key(
        {"kty": "EC", "crv": "P-256", "x": encoded(point[1:33]), "y": encoded(point[33:])}
    )
    claims = jwt.decode(token.removeprefix("t="), key, algorithms=["ES256"]).claims
    assert claims == {
        "aud": "https://push.example.org:8443",
        "exp": int((NOW + LIFE).timestamp()),
        "sub": "mailto:farm@example.org",
    }


def test_every_process_pushes_with_the_same_key() -> None:
    """It is made of the deployment's secret: subscriptions outlive restarts."""
    assert Sender(Secrets()).public_key == Sender(Secrets()).public_key
