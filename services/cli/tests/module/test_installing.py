"""`millwright module install` and its like: the upload goes on where it broke, and each stage shows itself."""

import hashlib
import json
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from millwright.modules.v1 import module_service_pb2 as pb
from millwright.modules.v1.module_pb2 import Module, Problem
from millwright.modules.v1.operation_pb2 import Operation, OperationEvent, Progress

NAME = "operations/0f5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11"
PIECE = 256 << 10
CONTENT = bytes(range(256)) * 3 * 1024  # three pieces
DIGEST = hashlib.sha256(CONTENT).digest()
UPLOAD = f"uploads/{DIGEST.hex()}"


@pytest.fixture
def package(tmp_path):
    """A file of three pieces."""
    path = tmp_path / "quality-1.0.0.zip"
    path.write_bytes(CONTENT)
    return str(path)


def upload(received, *, complete=False):
    return pb.Upload(name=UPLOAD, digest=DIGEST, total_bytes=len(CONTENT), received_bytes=received, complete=complete)


def progress(percent, **amounts):
    return Progress(percent=percent, messages={"en": f"at {percent}", "ko": f"{percent} 지점"}, **amounts)


def event(sequence, stage, percent, *problems, **amounts):
    told = OperationEvent(
        sequence=sequence,
        operation=NAME,
        module="modules/quality",
        stage=f"STAGE_{stage}",
        progress=progress(percent, **amounts),
        problems=problems,
    )
    return pb.WatchOperationResponse(sequence=sequence, event=told)


SNAPSHOT = pb.WatchOperationResponse(
    sequence=1, snapshot=Operation(name=NAME, stage="STAGE_UPLOADED", kind="KIND_INSTALL", progress=progress(0))
)
STAGES = [
    SNAPSHOT,
    event(2, "EXTRACTING", 12, bytes_done=1 << 20, bytes_total=2 << 20, files_done=3, files_total=7, rate=5 << 20),
    event(3, "VALIDATING", 25),
    event(4, "BUILDING", 50, steps_done=1, steps_total=3, seconds_left=4.2),
    event(5, "ACTIVATING", 75),
    event(6, "COMPLETED", 100),
]
BEGUN = pb.InstallModuleResponse(operation=Operation(name=NAME, stage="STAGE_UPLOADED"))


@pytest.fixture
def sent(peer):
    """The service has the package, and begins to install it."""
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(len(CONTENT), complete=True)))
    peer.answers("InstallModule", BEGUN)


def test_a_package_is_sent_in_pieces_installed_and_each_stage_is_a_line(peer, run, package):
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(0)))
    peer.answers("UploadPackage", pb.UploadPackageResponse(upload=upload(len(CONTENT), complete=True)))
    peer.answers("InstallModule", BEGUN)
    peer.answers("WatchOperation", STAGES)

    result = run("module", "install", package, "--reason", "first", "--health-time", "30s")

    assert result.exit_code == 0, result.stderr
    (announced,) = peer.requests("CreateUpload")
    assert (announced.digest, announced.total_bytes, announced.file_name) == (DIGEST, len(CONTENT), "quality-1.0.0.zip")
    (pieces,) = peer.requests("UploadPackage")
    assert [piece.offset for piece in pieces] == [0, PIECE, 2 * PIECE]
    assert b"".join(piece.data for piece in pieces) == CONTENT
    (asked,) = peer.requests("InstallModule")
    assert (asked.upload, asked.options.reason) == (UPLOAD, "first")
    assert asked.options.health_time == Duration(seconds=30)
    assert asked.request_id
    assert result.stdout.splitlines() == [
        "○ sending  768.0 KiB of 768.0 KiB",
        "○ uploaded  0 %  at 0",
        "▶ unpacking  12 %  quality  at 12  1.0 MiB of 2.0 MiB · 3 of 7 files · 5.0 MiB/s",
        "▶ checking  25 %  quality  at 25",
        "▶ building  50 %  quality  at 50  step 1 of 3 · 4.2 s left",
        "▶ going live  75 %  quality  at 75",
        "✔ completed  100 %  quality  at 100",
    ]


def test_an_upload_that_breaks_goes_on_where_the_service_is(peer, run, package):
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(PIECE)))
    broken = peer.refusal(peer.UNAVAILABLE)
    broken.after = 1
    peer.answers("UploadPackage", broken, pb.UploadPackageResponse(upload=upload(len(CONTENT), complete=True)))
    peer.answers("GetUpload", pb.GetUploadResponse(upload=upload(2 * PIECE)))
    peer.answers("InstallModule", BEGUN)
    peer.answers("WatchOperation", STAGES)

    result = run("module", "install", package)

    assert result.exit_code == 0, result.stderr
    first, second = peer.requests("UploadPackage")
    assert first[0].offset == PIECE
    assert [(piece.offset, piece.data) for piece in second] == [(2 * PIECE, CONTENT[2 * PIECE :])]
    assert "sending on" in result.stderr


def test_an_upload_that_another_has_emptied_goes_on_where_the_service_is(peer, run, package):
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(2 * PIECE)))
    emptied = peer.refusal(peer.INVALID_ARGUMENT, "OFFSET_MISMATCH", "the upload ends at 0")
    peer.answers("UploadPackage", emptied, pb.UploadPackageResponse(upload=upload(len(CONTENT), complete=True)))
    peer.answers("GetUpload", pb.GetUploadResponse(upload=upload(0)))
    peer.answers("InstallModule", BEGUN)
    peer.answers("WatchOperation", STAGES)
    assert run("module", "install", package).exit_code == 0
    assert b"".join(piece.data for piece in peer.requests("UploadPackage")[-1]) == CONTENT


def test_a_package_that_is_there_is_not_sent_again(peer, run, package, sent):
    peer.answers("WatchOperation", STAGES)
    assert run("module", "install", package).exit_code == 0
    assert not peer.requests("UploadPackage")


def test_one_that_is_there_but_unchecked_is_asked_to_be_checked(peer, run, package):
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(len(CONTENT))))
    peer.answers("UploadPackage", pb.UploadPackageResponse(upload=upload(len(CONTENT), complete=True)))
    peer.answers("InstallModule", BEGUN)
    peer.answers("WatchOperation", STAGES)
    assert run("module", "install", package).exit_code == 0
    ((piece,),) = peer.requests("UploadPackage")
    assert (piece.offset, piece.data) == (len(CONTENT), b"")


def test_an_upload_that_is_refused_installs_nothing(peer, run, package):
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(0)))
    refusal = peer.refusal(peer.INVALID_ARGUMENT, "DIGEST_MISMATCH", "other bytes")
    refusal.after = 3
    peer.answers("UploadPackage", refusal)
    result = run("module", "install", package)
    assert result.exit_code == 5
    assert "DIGEST_MISMATCH" in result.stderr
    assert not peer.requests("InstallModule")


def test_a_watch_that_breaks_goes_on_without_gap_or_repeat(peer, run, package, sent):
    peer.answers("WatchOperation", [*STAGES[:3], peer.refusal(peer.UNAVAILABLE)], STAGES[3:])
    result = run("module", "install", package)
    assert result.exit_code == 0
    assert [request.HasField("from_sequence") for request in peer.requests("WatchOperation")] == [False, True]
    assert peer.requests("WatchOperation")[1].from_sequence == 3
    assert len([line for line in result.stdout.splitlines() if "%" in line]) == len(STAGES)


def test_a_build_that_fails_is_told_with_file_line_and_hint(peer, run, package, sent):
    problem = Problem(
        reason="IMPORT_UNRESOLVED",
        severity="SEVERITY_ERROR",
        path="src/page.tsx",
        line=7,
        messages={"en": "src/page.tsx needs lodash.", "ko": "lodash가 없습니다."},
        hints={"en": "Put it into the module.", "ko": "모듈에 넣으세요."},
    )
    warning = Problem(reason="BUILD_WARNING", severity="SEVERITY_WARNING", path="a.ts", messages={"en": "NaN"})
    peer.answers("WatchOperation", [*STAGES[:4], event(5, "BUILDING", 60, warning), event(6, "FAILED", 60, problem)])
    result = run("module", "install", package, "--lang", "ko")
    assert result.exit_code == 8
    assert "! NaN  [BUILD_WARNING]" in result.stdout
    assert "✘ src/page.tsx:7: lodash가 없습니다.  [IMPORT_UNRESOLVED]" in result.stdout
    assert "→ 모듈에 넣으세요." in result.stdout
    assert "✘ 실패  60 %" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize(("stage", "code"), [("FAILED", 8), ("ROLLED_BACK", 8), ("CANCELLED", 9), ("COMPLETED", 0)])
def test_the_exit_code_says_how_it_ended(stage, code, peer, run):
    peer.answers("WatchOperation", [SNAPSHOT, event(2, stage, 75)])
    assert run("module", "watch", NAME).exit_code == code


def test_with_json_each_message_is_a_line(peer, run, package, sent):
    peer.answers("WatchOperation", STAGES)
    lines = [json.loads(line) for line in run("module", "install", package, "-o", "json").stdout.splitlines()]
    assert [line["sequence"] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert lines[-1]["event"]["stage"] == "STAGE_COMPLETED"


def test_a_stage_that_takes_long_says_so_again_after_ten_percent(peer, run):
    slow = [event(number, "EXTRACTING", percent) for number, percent in enumerate(range(1, 25), 2)]
    peer.answers("WatchOperation", [SNAPSHOT, *slow, event(30, "COMPLETED", 100)])
    shown = [line.split()[2] for line in run("module", "watch", NAME).stdout.splitlines() if "unpacking" in line]
    assert shown == ["1", "10", "20"]


def test_one_that_waits_for_its_turn_says_where_it_stands(peer, run):
    waiting = [event(number, "UPLOADED", 0, queue_place=place) for number, place in ((2, 3), (3, 3), (4, 1))]
    peer.answers("WatchOperation", [SNAPSHOT, *waiting, event(5, "COMPLETED", 100)])
    shown = [line for line in run("module", "watch", NAME).stdout.splitlines() if "in the queue" in line]
    assert [line.split("number ")[1] for line in shown] == ["3 in the queue", "1 in the queue"]
    peer.answers("WatchOperation", [SNAPSHOT, *waiting, event(5, "COMPLETED", 100)])
    assert "대기 순서 3번" in run("module", "watch", NAME, "--lang", "ko").stdout


def test_detached_it_does_not_wait(peer, run, package, sent):
    result = run("module", "install", package, "--detach")
    assert (result.exit_code, "uploaded  0 %" in result.stdout) == (0, True)
    assert not peer.requests("WatchOperation")


def test_one_that_is_under_way_is_joined(peer, run, package):
    peer.answers("CreateUpload", pb.CreateUploadResponse(upload=upload(len(CONTENT), complete=True)))
    peer.answers("InstallModule", pb.InstallModuleResponse(operation=Operation(name=NAME), joined=True))
    peer.answers("WatchOperation", STAGES)
    assert "under way already: 0f5c9d1e" in run("module", "install", package).stdout


def test_an_upgrade_is_of_what_was_seen(peer, run, bare, package, sent):
    bare("module", "init", "spare-parts")
    bare("module", "pack", "spare-parts")
    peer.answers("GetModule", pb.GetModuleResponse(module=Module(name="modules/spare-parts", generation=7)))
    peer.answers("WatchOperation", STAGES)
    result = run("module", "upgrade", "spare-parts-0.1.0.zip", "--allow-downgrade", "--allow-signer-change")
    assert result.exit_code == 0, result.stderr
    assert peer.requests("GetModule")[0].name == "modules/spare-parts"
    options = peer.requests("InstallModule")[0].options
    assert (options.expected_generation, options.allow_downgrade, options.allow_signer_change) == (7, True, True)


def test_what_is_not_installed_is_not_upgraded(peer, run, bare):
    bare("module", "init", "spare-parts")
    bare("module", "pack", "spare-parts")
    peer.answers("GetModule", peer.refusal(peer.NOT_FOUND, "MODULE_NOT_FOUND", "no such module"))
    result = run("module", "upgrade", "spare-parts-0.1.0.zip")
    assert (result.exit_code, "millwright module list" in result.stderr) == (3, True)
    assert not peer.requests("CreateUpload")


def test_a_file_that_is_not_there_is_told_before_anything_is_sent(peer, run):
    for verb in ("install", "upgrade"):
        result = run("module", verb, "nothing.zip")
        assert (result.exit_code, "UNREADABLE" in result.stderr) == (2, True)
    Path("other.zip").write_bytes(b"none")
    assert "BAD_PACKAGE" in run("module", "upgrade", "other.zip").stderr
    assert not peer.calls


def test_operations_are_listed_and_stopped(peer, run):
    operation = Operation(name=NAME, module="modules/quality", version="1.2.0", kind="KIND_INSTALL")
    operation.stage = 4
    operation.progress.percent = 62
    peer.answers("ListOperations", pb.ListOperationsResponse(operations=[operation]))
    result = run("module", "operations", "--open", "--module", "quality")
    assert (peer.requests("ListOperations")[0].module, peer.requests("ListOperations")[0].only_open) == (
        "modules/quality",
        True,
    )
    assert "0f5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11" in result.stdout
    assert "building" in result.stdout
    operation.stage = 8
    peer.answers("CancelOperation", pb.CancelOperationResponse(operation=operation))
    assert "■ cancelled  62 %  quality 1.2.0" in run("module", "cancel", NAME).stdout


def test_in_a_terminal_each_stage_is_a_bar(peer, typed, package, sent):
    peer.answers("WatchOperation", STAGES)
    code, drawn = typed("module", "install", package)
    assert code == 0
    last = drawn[drawn.rindex("sending") :]
    for stage in ("unpacking", "checking", "building", "going live"):
        line = next(line for line in last.splitlines() if stage in line)
        assert "━" in line
        assert "100 %" in line
    assert "completed" in last
