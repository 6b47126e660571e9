"""An agent's identity: a real Ed25519 key, and the credentials it signs."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.facts import Port
from schemas.link import AUTH_SCHEME, Hello, Resume, signed_text


class AgentKey:
    """A private key and what can be made with it."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self._key.sign(message)).decode()

    def credentials(self, uid: str, nonce: str) -> str:
        signature = self.sign(signed_text(uid, nonce))
        return f'{AUTH_SCHEME} bridge="{uid}", nonce="{nonce}", signature="{signature}"'


def hello_of(
    uid: str,
    *,
    journal: str = "J1",
    oldest: int = 1,
    newest: int = 0,
    boot: str = "boot-1",
    ports: list[Port] | None = None,
    protocols: tuple[int, int] = (1, 1),
) -> Hello:
    """What an agent says first."""
    return Hello(
        protocols=protocols,
        bridge_id=uid,
        boot_id=boot,
        boot_count=1,
        agent_version="0.1.0",
        os="Linux",
        ports=ports or [],
        resume=Resume(journal_id=journal, oldest_fact=oldest, newest_fact=newest),
    )
