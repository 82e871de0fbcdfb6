"""Baselines in a bucket of an S3 server, in this process."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.errors import BaselineError
from tests.builders import KEY, TEST_ID, numbers, sessions

# boto3 says so of datetime.utcnow, and moto's server of what it leaves open.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, and who may write it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame-open-please")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    S3FileSystem.clear_instance_cache()
    S3FileSystem().mkdir("fleet")
    yield "s3://fleet/baselines"
    S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_bucket(server: str) -> None:
    """Sessions are written, read, found on all machines, removed; a missing bucket is an error."""
    store = ObjectStore(server)
    assert store.load(KEY, TEST_ID) is None
    for one in sessions(12):
        store.write(KEY, TEST_ID, [one], "add")
    store.write("t4", TEST_ID, sessions(1, key="t4"), "add")
    baseline = ObjectStore(server).load(KEY, TEST_ID)
    assert baseline is not None
    assert numbers(baseline.entries) == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    assert store.other_machines(TEST_ID, besides=KEY) == ("t4",)
    assert set(store.paths()) == {store.path(KEY, TEST_ID), store.path("t4", TEST_ID)}
    assert store.reduce(store.path(KEY, TEST_ID), lambda old: old.entries[:4]) == 8
    assert numbers(store.read_whole(store.path(KEY, TEST_ID)).entries) == [0, 1, 2, 3]
    with pytest.raises(BaselineError, match=r"s3://none/b: there is no bucket 'none'"):
        ObjectStore("s3://none/b").load(KEY, TEST_ID)
