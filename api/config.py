"""Settings of one API process: from the environment (`GANTRY_…`, `GANTRY_…_FILE`) or the caller.

Every setting has a default that works on one machine with nothing else installed. They are read and
checked by pydantic-settings, by a model that is made of the one table, `Settings`; what concerns
several of them is checked after that.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from api.proxies import networks

#: What numbers may be.
_RANGES: Mapping[str, tuple[float, float]] = {
    "max_upload_bytes": (1, 1024**4),
    "session_hours": (1, 24 * 30),
    "live_interval_s": (0.05, 3600),
    "beat_s": (0.1, 3600),
    "dead_s": (0.2, 24 * 3600),
    "bridge_grace_s": (0, 3600),
    "lease_hours": (0, 24 * 14),
    "alone_after_s": (1, 24 * 3600),
    "drain_s": (0, 600),
    "workers": (1, 64),
    "events_days": (0.001, 3660),
    "events_keep": (100, 100_000_000),
    "database_pool_min": (0, 1000),
    "database_pool_max": (1, 1000),
    "statement_timeout_s": (0.1, 600),
    "lock_timeout_s": (0.1, 600),
    "smtp_port": (1, 65535),
}
#: A key that is shorter can be guessed.
_MIN_SECRET_KEY = 32
_POSTGRES = ("postgres", "postgresql", "asyncpg")
_DATABASES = "nothing, sqlite:///an/absolute/path or postgresql://user:password@host:port/name"


_MAIL_SECURITY = ("starttls", "tls", "none")
_SENDER = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
_WEB = ("http", "https")
#: Addresses: the schemes that each may have, and an example.
_ADDRESSES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "public_url": (_WEB, "https://your.farm.example"),
    "link_url": (("ws", "wss"), "wss://rooms.your.farm.example"),
    "gateway_url": (_WEB, "https://….execute-api.….amazonaws.com/farm"),
    "feed_gateway_url": (_WEB, "https://….execute-api.….amazonaws.com/farm"),
}
_BUSES = "nothing, local, postgres or redis://host:port/number"


class SettingError(ValueError):
    """A setting cannot be used; the text names it and says what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs. Paths are absolute; an empty URL means the embedded default."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path("data")
    database_url: str = ""
    storage_url: str = ""
    bus_url: str = ""
    public_url: str = ""  # base of generated links; empty: from the request
    max_upload_bytes: int = 1024 * 1024 * 1024
    session_hours: int = 24
    secret_key: str = ""  # signs sessions; empty: made at start, in session.key in data_dir
    setup_token: str = ""  # asked for at set-up; empty: made at start, in setup.token in data_dir
    live_interval_s: float = 1.0
    beat_s: float = 15.0
    dead_s: float = 40.0
    trusted_proxies: str = ""  # addresses and networks whose X-Forwarded-… headers are believed
    production: bool = False  # refuse to start on insecure settings
    allow_http: bool = False  # in production too: passwords go over the network as they are
    workers: int = 1  # processes that serve; several need PostgreSQL
    drain_s: float = 0.0  # at a stop: not ready for so long before anything is closed
    bridge_grace_s: float = 5.0  # a room away for less than this is not shown as offline
    lease_hours: float = 24.0  # a room may start its next jobs so long while cut off; 0: never
    alone_after_s: float = 180.0  # and not before it has been cut off for so long
    events_days: float = 30.0  # how long events are kept, for those who come back late
    events_keep: int = 200_000  # and how many of each organization
    link_url: str = ""  # where rooms open their link, if not at this API: a gateway's wss:// URL
    gateway_url: str = ""  # the management API of the rooms' gateway, for functions
    feed_gateway_url: str = ""  # the same of the dashboards' gateway
    database_pool_min: int = 1  # connections to PostgreSQL that are kept open
    database_pool_max: int = 10
    statement_timeout_s: float = 5.0  # of PostgreSQL, for one statement
    lock_timeout_s: float = 3.0  # of PostgreSQL, for a row or another writer
    smtp_host: str = ""  # the server that sends mail; empty: none is sent
    smtp_port: int = 587
    smtp_username: str = ""
    smtp_password: str = ""
    smtp_from: str = ""  # the address that mails come from
    smtp_security: str = "starttls"  # or tls, or none
    webhook_networks: str = ""  # private addresses and networks that webhooks may reach

    @property
    def database(self) -> str:
        """The database URL; the embedded SQLite file in the data directory by default.

        synchronous=FULL: what was acknowledged survives a power cut.
        """
        if self.database_url:
            scheme, colon, rest = self.database_url.partition(":")
            return f"{'asyncpg' if scheme in _POSTGRES else scheme}{colon}{rest}"
        path = self.data_dir.absolute() / "gantry.sqlite3"
        return f"sqlite://{path}?busy_timeout=5000&synchronous=FULL"

    @property
    def uses_postgres(self) -> bool:
        """Whether the database is PostgreSQL, which many processes may share."""
        return urlsplit(self.database).scheme == "asyncpg"

    @property
    def blobs_dir(self) -> Path:
        """Where the local storage keeps its files."""
        return self.data_dir.absolute() / "files"


def load(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from *environ*; *given* values that are not None win. Raises `SettingError`."""
    said = {name: value for name, value in given.items() if value is not None}
    try:
        read = _Read(**{"environ": os.environ if environ is None else environ, **said})
    except ValidationError as error:
        raise _refused(error) from None
    settings = Settings(**dict(read))
    _check(settings)
    return settings


class _Environ(PydanticBaseSettingsSource):
    """`GANTRY_NAME`, or the text of the file that `GANTRY_NAME_FILE` names."""

    def __init__(self, model: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(model)
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """(the text, None without one; the field's name; that it is no JSON)."""
        return _from_environment(self._environ, f"GANTRY_{field_name.upper()}"), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every text that is there."""
        model = self.settings_cls.model_fields
        texts = {name: self.get_field_value(field, name)[0] for name, field in model.items()}
        return {name: text for name, text in texts.items() if text is not None}


class _Sources(BaseSettings):
    """Reads what the caller gives, then *environ*; no other source."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The first that has a value wins."""
        environ = cast(InitSettingsSource, init_settings).init_kwargs.pop("environ")
        return init_settings, _Environ(settings_cls, environ)


def _field(name: str, default: object) -> tuple[Any, Any]:
    lowest, highest = _RANGES.get(name, (None, None))
    return type(default), Field(default, ge=lowest, le=highest)


_Read: type[BaseSettings] = create_model(
    "_Read",
    __base__=_Sources,
    **cast(
        dict[str, Any],
        {field.name: _field(field.name, field.default) for field in fields(Settings)},
    ),
)

_KINDS = {bool: "yes or no", int: "a whole number", float: "a number", str: "a text in UTF-8"}


def _refused(error: ValidationError) -> SettingError:
    """The first of what is wrong. A text that is no text may be a secret, and is not repeated."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    kind = type(Settings.__dataclass_fields__[name].default)
    if first["type"] in ("greater_than_equal", "less_than_equal"):
        lowest, highest = _RANGES[name]
        return _refuse(name, first["input"], f"{lowest:g} to {highest:g}")
    if kind in (str, Path):
        return SettingError(f"GANTRY_{name.upper()}: this takes a text in UTF-8")
    return _refuse(name, first["input"], _KINDS[kind])


def _check(settings: Settings) -> None:
    if settings.database_pool_min > settings.database_pool_max:
        most = f"at most GANTRY_DATABASE_POOL_MAX ({settings.database_pool_max})"
        raise _refuse("database_pool_min", settings.database_pool_min, most)
    if settings.dead_s <= settings.beat_s:
        raise _refuse("dead_s", settings.dead_s, f"more than GANTRY_BEAT_S ({settings.beat_s:g})")
    if 0 < len(settings.secret_key) < _MIN_SECRET_KEY:
        raise SettingError(
            f"GANTRY_SECRET_KEY: this takes {_MIN_SECRET_KEY} random characters or more, "
            "for example what `openssl rand -hex 32` prints"
        )
    _check_bus(settings)
    _check_processes(settings)
    for name, (schemes, wanted) in _ADDRESSES.items():
        url = getattr(settings, name)
        parts = _parts(name, url)
        if url and (parts.scheme not in schemes or not parts.hostname):
            raise _refuse(name, url, f"nothing or {wanted}")
    if settings.database_url:
        _check_database(settings.database_url)
    if settings.smtp_host:
        _check_mail(settings)


def _check_mail(settings: Settings) -> None:
    if settings.smtp_security not in _MAIL_SECURITY:
        raise _refuse("smtp_security", settings.smtp_security, " or ".join(_MAIL_SECURITY))
    if _SENDER.fullmatch(settings.smtp_from) is None:
        raise _refuse("smtp_from", settings.smtp_from, "an address, as in farm@example.org")
    if not settings.public_url:
        raise SettingError(
            "GANTRY_SMTP_HOST: mails hold links to this server, so GANTRY_PUBLIC_URL must say "
            "what it is called"
        )
    near = settings.smtp_host in ("localhost", "127.0.0.1", "::1")
    if settings.smtp_password and settings.smtp_security == "none" and not near:
        raise SettingError(
            "GANTRY_SMTP_SECURITY: the password would go over the network as it is: "
            "this takes starttls or tls"
        )


def _check_processes(settings: Settings) -> None:
    for name in ("trusted_proxies", "webhook_networks"):
        try:
            networks(getattr(settings, name))
        except ValueError as error:
            raise SettingError(f"GANTRY_{name.upper()}: {error}") from None
    if settings.workers > 1 and (not settings.uses_postgres or settings.bus_url == "local"):
        raise SettingError(
            "GANTRY_WORKERS: several processes need PostgreSQL (GANTRY_DATABASE_URL) and a bus "
            "that reaches all of them (GANTRY_BUS_URL not local)"
        )


def _check_bus(settings: Settings) -> None:
    """The URL may hold a password, so the refusal does not repeat it."""
    if settings.bus_url in ("", "local"):
        return
    scheme = _parts("bus_url", settings.bus_url).scheme
    if settings.bus_url != "postgres" and scheme not in ("redis", "rediss"):
        raise SettingError(f"GANTRY_BUS_URL: this takes {_BUSES}")
    if not settings.uses_postgres:
        raise SettingError(
            "GANTRY_BUS_URL: several processes need PostgreSQL (GANTRY_DATABASE_URL); "
            "with SQLite leave this empty."
        )


def _check_database(url: str) -> None:
    """The URL may hold a password, so the refusal does not repeat it."""
    parts = _parts("database_url", url)
    path = parts.netloc + parts.path
    if parts.scheme == "sqlite" and path:
        return
    somewhere = parts.hostname or "host" in parse_qs(parts.query)  # a folder with its socket
    if parts.scheme in _POSTGRES and "ssl" in parse_qs(parts.query):
        raise SettingError("GANTRY_DATABASE_URL: for ssl=… this takes ?sslmode=require")
    if parts.scheme in _POSTGRES and somewhere and len(parts.path) > 1:
        return
    raise SettingError(f"GANTRY_DATABASE_URL: this takes {_DATABASES}")


def _parts(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number is found out only when it is asked for
    except ValueError as error:
        raise SettingError(f"GANTRY_{name.upper()}: this is no URL: {error}") from None
    return parts


def _refuse(name: str, value: object, wanted: str) -> SettingError:
    return SettingError(f"GANTRY_{name.upper()}={str(value)!r}: this takes {wanted}")


def _from_environment(environ: Mapping[str, str], name: str) -> str | None:
    if file_name := environ.get(f"{name}_FILE"):
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingError(f"{name}_FILE: cannot read {file_name}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingError(f"{name}_FILE: {file_name} is not a text in UTF-8") from None
    return environ.get(name)
