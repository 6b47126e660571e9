"""What must not be so when people depend on it: checked at the start with `GANTRY_PRODUCTION=yes`.

And what functions cannot do without, whoever depends on them: nothing stays on their disks, and
each of their processes must know what the others do. Each finding is one line that names the
setting. Secrets are never repeated.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from api.config import Settings

WELL_KNOWN = frozenset(
    {
        *("", "admin", "changeme", "change-me", "example", "gantry", "minio", "minioadmin"),
        *("password", "postgres", "root", "secret", "test"),
    }
)
MIN_TOKEN = 16
GATEWAY_SILENCE_S = 600.0
_SAID_TO_FUNCTIONS = (
    ("secret_key", "all processes need the same one; say it"),
    ("setup_token", "all processes need the same one; say it"),
    ("gateway_url", "without it no room can be linked"),
    ("link_url", "without it no room can be linked"),
)


def insecurities(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Why these settings must not serve people; empty: they may."""
    return [
        *_address(settings),
        *_secrets(settings, environ),
        *_readable_files(settings, environ),
    ]


def lacks_of_functions(settings: Settings) -> list[str]:
    """Why these settings cannot be those of cloud functions; empty: they can."""
    found = []
    if not settings.uses_postgres:
        found.append("GANTRY_DATABASE_URL: functions need PostgreSQL; their disks go with them")
    if not _is_direct_store(settings.storage_url):
        found.append(
            "GANTRY_STORAGE_URL: functions need s3://bucket/prefix, with direct=yes where the URL "
            "has an endpoint: large files go to the store and come from it without them"
        )
    if settings.beat_s >= GATEWAY_SILENCE_S:
        found.append("GANTRY_BEAT_S: a gateway ends sockets that are silent for 10 minutes; say 60")
    missing = [(name, why) for name, why in _SAID_TO_FUNCTIONS if not getattr(settings, name)]
    return [*found, *(f"GANTRY_{name.upper()}: {why}" for name, why in missing)]


def _is_direct_store(url: str) -> bool:
    from api.storage.s3_place import place_of

    try:
        return urlsplit(url).scheme == "s3" and place_of(url).is_direct
    except ValueError:  # opening the storage says what is wrong with it
        return True


def _address(settings: Settings) -> list[str]:
    if not settings.public_url:
        return ["GANTRY_PUBLIC_URL: say the address that people use; links are made from it"]
    if urlsplit(settings.public_url).scheme != "https" and not settings.allow_http:
        return [
            "GANTRY_PUBLIC_URL: passwords and keys need https; in a closed network "
            "GANTRY_ALLOW_HTTP=yes takes the risk"
        ]
    return []


def _secrets(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    found = []
    database = urlsplit(settings.database)
    has_socket = "host" in parse_qs(database.query)
    if settings.uses_postgres and not has_socket and _is_weak(database.password, database.username):
        found.append("GANTRY_DATABASE_URL: its password is missing or one that everybody tries")
    bus = urlsplit(settings.bus_url)
    if bus.scheme == "redis" and bus.password is None and not settings.allow_http:
        found.append(
            "GANTRY_BUS_URL: the bus has no password; GANTRY_ALLOW_HTTP=yes takes the risk"
        )
    if settings.uses_postgres and settings.bus_url != "local" and not settings.secret_key:
        found.append(
            "GANTRY_SECRET_KEY: processes that share a database need the same one; "
            "take what `openssl rand -hex 32` prints (one process alone: GANTRY_BUS_URL=local)"
        )
    token = settings.setup_token
    if token and (len(token) < MIN_TOKEN or token.lower() in WELL_KNOWN):
        found.append(f"GANTRY_SETUP_TOKEN: take {MIN_TOKEN} random characters or more")
    store = urlsplit(settings.storage_url)
    keys = (environ.get("AWS_SECRET_ACCESS_KEY"), environ.get("AWS_ACCESS_KEY_ID"))
    if store.scheme == "s3" and keys[0] is not None and _is_weak(*keys):
        found.append("AWS_SECRET_ACCESS_KEY: it is one that everybody tries")
    return found


def _is_weak(secret: str | None, user: str | None) -> bool:
    return secret is None or secret.lower() in WELL_KNOWN or secret == user


def _readable_files(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    found = []
    for name, value in sorted(environ.items()):
        if name.startswith("GANTRY_") and name.endswith("_FILE") and _is_open(Path(value)):
            found.append(f"{name}: everybody on this machine can read {value}; chmod 600 it")
    if _is_open(settings.data_dir):
        found.append(
            f"GANTRY_DATA_DIR: everybody on this machine can read {settings.data_dir}; chmod 700 it"
        )
    return found


def _is_open(path: Path) -> bool:
    """Whether others may read *path*; what is not there is not open."""
    try:
        return bool(path.stat().st_mode & 0o007)
    except OSError:
        return False
