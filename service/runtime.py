"""Runtime: what one application holds while it runs, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, CrossmodalError, ModelMismatchError
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.memory import give_back
from index.collection import Collection
from index.jobs.queue import Jobs
from index.views.view import View
from index.work import CollectionJobs
from index.writing.compaction import CompactionPolicy
from service.access.rates import Rates
from service.gauges import Gauges
from service.http.admission import Lane
from service.problems import DETAILS, ProblemError
from service.searching.gathering import Gathering
from service.searching.presentation import MediaFields
from service.settings import Settings
from service.watching import logs
from service.watching.readiness import Readiness
from service.watching.telemetry import Telemetry
from service.watching.warmup import warm_up

Result = TypeVar("Result")


class Runtime:
    """The collection, the decoder, the threads and the queues of one application.

    Clips are decoded and embedded by ``workers`` threads; searches have their own, so
    that none waits behind a decoding. FAISS and the runtimes release the interpreter
    lock, and each runs on one thread: concurrency comes from here alone.
    """

    def __init__(
        self,
        settings: Settings,
        collection: Collection | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        """Prepare everything that costs nothing; `start` does the rest."""
        self.settings = settings
        self.started_s = time.monotonic()
        self.telemetry = Telemetry()
        self.readiness = Readiness()
        self.uploads = Lane("uploads", settings.upload_places)
        self.searches = Lane("searches", settings.search_places)
        self.writes = Lane("writes", settings.write_places)
        self.batches = Lane("batches", settings.batch_places)
        self.evaluations = Lane("evaluations", settings.evaluation_places)
        self.rates = Rates(settings.rate, settings.rate_burst)
        self.failed_rates = Rates(settings.failed_rate, settings.failed_burst)
        self.failed: CrossmodalError | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._collection = collection
        self._before: Collection | None = None  # the model was changed
        self._jobs: Jobs | None = None
        self._owns_collection = collection is None
        self._owns_decoder = decoder is None
        self._mismatch = False
        self._media_fields: MediaFields | None = None
        workers = settings.worker_count
        limits = MediaLimits(max_bytes=settings.max_upload)
        self.decoder = decoder or Decoder(limits, workers=workers)
        self._embedding = ThreadPoolExecutor(workers, thread_name_prefix="embed")
        self._searching = ThreadPoolExecutor(workers, thread_name_prefix="search")
        self.gathering = Gathering()
        self._writing = ThreadPoolExecutor(workers, thread_name_prefix="write")
        self._batching = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="evaluate")
        self._opening: asyncio.Task[None] | None = None
        self.telemetry.registry.register(
            Gauges(self.readiness, self.lanes, settings.data, lambda: self.collection)
        )

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every queue."""
        return (self.uploads, self.searches, self.writes, self.batches, self.evaluations)

    @property
    def collection(self) -> Collection:
        """The collection served.

        Raises:
            ProblemError: ``not-ready`` or ``model-mismatch``, if it cannot be used.
        """
        if self._collection is None:
            code = "model-mismatch" if self._mismatch else "not-ready"
            raise ProblemError(code, DETAILS[code])
        return self._collection

    @property
    def jobs(self) -> Jobs | None:
        """The long work that is asked for; None if the service only reads.

        Raises:
            ProblemError: ``not-ready`` or ``model-mismatch``, if it cannot be used.
        """
        if not self.collection.writable:
            return None
        if self._jobs is None:
            raise ProblemError("not-ready", DETAILS["not-ready"])
        return self._jobs

    @property
    def media_fields(self) -> MediaFields:
        """Describes the collection's media in replies."""
        collection = self.collection
        if self._media_fields is None or self._media_fields.collection is not collection:
            self._media_fields = MediaFields(collection)
        return self._media_fields

    def bundle_of(self, view: View) -> Bundle:
        """Return the bundle that made a view: the one served, or the one before it.

        Raises:
            ProblemError: ``not-ready``, if it was changed twice since.
        """
        for collection in (self.collection, self._before):
            if collection is not None and collection.bundle.model_id == view.model_id:
                return collection.bundle
        raise ProblemError("not-ready", DETAILS["not-ready"])

    async def start(self) -> None:
        """Begin to open the collection; /readyz tells when it is done."""
        self._opening = asyncio.create_task(self._open())

    async def opened(self) -> None:
        """Wait until opening has succeeded or failed."""
        if self._opening is not None:
            await self._opening

    async def stop(self) -> None:
        """End the children and threads and let go of the collection."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._jobs is not None:  # they end at their next step
            await asyncio.get_running_loop().run_in_executor(None, self._jobs.close)
        if self._owns_decoder:
            self.decoder.close()
        self.gathering.close()
        for pool in (
            self._embedding,
            self._searching,
            self._writing,
            self._batching,
            self._judging,
        ):
            pool.shutdown(wait=False, cancel_futures=True)
        if self._owns_collection and self._collection is not None:
            self._collection.close()

    async def embedding(self, work: Callable[[], Result]) -> Result:
        """Run work that decodes or embeds."""
        return await asyncio.get_running_loop().run_in_executor(self._embedding, work)

    async def searching(self, work: Callable[[], Result]) -> Result:
        """Run work that only searches."""
        return await asyncio.get_running_loop().run_in_executor(self._searching, work)

    async def writing(self, work: Callable[[], Result]) -> Result:
        """Run work that checks what is to be written, and hands it to the writer."""
        return await asyncio.get_running_loop().run_in_executor(self._writing, work)

    async def batch(self, work: Callable[[], Result]) -> Result:
        """Run several searches."""
        return await asyncio.get_running_loop().run_in_executor(self._batching, work)

    async def evaluation(self, work: Callable[[], Result]) -> Result:
        """Run an evaluation."""
        return await asyncio.get_running_loop().run_in_executor(self._judging, work)

    async def _open(self) -> None:
        # the decoder's process takes as long to start as the collection to open
        warming = asyncio.get_running_loop().run_in_executor(None, self.decoder.warm)
        try:
            collection = self._collection
            if collection is None:
                collection = await self.embedding(self._open_collection)
            await warming
            self.readiness.index = self._index_degraded
            self.readiness.writing = self._write_failure
            self.readiness.degraded += await self.embedding(
                lambda: warm_up(collection, self.decoder)
            )
            self._collection = collection
            if collection.writable:  # a job may change what is served at once
                self._jobs = await self.writing(
                    lambda: CollectionJobs(collection, self._serve)
                )
        except CrossmodalError as error:
            self._mismatch = isinstance(error, ModelMismatchError)
            self._block(error)
        except Exception as error:  # whatever it is, /readyz must say that it is there
            logs.failure("opening failed", error)
            self._block(CollectionError(f"opening failed: {type(error).__name__}"))
        else:
            self.readiness.opened = True
            logs.event("ready", status=str(self.readiness.status))
            give_back()
        finally:
            await asyncio.gather(warming, return_exceptions=True)

    def _open_collection(self) -> Collection:
        return Collection.open(
            self.settings.data_directory(),
            write=not self.settings.read_only,
            policy=CompactionPolicy(
                tail=self.settings.compaction_tail, bases=self.settings.bases
            ),
        )

    def _serve(self, changed: Collection) -> None:
        """Serve another model from here on; called in the thread of the jobs.

        Requests under way hold what they began with.
        """
        self._before, self._collection = self._collection, changed
        logs.event("model changed", model=changed.bundle.model_id)
        try:
            self.readiness.degraded = warm_up(changed, self.decoder)
        except CrossmodalError as error:
            self.readiness.degraded = [_without_paths(error, self.settings)]

    def _index_degraded(self) -> str | None:
        held = self._collection  # another after a change of the model
        return None if held is None else held.degraded

    def _write_failure(self) -> str | None:
        held = self._collection
        return None if held is None else held.write_failure

    def _block(self, error: CrossmodalError) -> None:
        self.failed = error
        reason = _without_paths(error, self.settings)
        self.readiness.blocked.append(reason)
        logs.event("not ready", level=logging.ERROR, reason=reason)
        self.on_failure()


def _without_paths(error: CrossmodalError, settings: Settings) -> str:
    """Return the error's words with the data directory's place left out."""
    text = str(error)
    if settings.data is not None:
        for path in (settings.data.resolve(), settings.data):
            text = text.replace(str(path), settings.data.name or "data")
    return text
