"""Gauges: readiness, queues, index and disk, read at the moment of a scrape."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from index.collection import Collection
from index.views.shelf import Shelf
from service.http.admission import Lane
from service.version import VERSION
from service.watching.readiness import Readiness

Samples = Iterable[tuple[str, float]]


class Gauges(Collector):
    """Yields the state of one application; nothing is kept between scrapes."""

    def __init__(
        self,
        readiness: Readiness,
        lanes: Sequence[Lane],
        data: Path | None,
        collection: Callable[[], Collection],
    ) -> None:
        """Watch an application.

        Args:
            readiness: Whether it can do its work.
            lanes: Its queues.
            data: The data directory.
            collection: Returns what is served, once it is opened.
        """
        self._readiness = readiness
        self._lanes = lanes
        self._data = data
        self._collection = collection

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge that has a value now."""
        readiness, lanes = self._readiness, self._lanes
        yield _gauge("earshot_ready", "1 if /readyz answers 200.", readiness.ready)
        yield _gauge("earshot_reasons", "Reasons /readyz gives.", len(readiness.reasons))
        yield _labelled(
            "earshot_places",
            "Places of a queue.",
            "queue",
            ((lane.name, lane.places) for lane in lanes),
        )
        yield _labelled(
            "earshot_places_taken",
            "Places taken.",
            "queue",
            ((lane.name, lane.taken) for lane in lanes),
        )
        refused = CounterMetricFamily(
            "earshot_refused", "Requests refused by a full queue.", labels=["queue"]
        )
        for lane in lanes:
            refused.add_metric([lane.name], lane.refused)
        yield refused
        if readiness.opened:
            yield from self._index()
        if self._data is not None and self._data.is_dir():
            yield _gauge(
                "earshot_data_free_bytes",
                "Bytes free where the data directory is.",
                shutil.disk_usage(self._data).free,
            )

    def _index(self) -> Iterator[Metric]:
        collection = self._collection()
        view = collection.view
        if collection.writable:
            yield _gauge(
                "earshot_writing",
                "0 while nothing can be written, as after an error of the disk.",
                collection.write_failure is None,
            )
        yield _gauge("earshot_view_seq", "The last write that searches see.", view.seq)
        yield _labelled(
            "earshot_index_items",
            "Items that can be found.",
            "modality",
            ((str(modality), count) for modality, count in view.sizes.items()),
        )
        yield _labelled(
            "earshot_index_vectors",
            "Vectors that can be found.",
            "modality",
            ((str(modality), count) for modality, count in view.segments.items()),
        )
        yield _labelled(
            "earshot_index_tail_vectors",
            "Vectors newer than the index files, compared one by one.",
            "modality",
            ((str(m), sum(map(len, part[1:]))) for m, part in view.shelves.items()),
        )
        yield _labelled(
            "earshot_index_deleted_vectors",
            "Vectors of the index files that were deleted since they were made.",
            "modality",
            ((str(m), _deleted(part)) for m, part in view.shelves.items()),
        )
        yield _gauge(
            "earshot_index_unserved_vectors",
            "Vectors stored that cannot be searched.",
            sum(view.unserved.values()),
        )
        build = GaugeMetricFamily(
            "earshot_build_info", "What answers: always 1.", labels=["version", "model"]
        )
        build.add_metric([VERSION, view.model_id], 1)
        yield build


def _deleted(shelves: Sequence[Shelf]) -> int:
    return sum(len(shelf.gallery) - len(shelf) for shelf in shelves[:1])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _labelled(name: str, text: str, label: str, samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in samples:
        family.add_metric([value], number)
    return family
