"""Codes of a second factor that change every half minute (RFC 6238). Pure: the time is passed in.

A code counts for its own time step and for one before and after it, because clocks differ; whoever
keeps the step of the last code that was taken refuses its replay.
"""

import hmac
from datetime import datetime

STEP_S = 30
_TOLERANCE = 1  # steps before and after
_DIGITS = 6
_ISSUER = "Gantry"


def new_secret() -> str:
    """A fresh secret: 160 random bits in base 32, as authenticator apps take it."""
    import pyotp  # only who sets up a second factor needs it: a function starts without

    return pyotp.random_base32()


def provisioning_uri(secret: str, username: str) -> str:
    """What authenticator apps read from a QR code."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=_ISSUER)


def step_of(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The time step later than *after* to which *code* belongs; None: to none that counts."""
    import pyotp

    if len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
        return None
    one = pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_S
    fitting = None
    for step in range(current - _TOLERANCE, current + _TOLERANCE + 1):
        fits = hmac.compare_digest(one.generate_otp(step), code)
        if fits and step > after and fitting is None:
            fitting = step
    return fitting
