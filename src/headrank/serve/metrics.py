"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one server, kept apart from those of any other in the process."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter(
            "headrank_requests", "Requests to the rerank paths", ("path", "status"), registry=own
        )
        self.seconds = Histogram(
            "headrank_request_seconds", "From a request's head to its answer", buckets=_SECONDS, registry=own
        )
        self.in_flight = Gauge("headrank_in_flight", "Requests accepted and not yet answered", registry=own)
        self.passes = Histogram(
            "headrank_pass_seconds",
            "Passes of the model, one or several prompts in each",
            buckets=_SECONDS,
            registry=own,
        )
        self.together = Histogram(
            "headrank_prompts_per_pass", "Prompts in a pass", buckets=(1, 2, 4, 8, 16, 32), registry=own
        )
        self.tokens = Counter("headrank_prompt_tokens", "Tokens of prompts", registry=own)
        self.documents = Counter("headrank_documents", "Documents of answered requests", registry=own)
        self.dropped = Counter(
            "headrank_dropped", "Accepted requests that were not ranked to the end", ("reason",), registry=own
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)
