"""Where an object store's files lie: what an `s3://` URL says."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[a-z0-9]+(?:/[a-z0-9-]*)*")


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a bucket. *region* and *endpoint* None: as AWS's own settings say.

    *is_direct*: rooms and people reach it too, so they may be sent there with a signed URL.
    """

    bucket: str
    prefix: str
    region: str | None = None
    endpoint: str | None = None
    is_direct: bool = True

    def key(self, key: str) -> str:
        """The object's whole name."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no storage key")
        return self.prefix + key

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def place_of(url: str) -> Place:
    """What *url* says. Raises `ValueError` with what it takes."""
    parts = urlsplit(url)
    more = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.username is not None or parts.password is not None:
        raise ValueError("keys do not belong into it; AWS_ACCESS_KEY_ID and the like hold them")
    unknown = sorted(more.keys() - {"region", "endpoint", "direct"})
    if unknown or not _BUCKET.fullmatch(parts.netloc):
        raise ValueError(
            "this takes s3://bucket/prefix, with ?region=, endpoint=, direct= if need be"
        )
    endpoint = more.get("endpoint")
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError("endpoint is a URL with http or https")
    direct = more.get("direct", "yes" if endpoint is None else "no")
    if direct not in ("yes", "no"):
        raise ValueError("direct is yes or no: whether rooms and people reach the store, too")
    prefix = parts.path.strip("/")
    return Place(
        parts.netloc,
        f"{prefix}/" if prefix else "",
        more.get("region"),
        endpoint,
        is_direct=direct == "yes",
    )
