"""The app: services, routes, middleware. Importing this loads no torch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from api.analyses.routes import router as analyses
from api.api_keys.routes import router as api_keys
from api.attempts.routes import router as attempts
from api.body_limit import BodyLimit
from api.bootstrap import make_bootstrap_key
from api.catalogue.routes import router as catalogue
from api.checkpoints.routes import router as checkpoints
from api.evaluations.routes import router as evaluations
from api.events.feed import EventFeed
from api.events.routes import router as events
from api.head_as_get import HeadAsGet
from api.job_checks.routes import router as job_checks
from api.jobs.routes import router as jobs
from api.metrics.routes import router as metrics
from api.openapi_document import TAGS, document
from api.operations.routes import router as operations
from api.problem_handlers import install
from api.readiness import require_schema
from api.reaper import Reaper
from api.request_context import RequestContext
from api.results.routes import router as results
from api.services import Services
from api.settings import ApiSettings
from api.snapshots.routes import router as snapshots
from api.sweeps.routes import router as sweeps
from api.task_switches.routes import router as task_switches
from api.tasks.routes import router as tasks
from api.workers.routes import router as workers
from store.queue import WakeUps
from store.unit_of_work import Database

_ROUTERS = (
    jobs,
    job_checks,
    attempts,
    task_switches,
    tasks,
    events,
    metrics,
    evaluations,
    checkpoints,
    snapshots,
    results,
    analyses,
    sweeps,
    catalogue,
    workers,
    api_keys,
    operations,
)
_DESCRIPTION = "Train one network on a sequence of tasks without forgetting the earlier ones (elastic weight consolidation)."


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """The service for these settings, by default those of the environment.

    Making the app touches neither database nor broker; starting it does.
    """
    settings = settings or ApiSettings()
    app = FastAPI(
        title="EWC training service",
        version=version("ewc-service"),
        description=_DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=_lifespan,
        redirect_slashes=False,  # a redirect would name the host that the request names, and lose a body
    )
    app.state.settings = settings
    for router in _ROUTERS:
        app.include_router(router)
    install(app)
    # The last one added is the outermost: every answer, 413 included, gets its request id and its line in the log.
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(RequestContext, root_path=settings.api_root_path)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # FastAPI documents this way
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Refuses to start (StoreUnavailable) on a database that is not there or not migrated."""
    settings: ApiSettings = app.state.settings
    database = Database(settings.database_url)
    try:
        await run_in_threadpool(prepare, database, settings)
        services = Services(settings, database, WakeUps(settings.broker_url, settings.broker_dir), EventFeed(database))
        app.state.services = services
        feed = asyncio.create_task(services.events.run())
        reaper = Reaper(services)
        reaper.start()
        try:
            yield
        finally:
            services.events.close()
            feed.cancel()
            with suppress(asyncio.CancelledError):
                await feed
            await run_in_threadpool(reaper.stop)
            services.wake_ups.close()
    finally:
        database.close()


def prepare(database: Database, settings: ApiSettings) -> None:
    """Check that the service can work, and make its first key.

    Raises:
        StoreUnavailable: the database is not there, or not migrated.
        OSError: the key file or the broker's folders cannot be written.
    """
    require_schema(database)
    if settings.bootstrap_key_file is not None:
        make_bootstrap_key(database, settings.bootstrap_key_file)
    WakeUps(settings.broker_url, settings.broker_dir).close()
