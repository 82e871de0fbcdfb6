"""An S3 server on this machine, in a process of its own: moto, which keeps its objects in memory."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

BUCKET = "fleet"
_START_S = 60.0


@contextmanager
def s3_server() -> Iterator[str]:
    """The URL of an empty bucket; the environment leads clients to its server until the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for(endpoint)
        os.environ.update(
            AWS_ENDPOINT_URL=endpoint,
            AWS_ACCESS_KEY_ID="benchmark",
            AWS_SECRET_ACCESS_KEY="benchmark",  # noqa: S106  # the server takes any
            AWS_DEFAULT_REGION="us-east-1",
        )
        request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")  # noqa: S310  # our own server
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        yield f"s3://{BUCKET}/baselines"
    finally:
        server.kill()
        server.wait()


def _wait_for(endpoint: str) -> None:
    end_s = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()  # noqa: S310  # our own server
        except OSError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.1)
        else:
            return
