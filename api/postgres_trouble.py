"""Why a PostgreSQL cannot be used, in one line that says what to do; never with the password."""

import ssl

import asyncpg
from tortoise.exceptions import BaseORMException

OLDEST = 14  # what this is tested with and supported: `pg_current_xact_id` and the like

#: What the server or the way to it says, and what that means; the first kind that fits.
_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.InvalidAuthorizationSpecificationError, "it does not take this user and password"),
    (asyncpg.InvalidCatalogNameError, "there is no such database on this server; make it first"),
    (
        asyncpg.InsufficientPrivilegeError,
        "this user lacks rights there; let it own the database or its schema",
    ),
    (asyncpg.ReadOnlySQLTransactionError, "it takes no changes: it is read-only or a standby"),
    (
        asyncpg.exceptions.TargetServerAttributeNotMatched,
        "it is a standby, which takes no changes; name the primary",
    ),
    (
        asyncpg.TooManyConnectionsError,
        "it has no connection free; raise its max_connections or lower GANTRY_DATABASE_POOL_MAX",
    ),
    (asyncpg.DiskFullError, "its disk is full"),
    (
        asyncpg.LockNotAvailableError,
        "somebody keeps a table locked: end that session (pg_stat_activity), then run this again",
    ),
    (asyncpg.CannotConnectNowError, "it is starting or stopping"),
    (TimeoutError, "it does not answer in time"),
    (ssl.SSLError, "its certificate or its TLS is not accepted; see sslmode and sslrootcert"),
    (ConnectionRefusedError, "nobody answers there"),
    (ConnectionResetError, "the connection was cut"),
    (BrokenPipeError, "the connection was cut"),
    (ConnectionError, "who answers there speaks no PostgreSQL, or none with this sslmode"),
    (OSError, "nobody answers there"),
)


def explained(error: BaseException) -> str:
    """*error* of a PostgreSQL or of the ORM around one, for whoever chose the database."""
    cause: BaseException | None = error
    while cause is not None:
        for kind, why in _WHY:
            # The ORM's word for a lost connection is an OSError, too, whatever it was lost by.
            if isinstance(cause, kind) and not isinstance(cause, BaseORMException):
                return f"{why} ({_first_line(cause)})"
        cause = cause.__cause__
    return _first_line(error)


def too_old(server_version_num: int) -> str | None:
    """Why a server of this version (as it says itself, 180001) is refused; None: it is not."""
    if server_version_num >= OLDEST * 10_000:
        return None
    return f"it is PostgreSQL {server_version_num // 10_000}; this needs {OLDEST} or newer"


def kinds() -> tuple[type[Exception], ...]:
    """What opening or asking a PostgreSQL raises; not all of it goes through the ORM's errors."""
    return BaseORMException, OSError, asyncpg.PostgresError, asyncpg.InterfaceError


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
