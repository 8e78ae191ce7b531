"""A client of the whole API of the modules service."""

import hashlib
from contextlib import suppress
from datetime import timedelta

import grpc
from google.protobuf.duration_pb2 import Duration
from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1 import operation_pb2
from millwright_local.testing.client import ContractClient, rpcs_of
from module_samples.packages import KEY, archive, files, signed

PIECE_BYTES = 256 << 10
MODULE = "modules/quality"


def upload_name(package):
    """The name of a package's upload."""
    return f"uploads/{hashlib.sha256(package).hexdigest()}"


def stage(message):
    """The stage of an operation or an event, in short."""
    return operation_pb2.Stage.Name(message.stage).removeprefix("STAGE_")


def package(version="1.0.0", frontend="prebuilt", page=b"export default 1;\n", **changes):
    """A signed package of the module `quality`, with a frontend built before; `changes` are keys of its manifest."""
    changes["frontend"] = {"prebuilt": "dist/page.js"} if frontend == "prebuilt" else frontend
    contents = files(version=version, **changes)
    contents |= {"dist/page.js": page, "dist/parts/chart.js": b"export const chart = 2;\n"}
    return archive(signed(contents) if frontend == "prebuilt" else contents)


def page(version):
    """A page that tells a version."""
    return f"export default '{version}';\n".encode()


class Client(ContractClient):
    """Calls the modules service: `await client.GetModule(name=…)`; and does what tests do often."""

    rpcs = rpcs_of((pb,))

    def stream(self, rpc, requests, deadline=20.0):
        """Call an RPC that takes a stream."""
        method = self.rpcs[rpc]
        kind = "stream_stream" if method.server_streaming else "stream_unary"
        stub = getattr(self.channel, kind)(
            f"/{method.containing_service.full_name}/{rpc}",
            getattr(pb, method.input_type.name).SerializeToString,
            getattr(pb, method.output_type.name).FromString,
        )
        return stub(requests, timeout=deadline, metadata=[("authorization", f"Bearer {self.token}")])

    async def announce(self, package, **fields):
        """Announce a package; give the upload."""
        announced = {"digest": hashlib.sha256(package).digest(), "total_bytes": len(package), **fields}
        return (await self.CreateUpload(**announced)).upload

    async def send_package(self, package, begin=0, end=None, name=None):
        """Send a package's bytes; give the upload."""
        pieces = [
            pb.UploadPackageRequest(upload=name or upload_name(package), offset=offset, data=package[offset:until])
            for offset in range(begin, len(package) if end is None else end, PIECE_BYTES)
            for until in [min(offset + PIECE_BYTES, len(package) if end is None else end)]
        ] or [pb.UploadPackageRequest(upload=name or upload_name(package))]
        return (await self.stream("UploadPackage", pieces)).upload

    async def trust(self):
        """Have the key trusted with which packages are signed."""
        key = pb.SigningKey(name="signingKeys/ours", public_key=KEY.public_key().public_bytes_raw(), owner="us")
        with suppress(grpc.aio.AioRpcError):  # it is trusted already
            await self.AddSigningKey(key=key)

    async def upload(self, package):
        """Bring a package in, whole, with its key trusted; give its name."""
        await self.trust()
        announced = await self.announce(package)
        sent = await self.send_package(package, begin=announced.received_bytes)
        assert sent.complete
        return sent.name

    async def start(self, package, health=0.0, **options):
        """Ask for an install of a package that is brought in first; give the operation's name."""
        health_time = Duration()
        health_time.FromTimedelta(timedelta(seconds=health))
        wish = pb.InstallOptions(health_time=health_time, **options)
        started = await self.InstallModule(upload=await self.upload(package), options=wish)
        return started.operation.name

    async def end_of(self, operation):
        """Watch an operation to its end; give it as it is then."""
        async for _ in self.WatchOperation(name=operation, from_sequence=0):
            pass
        return (await self.GetOperation(name=operation)).operation

    async def install(self, package, **options):
        """Install a package; give the operation at its end."""
        return await self.end_of(await self.start(package, **options))

    async def installed(self, package, **options):
        """Install a package that is good."""
        operation = await self.install(package, **options)
        assert stage(operation) == "COMPLETED", operation
        return operation

    async def events(self, operation):
        """The events of an operation that has ended, from the first."""
        return [message.event async for message in self.WatchOperation(name=operation, from_sequence=0)]

    async def asset(self, module=MODULE, path="", known_digest=b""):
        """A file of a module: its description, and its bytes."""
        answers = [each async for each in self.GetAsset(module=module, path=path, known_digest=known_digest)]
        return answers[0], b"".join(answer.data for answer in answers)
