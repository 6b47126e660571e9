"""An object store: moto's server, over real HTTP."""

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from api.config import Settings
from api.storage import open_storage
from api.storage.s3 import S3Storage

BUCKET = "farm-files"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """boto3's own client, on an empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()


@pytest.fixture
def storage(store: Any, endpoint: str) -> S3Storage:
    url = f"s3://{BUCKET}/farm?region=us-east-1&endpoint={endpoint}&direct=yes"
    opened = open_storage(Settings(storage_url=url))
    assert isinstance(opened, S3Storage)
    return opened


def keys(store: Any) -> list[str]:
    found = store.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return [each["Key"] for each in found]
