"""Every wrong setting is named before the process ends."""

import pytest
from millwright_runtime import settings
from runtime_sample.service import SampleSettings

GOOD = {
    "DATABASE_URL": "postgresql://sample@db/sample",
    "JWKS": "/keys/jwks.json",
    "JWT_ISSUER": "https://issuer",
}


ENCODE = "percent-encode the signs in its password"


@pytest.fixture
def environment(monkeypatch):
    """Set the sample's settings, the good ones at first."""

    def change(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"MILLWRIGHT_SAMPLE_{name}", value)

    change(**GOOD)
    return change


def test_what_must_be_set_suffices(environment):
    loaded = settings.load(SampleSettings)
    assert loaded.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert loaded.listen == "0.0.0.0:50051"


def test_every_setting_that_is_missing_is_named_and_the_exit_code_is_2(capsys):
    with pytest.raises(SystemExit) as caught:
        settings.load(SampleSettings)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines() == [f"MILLWRIGHT_SAMPLE_{name}: is not set" for name in GOOD]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LISTEN", "50051", "must be HOST:PORT, such as 0.0.0.0:50051"),
        ("LISTEN", "host:70000", "must be HOST:PORT, such as 0.0.0.0:50051"),
        ("METRICS_LISTEN", ":9090", "must be HOST:PORT, such as 0.0.0.0:50051"),
        ("DATABASE_URL", "mysql://db", "must be a URL that begins with postgresql://"),
        ("MIGRATION_DATABASE_URL", "db", "must be a URL that begins with postgresql://"),
        ("DATABASE_URL", "postgresql://me:hun/ter2@db/x", f"has a port that is no number: {ENCODE}"),
        ("NATS_URL", "nats://me:hun#ter2@nats:4222", f"has a port that is no number: {ENCODE}"),
        ("VALKEY_URL", "redis://:hun?ter2@valkey/0", f"has a port that is no number: {ENCODE}"),
        ("NATS_URL", "localhost:4222", "must be a URL that begins with nats://"),
        ("VALKEY_URL", "http://valkey", "must be a URL that begins with redis://"),
        ("HEALTH_LISTEN", "50061", "must be HOST:PORT, such as 0.0.0.0:50051"),
        ("TLS_KEY", "/tls/tls.key", "must be set where TLS_CERTIFICATE is, and nowhere else"),
        ("TLS_CLIENT_CA", "/tls/ca.crt", "needs TLS_CERTIFICATE: there are no clients' certificates without TLS"),
        ("LOG_LEVEL", "LOUD", "Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("DATABASE_CONNECTIONS", "many", "Input should be a valid integer, unable to parse string as an integer"),
        ("DATABASE_CONNECTIONS", "1", "Input should be greater than or equal to 2"),
        ("DRAIN_SECONDS", "-1", "Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(environment, capsys, name, value, expected):
    environment(**{name: value})
    with pytest.raises(SystemExit):
        settings.load(SampleSettings)
    assert capsys.readouterr().err == f"MILLWRIGHT_SAMPLE_{name}: {expected}\n"


def test_a_certificate_without_its_key_is_named(environment, capsys):
    environment(TLS_CERTIFICATE="/tls/tls.crt")
    with pytest.raises(SystemExit):
        settings.load(SampleSettings)
    expected = "MILLWRIGHT_SAMPLE_TLS_KEY: must be set where TLS_CERTIFICATE is, and nowhere else\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://me:a%2Fb@one:5432,two:5433/sample?target_session_attrs=primary"),
        ("DATABASE_URL", "postgresql://me:p@ss@[::1]:5432/sample"),
        ("DATABASE_URL", "postgresql://me@/sample?host=/run/postgres"),
        ("NATS_URL", "nats://me:secret@one:4222,nats://two:4222"),
        ("VALKEY_URL", "unix:///run/valkey.sock"),
    ],
)
def test_urls_of_every_form_are_taken(environment, name, url):
    environment(**{name: url})
    assert getattr(settings.load(SampleSettings), name.lower()).get_secret_value() == url


def test_secrets_do_not_show(environment):
    environment(DATABASE_URL="postgresql://sample:hunter2@db/sample")
    assert "hunter2" not in repr(settings.load(SampleSettings))


@pytest.mark.parametrize("level", ["debug", "Warning", "ERROR"])
def test_a_log_level_is_written_in_any_case(environment, level):
    environment(LOG_LEVEL=level)
    assert settings.load(SampleSettings).log_level == level.upper()


def test_the_limits_of_tenants_are_read_as_json_and_a_wrong_one_is_named(environment, capsys):
    environment(TENANT_LIMIT='{"calls_per_second": 50}', TENANT_LIMITS='{"big": {"writes_per_second": 5}}')
    loaded = settings.load(SampleSettings)
    assert loaded.tenant_limit.calls_per_second == 50
    assert loaded.tenant_limits["big"].writes_per_second == 5
    environment(TENANT_LIMITS='{"big": {"calls_per_second": 0}}')
    with pytest.raises(SystemExit):
        settings.load(SampleSettings)
    assert "MILLWRIGHT_SAMPLE_TENANT_LIMITS" in capsys.readouterr().err
