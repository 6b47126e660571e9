"""User codes of the device flow: pure."""

import secrets

#: Letters and digits that nobody mistakes for another: no 0 O, 1 I L.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8


def new_user_code() -> str:
    """Eight random characters, without the dash it is shown with."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def shown(code: str) -> str:
    """``ABCD2345`` as ``ABCD-2345``."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str | None:
    """The code that a person typed, in any case, with or without dash; None when it is none."""
    code = text.replace("-", "").replace(" ", "").upper()
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        return None
    return code
