"""How parts of the farm wake each other: in one process, or in many over a channel."""

from api.bus.local import Bus, LocalBus
from api.bus.shared import SharedBus
from api.config import Settings

__all__ = ["Bus", "LocalBus", "SharedBus", "open_bus"]


def open_bus(settings: Settings) -> Bus:
    """The bus that the settings name: PostgreSQL's own with that database, else this process's."""
    if settings.bus_url.startswith(("redis://", "rediss://")):
        from api.bus.redis import RedisChannel

        return SharedBus(RedisChannel(settings.bus_url))
    if settings.uses_postgres and settings.bus_url != "local":
        from api.bus.postgres import PostgresChannel

        return SharedBus(PostgresChannel("postgresql" + settings.database[len("asyncpg") :]))
    return LocalBus()
