"""What is fit takes the place of what is in use; what is not never does, and is told of."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from millwright_local.testing.certificates import Authority
from millwright_runtime import metrics
from millwright_runtime.certificates import Certificates, CertificateUnusable, Files

ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMARKOFTHEKEY\n-----END ENCRYPTED PRIVATE KEY-----\n"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def issued(authority, tmp_path):
    return authority.issue(tmp_path / "tls")


@pytest.fixture
def files(issued):
    return Files(issued.certificate, issued.key, issued.ca)


@pytest.fixture
def certificates(files):
    return Certificates("test", files)


def value(metric):
    return metric.labels("test")._value.get()


async def test_a_new_pair_takes_the_place_of_the_old_one_with_its_expiry(certificates, authority, issued):
    old = certificates.current
    authority.issue(issued.certificate.parent, expires_in=timedelta(hours=5))
    await certificates.refresh()
    assert certificates.current != old
    assert certificates.current.chain == issued.certificate.read_bytes()
    left = value(metrics.CERTIFICATE_EXPIRY) - datetime.now(UTC).timestamp()
    assert 4.9 * 3600 < left < 5 * 3600


async def test_files_that_did_not_change_stay_what_they_are(certificates, authority, issued):
    old = certificates.current
    await certificates.refresh()
    assert certificates.current is old


async def test_a_secret_that_kubernetes_swaps_is_seen(authority, tmp_path):
    """Its files are links into a directory that is itself a link, which is moved to another one."""
    authority.issue(tmp_path / "..1")
    (tmp_path / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    certificates = Certificates("test", Files(tmp_path / "tls.crt", tmp_path / "tls.key"))
    newer = authority.issue(tmp_path / "..2")
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    await certificates.refresh()
    assert certificates.current.chain == newer.certificate.read_bytes()


def no_certificate(authority, issued):
    issued.certificate.write_text("none")
    return f"{issued.certificate} holds no certificate in PEM, or a broken one"


def no_key(authority, issued):
    issued.key.write_text("none")
    return f"{issued.key} holds no private key in PEM, or an encrypted one"


def encrypted_key(authority, issued):
    issued.key.write_text(ENCRYPTED)
    return f"{issued.key} holds no private key in PEM, or an encrypted one"


def key_of_another(authority, issued):
    other = authority.issue(issued.key.parent / "other")
    issued.key.write_bytes(other.key.read_bytes())
    return f"{issued.key} is not the key of the certificate in {issued.certificate}"


def expired(authority, issued):
    authority.issue(issued.certificate.parent, expires_in=timedelta(seconds=-1))
    return f"{issued.certificate} expired at "


def no_authority(authority, issued):
    issued.ca.write_text("")
    return f"{issued.ca} holds no certificate in PEM, or a broken one"


def missing(authority, issued):
    issued.key.unlink()
    return f"{issued.key} cannot be read: No such file or directory"


BREAKINGS = (no_certificate, no_key, encrypted_key, key_of_another, expired, no_authority, missing)


@pytest.mark.parametrize("break_it", BREAKINGS)
def test_nothing_begins_with_what_is_unfit(authority, issued, files, break_it):
    fault = break_it(authority, issued)
    with pytest.raises(CertificateUnusable) as caught:
        Certificates("test", files)
    assert str(caught.value).startswith(fault)
    assert "MARK" not in str(caught.value)


@pytest.mark.parametrize("break_it", BREAKINGS)
async def test_what_is_unfit_leaves_the_old_in_use_and_is_told_once_and_counted(
    certificates, authority, issued, caplog, break_it
):
    old, failures = certificates.current, value(metrics.CERTIFICATE_FAILURES)
    fault = break_it(authority, issued)
    for _ in range(4):
        await certificates.refresh()
    assert certificates.current is old
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.fault.startswith(fault)
    assert value(metrics.CERTIFICATE_FAILURES) == failures + 3  # the first may be a pair that is being written
    authority.issue(issued.certificate.parent)
    await certificates.refresh()
    assert certificates.current.chain == issued.certificate.read_bytes()


async def test_a_pair_that_is_being_written_is_no_fault(certificates, authority, issued, caplog):
    newer = authority.issue(issued.key.parent / "newer")
    failures = value(metrics.CERTIFICATE_FAILURES)
    newer.certificate.replace(issued.certificate)
    await certificates.refresh()
    newer.key.replace(issued.key)
    await certificates.refresh()
    assert certificates.current.key == issued.key.read_bytes()
    assert value(metrics.CERTIFICATE_FAILURES) == failures
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_certificate_whose_time_has_not_come_waits_for_it(authority, files, issued):
    now = datetime.now(UTC)
    with pytest.raises(CertificateUnusable, match="is not valid before"):
        Certificates("test", files, now=lambda: now - timedelta(days=2))


def test_contents_do_not_show(certificates):
    assert "PRIVATE" not in repr(certificates.current)
