"""What an image has in it: each service starts from its own pinned dependencies alone, and says that it serves."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from millwright_local.scratch import scratch_directory
from millwright_local.services import SERVICES
from millwright_local.stack import Stack

ROOT = Path(__file__).parents[2]
PLATFORMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")
"""Of Debian 12, for the processors that its Python image is made for."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_a_service_starts_from_what_its_image_has(service, tmp_path):
    target = tmp_path / "millwright"
    command = [ROOT / "deploy/images/install", service.name, target]
    quick = {**os.environ, "PIP_NO_COMPILE": "1"}
    done = subprocess.run(  # noqa: ASYNC221 - nothing else is done meanwhile
        command, env=quick, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packages = {it.name for it in next(target.glob("lib/python*/site-packages")).iterdir()}
    assert not packages & {"pip", "pytest", "hatchling", "millwright_cli", "millwright_local"}
    others = {f"millwright_{other.name}" for other in SERVICES if other is not service}
    assert not packages & others
    with scratch_directory() as home:
        alone = replace(service, command=(str(target / "bin/service"),))
        async with Stack(home, services=(alone,), free_ports=True, durable=False, environment={}) as stack:
            # It was migrated, and its health said SERVING: what the image brings says so, too.
            ask = [target / "bin/python", "-m", "millwright_runtime.health", stack.endpoints[service.name]]
            assert subprocess.run([*ask, service.health], check=False).returncode == 0  # noqa: ASYNC221
            assert subprocess.run([*ask, "of.another"], check=False).returncode == 1  # noqa: ASYNC221


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_python_of_the_images_has_a_wheel_of_all_that_is_pinned(service, platform, tmp_path):
    (python,) = re.findall(
        r"^ARG PYTHON_IMAGE=python:(3\.\d+)-", (ROOT / "deploy/images/Dockerfile").read_text(), re.MULTILINE
    )
    uv = Path(sys.executable).parent / "uv"
    target = ["--python-version", python, "--python-platform", platform, "--target", tmp_path]
    pinned = ["--require-hashes", "--only-binary", ":all:", "-r", ROOT / "services" / service.name / "requirements.txt"]
    done = subprocess.run(
        [uv, "pip", "install", "--dry-run", *target, *pinned], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
