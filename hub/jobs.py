"""rq as a doorbell. A job carries nothing: it wakes a worker, which asks the store what is due.

Bells are joined: while one is on its way no other is sent. A bell that is lost costs at most one sweep. Jobs are
JSON, keep no result, and return at once, since rq's SimpleWorker gives no heartbeat while a job runs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

log = logging.getLogger("hub.jobs")

QUEUE = "hub"
#: seconds for which bells are joined: under load that is 20 a second at most, and none is lost
JOINED = 0.05
#: bells that may wait at once: more wake nobody faster
_MOST = 64

_woken: Callable[[], None] | None = None


def bell() -> None:
    """The job: wake this worker's engine."""
    if _woken is not None:
        _woken()


class Stopped(BaseException):
    """A signal asked this process to end. No Exception: libraries between the signal and us catch those."""


class Ringer:
    """Rings from a thread of its own, so that neither a request nor a commit waits for Redis."""

    def __init__(self, client: redis.Redis | None) -> None:
        self._client = client
        self._wanted = threading.Event()
        self._queue = Queue(QUEUE, connection=client, serializer=JSONSerializer) if client is not None else None
        self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
        if client is not None:
            self._thread.start()

    def __call__(self) -> None:
        """Ask for a bell; returns at once."""
        self._wanted.set()

    def _run(self) -> None:
        assert self._client is not None and self._queue is not None
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                # While nobody listens no more than a few wait: rq keeps their ids long after the bells have expired.
                if self._client.llen(self._queue.key) < _MOST:
                    self._queue.enqueue("hub.jobs.bell", result_ttl=0, failure_ttl=0, job_timeout=10, ttl=30)
                threading.Event().wait(JOINED)  # what is asked for meanwhile is rung together, right after
            except redis.RedisError as error:
                log.debug("no bell: %s", error)
                threading.Event().wait(1.0)


def listen(client: redis.Redis, wake: Callable[[], None], stopping: threading.Event) -> None:
    """Run rq's worker loop in this (main) thread until a signal stops it; while Redis is away, wait for it.

    The caller's signal handler sets `stopping` and raises `Stopped` to leave a blocking pop. Where that is eaten on its
    way (rq catches everything a job raises), the worker leaves at its next heartbeat.
    """
    global _woken
    _woken = wake
    for name in ("rq.worker", "rq"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    said = False
    while not stopping.is_set():
        try:
            client.ping()
            if said:
                log.warning("Redis is back")
                said = False
            queue = Queue(QUEUE, connection=client, serializer=JSONSerializer)
            worker = _Worker([queue], connection=client, serializer=JSONSerializer)
            worker.stopping = stopping
            worker.work(logging_level="CRITICAL")
        except (redis.RedisError, OSError) as error:
            if not said:
                log.warning("Redis is away (%s): working by the sweep of one second", error)
                said = True
            stopping.wait(1.0)


class _Worker(SimpleWorker):
    """rq's worker, ended by the hub's own signal handling and back at once when Redis is."""

    max_connection_wait_time = 2
    stopping = threading.Event()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Tell Redis that this worker lives, unless it is to end: asked once in each round of rq's loops."""
        if self.stopping.is_set():
            raise Stopped
        super().heartbeat(timeout, pipeline)

    def _install_signal_handlers(self) -> None:
        """Leave the signals to the hub's worker process."""

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Nothing to maintain: no job outlives its second."""
        return False
