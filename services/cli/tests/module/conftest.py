"""The modules service on real servers, and the command against it: a tenant a test."""

import asyncio
import json
import uuid
from pathlib import Path

import pytest
from millwright_cli.module import package, template
from millwright_modules.app import SERVICE
from millwright_modules.confinement import kernel, process
from millwright_runtime.service import running


@pytest.fixture(scope="module")
async def modules(service_databases, service_settings, tmp_path_factory):
    """The address of a modules service with a database of the test file's own; it builds frontends."""
    try:
        process.check()
    except kernel.Unavailable as lack:
        pytest.skip(f"this machine cannot confine a build: it lacks {lack}")
    work = tmp_path_factory.mktemp("work")
    async with service_databases.fresh(SERVICE) as urls:
        settings = service_settings(SERVICE, urls.service, work_directory=work)
        async with running(SERVICE, settings) as service:
            yield f"127.0.0.1:{service.server.port}"


@pytest.fixture
def admin(token):
    """The token of an administrator of a tenant that only this test knows."""
    return token(tenant=f"t-{uuid.uuid4().hex[:12]}", roles=("admin",), subject="kim")


@pytest.fixture
def call(modules, admin, bare):
    """Run the command against the service, beside the loop that the service runs on."""

    async def call(*args, **given):
        return await asyncio.to_thread(bare, "module", *args, "--endpoint", modules, "--token", admin, **given)

    return call


@pytest.fixture
def packed(tmp_path):
    """Write a module's package, with another page or changes to its manifest, and give its path."""

    def write(version="1.0.0", code="spare-parts", *, page="", **changes):
        module = tmp_path / uuid.uuid4().hex
        template.write(module, code, "Spare parts")
        manifest = json.loads((module / "module.json").read_text()) | {"version": version} | changes
        (module / "module.json").write_text(json.dumps(manifest))
        if page:
            (module / "src" / "page.tsx").write_text(page)
        path = tmp_path / f"{module.name}.zip"
        path.write_bytes(package.archive(package.read_directory(module)))
        return str(path)

    return write


@pytest.fixture
def example(tmp_path):
    """The package of the example."""
    module = Path(__file__).parents[4] / "examples" / "modules" / "quality-analytics"
    path = tmp_path / "quality-analytics-1.0.0.zip"
    path.write_bytes(package.archive(package.read_directory(module)))
    return str(path)
