"""Where file bytes lie: a folder or an object store, behind one Protocol."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from api.config import SettingError, Settings
from api.storage.local import LocalStorage
from api.storage.protocol import Draft, Storage, Written

__all__ = ["Draft", "LocalStorage", "Storage", "Written", "open_storage"]


def open_storage(settings: Settings) -> Storage:
    """The storage that `storage_url` names; empty: the folder in the data directory.

    Raises `SettingError` for a URL that names none, and for a folder that cannot be written.
    """
    url = settings.storage_url
    if not url:
        return LocalStorage(settings.blobs_dir)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and len(parts.path) > 1:
        return LocalStorage(_usable(Path(unquote(parts.path))))
    raise SettingError(
        f"GANTRY_STORAGE_URL={url!r}: this takes nothing (the folder in the data directory) "
        "or file:///an/absolute/path."
    )


def _usable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SettingError(
            f"GANTRY_STORAGE_URL: cannot write in {folder}: {error.strerror}. Name another folder, "
            "or give this user the right to write there."
        ) from None
    return folder
