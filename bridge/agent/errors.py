"""Errors of the agent; the tree of the whole bridge is in `bridge.errors`.

* `BridgeError`
    * `JournalError`: the journal cannot be opened or written; nothing has happened
        * `GrantConsumed`: a start grant was used before
        * `WentOnAlone`: who asked for a start does not know what this room did alone
    * `SpoolError`: a job's file cannot be had
    * `LinkError`: the API cannot be reached or does not want us
        * `Refused`: it answered, and said no
    * `PairingError`: pairing or the bridge's key does not work
    * `SenderLost`: a sender's socket ended or its peer broke the protocol
    * `AlreadyRunning`: another agent works on this state directory
    * `StateDirError`: this user may not work in the state directory, or nobody may
"""

from bridge.errors import BridgeError


class JournalError(BridgeError):
    """The disk refuses, or the journal is of another version."""


class GrantConsumed(JournalError):
    """A grant starts one attempt, once; this one was used before."""


class WentOnAlone(JournalError):
    """The room has started something by itself that the API did not know of."""


class SpoolError(BridgeError):
    """The file of a start grant cannot be brought into the spool."""


class LinkError(BridgeError):
    """The API cannot be reached. *retry_after_s*: it asked for that much patience, or None."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


#: What a person does about a refusal, by its code or by the action that the API names.
REMEDIES = {
    "revoked": "pair it again with: python -m bridge pair URL",
    "repair": "pair it again with: python -m bridge pair URL",
    "unauthenticated": "pair it again with: python -m bridge pair URL",
    "upgrade": "install the agent of the API's version; prints go on meanwhile",
    "clone": "an admin says which machine stays (POST /api/v1/bridges/{id}/survivor); on the "
    "other one move its state directory away and pair it anew",
    "replaced": "asked again in a minute; if no other agent of this bridge is meant to run, look "
    "for a copy of its state directory",
    "moved": "give the new address to: python -m bridge pair URL",
}


class Refused(LinkError):
    """The API said no. *code* is its stable word (revoked, upgrade, clone ...)."""

    def __init__(
        self, code: str, text: str, retry_after_s: float | None = None, action: str = ""
    ) -> None:
        remedy = REMEDIES.get(action) or REMEDIES.get(code)
        super().__init__(f"{text}: {remedy}" if remedy else text, retry_after_s)
        self.code = code


class PairingError(BridgeError):
    """The bridge cannot be paired; the text says what to do."""


class SenderLost(BridgeError):
    """The connection to a sender ended."""


class AlreadyRunning(BridgeError):
    """Another agent holds the lock of this state directory."""


class StateDirError(BridgeError):
    """The state directory cannot be used; the text says why and what to do."""
