"""Installing: the stages of an operation, each of which may be begun again by whoever takes the operation over.

What a stage gives lies where every replica reaches it before the next one begins: blobs, and then rows. Only the tree
that was unpacked does not; who takes an operation over unpacks the package again, without telling of it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from millwright_runtime.postgres.database import Connection

from millwright_modules.artifacts.workplace import Workplace
from millwright_modules.commands import moving, operating
from millwright_modules.domain import names
from millwright_modules.domain.manifest import reader
from millwright_modules.domain.module import Actor, Asset, Module, ModuleVersion, State
from millwright_modules.domain.operation import LIVE_SHARE, Activity, Done, Operation, Stage
from millwright_modules.domain.problem import Problem, Refused, Severity, refusal
from millwright_modules.domain.versions import Version
from millwright_modules.domain.words import Reason
from millwright_modules.engine import validating
from millwright_modules.engine.assets import Assets, Bundle
from millwright_modules.engine.health import Health
from millwright_modules.engine.owners import Owners
from millwright_modules.engine.progress import Point, Teller, measured
from millwright_modules.engine.unpacking import Packages
from millwright_modules.engine.validating import Tree, Validated
from millwright_modules.engine.work import Work
from millwright_modules.store import modules, uploads, versions


@dataclass(slots=True)
class Job:
    """An operation in hand, and what was found out about it here."""

    work: Work
    room: Path
    tree: Tree | None = None
    validated: Validated | None = None

    @property
    def operation(self) -> Operation:
        """Give the operation as it is now."""
        return self.work.operation


class Installing:
    """Takes operations from where they are to their end."""

    def __init__(
        self,
        workplace: Workplace,
        packages: Packages,
        assets: Assets,
        health: Health,
        owners: Owners,
        platform: Version,
        owner_seconds: float,
    ) -> None:
        """Wait `owner_seconds` for another service that is away."""
        self._workplace = workplace
        self._packages = packages
        self._assets = assets
        self._health = health
        self._owners = owners
        self._platform = platform
        self._owner_seconds = owner_seconds
        self._stages = {
            Stage.UPLOADED: self._begin,
            Stage.EXTRACTING: self._extract,
            Stage.VALIDATING: self._validate,
            Stage.BUILDING: self._build,
            Stage.ACTIVATING: self._activate,
        }

    async def run(self, work: Work) -> None:
        """Take an operation to its end. Raises LeaseLost; what is refused ends it as FAILED."""
        async with self._workplace.room("operation") as room:
            job = Job(work, room)
            try:
                while not job.operation.stage.is_terminal:
                    await self._stages[job.operation.stage](job)
            except Refused as refused:
                await work.enter(Stage.FAILED, refused.problems)

    async def give_up(self, work: Work, problem: Problem) -> None:
        """End an operation that cannot be brought to its end; what went live with it comes back."""
        if work.operation.live_generation is None:
            await work.enter(Stage.FAILED, [problem])
        else:
            await self._return(work, problem)

    async def _begin(self, job: Job) -> None:
        await job.work.enter(Stage.EXTRACTING)

    async def _extract(self, job: Job) -> None:
        async with Teller(job.work).telling() as teller:
            teller.hear(0.0, Done(), Activity.FETCHING)
            await self._packages.fetch(job.work.tenant, job.operation.package_digest)
            await self._unpacked(job, teller)
        await job.work.enter(Stage.VALIDATING)

    async def _unpacked(self, job: Job, teller: Teller | None = None) -> Tree:
        """Give the tree, unpacked here if it was not yet."""
        if job.tree is None:

            def hear(done: Done) -> None:
                if teller:
                    teller.hear(done.share, done, Activity.UNPACKING)

            staging = job.room / "tree"
            digest = job.operation.package_digest
            job.tree = Tree(staging, await self._packages.unpack(job.work.tenant, digest, staging, hear))
        return job.tree

    async def _validate(self, job: Job) -> None:
        async with Teller(job.work).telling() as teller:
            teller.hear(0.0, Done(steps_total=3), Activity.READING)
            await self._unpacked(job)
            teller.hear(0.3, Done(steps_done=1, steps_total=3), Activity.CHECKING)
            validated = await self._validated(job)
            if not job.operation.code:  # when it was asked for, the package could not be read
                raise refusal(Reason.PACKAGE_MISSING, job.operation.package_digest.hex())
            teller.hear(0.7, Done(steps_done=2, steps_total=3), Activity.ASKING)
            told = await self._ask(job, validated)
            teller.hear(1.0, Done(steps_done=3, steps_total=3), Activity.ASKING)
        await job.work.enter(Stage.BUILDING, [*validated.warnings, *told])

    async def _ask(self, job: Job, validated: Validated) -> Sequence[Problem]:
        """Have what the module brings checked by who owns it, once nothing else is wrong; raise Refused."""
        contents = await asyncio.to_thread(validating.documents, await self._unpacked(job), validated.manifest)
        subject = names.operation(job.operation.id)
        told = await self._owners.check(subject, job.work.tenant, validated.manifest, contents, self._owner_seconds)
        if any(problem.severity is Severity.ERROR for problem in told):
            raise Refused([*told, *validated.warnings])
        return told

    async def _validated(self, job: Job) -> Validated:
        """Give what the package is, judged here if it was not yet."""
        if job.validated is None:
            operation = job.operation
            job.validated = await validating.validate(
                job.work.platform.database,
                job.work.tenant,
                operation.package_digest,
                await self._unpacked(job),
                operation.options,
                self._platform,
            )
        return job.validated

    async def _build(self, job: Job) -> None:
        work, operation = job.work, job.operation
        following = Stage.COMPLETED if operation.options.skip_activation else Stage.ACTIVATING
        async with work.platform.database.snapshot(work.tenant) as connection:
            is_built = await versions.find(connection, operation.code, operation.version) is not None
        if is_built:  # of these bytes: validating has seen to that
            await work.enter(following)
            return
        validated = await self._validated(job)
        async with Teller(work).telling() as teller:
            bundle = await self._assets.bundle(await self._unpacked(job), validated.manifest.frontend, job.room, teller)
            kept = await self._assets.keep(work.tenant, bundle, teller)

        async def finish(connection: Connection) -> Operation:
            await self._write_version(connection, work, validated, bundle, kept)
            return await operating.enter(connection, work.log, work.operation, following, bundle.warnings)

        await work.write(finish)

    async def _write_version(
        self, connection: Connection, work: Work, validated: Validated, bundle: Bundle, kept: Sequence[Asset]
    ) -> None:
        operation = work.operation
        upload = await uploads.get(connection, operation.package_digest)
        version = ModuleVersion(
            code=operation.code,
            version=operation.version,
            package_digest=operation.package_digest,
            package_bytes=upload.total_bytes,
            manifest=validated.manifest_text,
            entry=bundle.entry,
            signer=validated.signer,
            warnings=[*operation.problems, *bundle.warnings],
            create_time=datetime.now(UTC),
        )
        await versions.insert(connection, work.tenant, version, kept)

    async def _activate(self, job: Job) -> None:
        work = job.work
        if job.operation.live_generation is None:
            await work.write(lambda connection: self._go_live(connection, work), names.module(job.operation.code))
        if job.operation.stage.is_terminal:
            return
        async with work.platform.database.snapshot(work.tenant) as connection:
            version = await versions.get(connection, job.operation.code, job.operation.version)
            assets = await versions.assets(connection, version.code, version.version)
        seconds = job.operation.options.health_time.total_seconds()
        async with Teller(work).telling() as teller:
            problem = await self._health.watch(work.tenant, assets, version.entry, seconds, teller)
        if problem:
            await self._return(work, problem)
        else:
            await work.write(lambda connection: self._finish(connection, work))

    async def _go_live(self, connection: Connection, work: Work) -> Operation:
        """Move the pointer, if the module is as it was when the install was asked for; raise Refused."""
        operation = work.operation
        module = (await moving.ground(connection, operation.code)).module
        if module.generation != operation.base_generation:
            raise refusal(
                Reason.GENERATION_MISMATCH, names.module(module.code), operation.base_generation, module.generation
            )
        if module.state is State.ENABLED and module.active_version == operation.version:
            return await operating.enter(connection, work.log, operation, Stage.COMPLETED)
        version = await versions.get(connection, operation.code, operation.version)
        manifest = reader.read_kept(version.manifest)
        problems = await validating.obstacles(connection, manifest, version.signer, operation.options, self._platform)
        if any(problem.severity is Severity.ERROR for problem in problems):
            raise Refused(problems)
        actor = Actor(operation.requester, operation.options.reason, operation=operation.id)
        moved = await moving.go_live(connection, work.log, work.tenant, module, manifest, actor)
        left = operation.options.health_time.total_seconds()
        progress = measured(operation, Point(LIVE_SHARE, Done(), Activity.WATCHING, left), 0.0, work.worked)
        live = replace(operation, live_generation=moved.module.generation, progress=progress)
        return await operating.progress(connection, work.log, live)

    async def _finish(self, connection: Connection, work: Work) -> Operation:
        """End it well, unless somebody has meanwhile put another version in its place."""
        operation = work.operation
        module = await modules.lock(connection, operation.code)
        if module.live_version == operation.version:
            return await operating.enter(connection, work.log, operation, Stage.COMPLETED)
        return await self._left(connection, work, module)

    async def _left(self, connection: Connection, work: Work, module: Module) -> Operation:
        problem = Problem(
            Reason.LEFT_BY_OTHERS, names.module(module.code), work.operation.version, module.live_version or "none"
        )
        return await operating.enter(connection, work.log, work.operation, Stage.ROLLED_BACK, [problem])

    async def _return(self, work: Work, problem: Problem) -> None:
        """Bring back what was live before, whoever needs what goes, if nobody else has moved the pointer since."""

        async def go_back(connection: Connection) -> Operation:
            operation = work.operation
            ground = await moving.ground(connection, operation.code)
            if ground.module.generation != operation.live_generation:
                return await self._left(connection, work, ground.module)
            reason = problem.messages["en"]
            actor = Actor(operation.requester, reason, is_automatic=True, operation=operation.id)
            left = await moving.undo(connection, work.log, work.tenant, ground, actor)
            return await operating.enter(connection, work.log, operation, Stage.ROLLED_BACK, [problem, *left])

        await work.write(go_back, names.module(work.operation.code))
