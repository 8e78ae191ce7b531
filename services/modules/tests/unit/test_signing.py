"""Signatures: who signed, and which file was changed."""

import hashlib

import pytest
from millwright_modules.domain import signing
from millwright_modules.domain.signing import FileHash, Policy
from module_samples.packages import KEY, STRANGE_KEY, files

TRUSTED = {"ours": KEY.public_key().public_bytes_raw()}
FILES = {path: FileHash(len(content), hashlib.sha256(content).digest()) for path, content in files().items()}
SIGNED = signing.sign(FILES, "ours", KEY)


def faults(statement, contents=FILES, trusted=TRUSTED):
    """Reason and path of each problem under ENFORCE."""
    verdict = signing.verify(statement, contents, trusted, Policy.ENFORCE)
    assert bool(verdict.signer) != bool(verdict.problems)
    return [(problem.reason.value, problem.path) for problem in verdict.problems]


def test_a_good_signature_names_its_signer():
    assert signing.verify(SIGNED, FILES, TRUSTED, Policy.ENFORCE) == signing.Verdict("ours", ())


def test_the_file_that_was_changed_is_named():
    changed = FILES | {"src/page.tsx": FileHash(len(files()["src/page.tsx"]), hashlib.sha256(b"evil").digest())}
    (problem,) = signing.verify(SIGNED, changed, TRUSTED, Policy.ENFORCE).problems
    assert (problem.reason, problem.path) == ("HASH_MISMATCH", "src/page.tsx")
    assert problem.expected == FILES["src/page.tsx"].digest.hex()
    assert problem.found == hashlib.sha256(b"evil").hexdigest()


def test_files_that_came_or_went_are_named():
    others = {path: file for path, file in FILES.items() if path != "src/page.css"} | {
        "evil.js": FileHash(0, bytes(32))
    }
    assert faults(SIGNED, others) == [("SIGNED_FILE_MISSING", "src/page.css"), ("FILE_NOT_SIGNED", "evil.js")]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (None, "UNSIGNED"),
        ({}, "SIGNATURE_MALFORMED"),
        ([], "SIGNATURE_MALFORMED"),
        (SIGNED | {"files": {"a": {"bytes": True, "sha256": "00" * 32}}}, "SIGNATURE_MALFORMED"),
        (SIGNED | {"extra": 1}, "SIGNATURE_MALFORMED"),
        (SIGNED | {"key": "unknown"}, "SIGNER_UNKNOWN"),
        (SIGNED | {"signature": "AAAA"}, "SIGNATURE_INVALID"),
        (SIGNED | {"signature": "no base64"}, "SIGNATURE_INVALID"),
        (signing.sign(FILES, "ours", STRANGE_KEY), "SIGNATURE_INVALID"),
    ],
)
def test_what_is_no_good_signature_is_refused(statement, reason):
    assert faults(statement) == [(reason, signing.FILE)]


def test_a_list_that_was_changed_with_the_file_is_refused():
    evil = FileHash(4, hashlib.sha256(b"evil").digest())
    changed = FILES | {"src/page.tsx": evil}
    forged = signing.sign(changed, "ours", STRANGE_KEY) | {"signature": SIGNED["signature"]}
    assert faults(forged, changed) == [("SIGNATURE_INVALID", signing.FILE)]


@pytest.mark.parametrize(
    "name",
    ["a\x001\x00" + "00" * 32 + "\nb", "a 1 " + "00" * 32 + "\n1:b"],
)
def test_names_and_sizes_cannot_run_into_one_another(name):
    signed = {"a": FileHash(1, bytes(32)), "b": FileHash(2, bytes(32))}
    other = {name: FileHash(2, bytes(32))}
    moved = signing.sign(other, "ours", KEY) | {"signature": signing.sign(signed, "ours", KEY)["signature"]}
    assert faults(moved, other) == [("SIGNATURE_INVALID", signing.FILE)]


@pytest.mark.parametrize(
    ("policy", "severities"), [(Policy.OFF, []), (Policy.WARN, ["WARNING"]), (Policy.ENFORCE, ["ERROR"])]
)
def test_the_policy_says_what_an_unsigned_package_is(policy, severities):
    verdict = signing.verify(None, FILES, TRUSTED, policy)
    assert [problem.severity.value for problem in verdict.problems] == severities
    assert verdict.signer == ""


def test_a_public_key_has_32_bytes():
    assert signing.is_public_key(TRUSTED["ours"])
    assert not signing.is_public_key(b"short")


@pytest.mark.parametrize("policy", Policy)
def test_a_frontend_that_was_built_before_needs_a_good_signature_whatever_the_policy(policy):
    bare = signing.verify(None, FILES, TRUSTED, policy, is_prebuilt=True)
    assert [(problem.reason, problem.severity) for problem in bare.problems] == [
        ("PREBUILT_UNSIGNED", "ERROR"),
        ("UNSIGNED", "ERROR"),
    ]
    assert signing.verify(SIGNED, FILES, TRUSTED, policy, is_prebuilt=True) == signing.Verdict("ours", ())
