"""Where file bytes lie: a folder or an object store, behind one Protocol."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from api.config import SettingError, Settings
from api.folders import make_writable
from api.storage.local import LocalStorage
from api.storage.protocol import Draft, Offer, Storage, Written

__all__ = ["Draft", "LocalStorage", "Offer", "Storage", "Written", "open_storage"]


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
    if parts.scheme == "s3":
        return _object_store(url)
    raise SettingError(
        f"GANTRY_STORAGE_URL={url!r}: this takes nothing (the folder in the data directory)"
        ", file:///an/absolute/path or s3://bucket/prefix."
    )


def _object_store(url: str) -> Storage:
    from api.storage.s3 import S3Storage
    from api.storage.s3_place import place_of

    try:
        return S3Storage(place_of(url))
    except ValueError as error:
        raise SettingError(f"GANTRY_STORAGE_URL: {error}") from None


def _usable(folder: Path) -> Path:
    try:
        make_writable(folder)
    except OSError as error:
        raise SettingError(
            f"GANTRY_STORAGE_URL: cannot write in {folder}: {error.strerror}. Name another folder, "
            "or give this user the right to write there."
        ) from None
    return folder
