"""User codes."""

from api.pairing.codes import ALPHABET, new_user_code, shown, typed


def test_a_code_survives_being_typed() -> None:
    """Case, dash and spaces do not matter; eight characters without look-alikes."""
    code = new_user_code()
    assert len(code) == 8
    assert typed(shown(code)) == typed(f" {shown(code).lower()} ") == code
    assert not set("01OIL") & set(ALPHABET)


def test_what_is_no_code_is_none() -> None:
    """Too short, too long, or with characters that no code has."""
    assert [typed(text) for text in ("", "ABCD-234", "ABCD-23456", "ABCD-234O")] == [None] * 4
