"""A collector of OpenTelemetry's metrics over HTTP, in a thread on this machine's loopback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric


class OtlpCollector:
    """Takes metrics, and answers with *status*.

    Attributes:
        paths: Of the requests so far.
        headers: Of the last request; names are lower case.
    """

    def __init__(self, status: int = 200) -> None:
        self.paths: list[str] = []
        self.headers: dict[str, str] = {}
        self._requests: list[ExportMetricsServiceRequest] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, status))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def resource(self) -> dict[str, str]:
        """Attributes of what sent the last metrics."""
        (metrics,) = self._requests[-1].resource_metrics
        return {one.key: one.value.string_value for one in metrics.resource.attributes}

    @property
    def units(self) -> dict[str, str]:
        """Name of each metric to its unit."""
        return {metric.name: metric.unit for metric in self._metrics()}

    def values(self, name: str) -> dict[str, float]:
        """Values of the metric *name* by test."""
        return {attributes["test.case.name"]: value for attributes, value in self._points(name)}

    def attributes(self, name: str) -> list[dict[str, str]]:
        return [attributes for attributes, _ in self._points(name)]

    def take(self, path: str, headers: dict[str, str], content: bytes) -> None:
        self.paths.append(path)
        self.headers = headers
        self._requests.append(ExportMetricsServiceRequest.FromString(content))

    def _points(self, name: str) -> list[tuple[dict[str, str], float]]:
        return [
            ({one.key: one.value.string_value for one in point.attributes}, point.as_double or point.as_int)
            for metric in self._metrics()
            if metric.name == name
            for point in metric.gauge.data_points
        ]

    def _metrics(self) -> list[Metric]:
        (resource,) = self._requests[-1].resource_metrics
        return [metric for scope in resource.scope_metrics for metric in scope.metrics]


def _handler(collector: OtlpCollector, status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # a name of the library
            content = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.take(self.path, headers, content)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing goes to the screen."""

    return Handler
