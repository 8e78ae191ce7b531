"""The manifests: every overlay renders, is what Kubernetes defines, and keeps what an operator relies on."""

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from millwright_local.services import SERVICES

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "prod", "ha")
NAMES = [f"millwright-{service.name}" for service in SERVICES]

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Render and check every overlay; give their resources by overlay and kind."""
    out = tmp_path_factory.mktemp("manifests")
    done = subprocess.run([ROOT / "deploy/kubernetes/render", out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for overlay in OVERLAYS:
        kinds = defaultdict(dict)
        for it in yaml.safe_load_all((out / f"{overlay}.yaml").read_text()):
            kinds[it["kind"]][it["metadata"]["name"]] = it
        found[overlay] = kinds
    return found


@pytest.fixture(params=OVERLAYS)
def overlay(request):
    """Give the name of each overlay."""
    return request.param


@pytest.fixture
def kinds(overlay, rendered):
    """Give the resources of an overlay by kind and name."""
    return rendered[overlay]


def templates(kinds):
    """Give the template of each pod that is ours."""
    for kind in ("Deployment", "Job"):
        for name, it in kinds[kind].items():
            if name.startswith("millwright-"):
                yield name, it["spec"]["template"]
    for name, it in kinds["CronJob"].items():
        yield name, it["spec"]["jobTemplate"]["spec"]["template"]


def selects(selector, labels):
    return selector.items() <= labels.items()


def test_every_service_is_deployed_migrated_and_kept_up(kinds):
    for name in NAMES:
        assert name in kinds["Deployment"]
        assert name.replace("millwright-", "millwright-migrate-") in kinds["Job"]
        assert name in kinds["PodDisruptionBudget"]
        assert kinds["HorizontalPodAutoscaler"][name]["spec"]["scaleTargetRef"]["name"] == name


def test_no_address_leads_to_another_service_or_to_a_job(kinds):
    for name, service in kinds["Service"].items():
        if not name.startswith("millwright-"):
            continue
        found = [pod for pod, it in templates(kinds) if selects(service["spec"]["selector"], it["metadata"]["labels"])]
        assert found == [f"millwright-{name.rpartition('-')[2]}"]


def test_nothing_of_ours_runs_with_more_rights_than_it_needs(kinds):
    for name, template in templates(kinds):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True, name
            assert rights["allowPrivilegeEscalation"] is False, name
            assert rights["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name


def test_no_service_sees_the_secrets_of_another_or_of_its_own_migration(kinds, overlay):
    for name, template in templates(kinds):
        service = name.rpartition("-")[2]
        [container] = template["spec"]["containers"]
        secrets = {it["secretRef"]["name"] for it in container["envFrom"] if "secretRef" in it}
        own = {f"millwright-{service}"}
        assert secrets == (own | {f"millwright-{service}-migration"} if "migrate" in name else own)
        keys = {it["secret"]["secretName"] for it in template["spec"]["volumes"] if "secret" in it}
        calls_others = name in ("millwright-workflow", "millwright-modules")
        expected = {f"{name}-keys"} if calls_others else set()
        if overlay != "dev":
            expected.add(f"millwright-{service}-tls")
        assert keys == expected


def test_settings_are_those_of_the_service(kinds):
    for name, template in templates(kinds):
        service = name.rpartition("-")[2]
        [container] = template["spec"]["containers"]
        [config] = [it["configMapRef"]["name"] for it in container["envFrom"] if "configMapRef" in it]
        assert all(key.startswith(f"MILLWRIGHT_{service.upper()}_") for key in kinds["ConfigMap"][config]["data"])


def test_whoever_reads_a_setting_can_read_the_file_that_it_names(kinds, overlay):
    """The night and the migrations, too: they are given the settings of their service."""
    for name, template in templates(kinds):
        spec = template["spec"]
        [container] = spec["containers"]
        [config] = [it["configMapRef"]["name"] for it in container["envFrom"] if "configMapRef" in it]
        values = [*kinds["ConfigMap"][config]["data"].values(), *(it["value"] for it in container.get("env", ()))]
        files = [Path(value) for value in values if value.startswith("/etc/")]
        assert overlay == "dev" or files, name
        mounts = {Path(it["mountPath"]) for it in container["volumeMounts"]}
        assert {file.parent for file in files} <= mounts, name
        if any("secret" in it for it in spec["volumes"]):
            assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"], name


def settings_of(kinds, name):
    """Give the settings of a deployment, without their prefix."""
    [container] = kinds["Deployment"][name]["spec"]["template"]["spec"]["containers"]
    data = kinds["ConfigMap"][container["envFrom"][0]["configMapRef"]["name"]]["data"]
    return {key.removeprefix(f"MILLWRIGHT_{name.rpartition('-')[2].upper()}_"): value for key, value in data.items()}


@pytest.mark.parametrize("overlay", ["prod", "ha"])
def test_grpc_is_in_tls_by_files_of_the_services_own_secret(kinds):
    for name in NAMES:
        spec = kinds["Deployment"][name]["spec"]["template"]["spec"]
        [volume] = [it["name"] for it in spec["volumes"] if it.get("secret", {}).get("secretName") == f"{name}-tls"]
        [mount] = [it["mountPath"] for it in spec["containers"][0]["volumeMounts"] if it["name"] == volume]
        settings = settings_of(kinds, name)
        assert (settings["TLS_CERTIFICATE"], settings["TLS_KEY"]) == (f"{mount}/tls.crt", f"{mount}/tls.key")
        if any(setting in settings for setting in ("JUDGMENT_ENDPOINT", "ETL_ENDPOINT")):
            assert settings["SERVICES_CA"] == f"{mount}/ca.crt"


def test_probes_ask_in_plaintext_at_a_port_that_no_policy_opens(kinds):
    for name in NAMES:
        [container] = kinds["Deployment"][name]["spec"]["template"]["spec"]["containers"]
        port = int(settings_of(kinds, name)["HEALTH_LISTEN"].rpartition(":")[2])
        assert {container[f"{kind}Probe"]["grpc"]["port"] for kind in ("startup", "readiness", "liveness")} == {port}
        [health] = [it["name"] for it in container["ports"] if it["containerPort"] == port]
        opened = [it for rule in kinds["NetworkPolicy"][name]["spec"]["ingress"] for it in rule["ports"]]
        assert opened
        assert not [it for it in opened if it["port"] in (health, port)]


def test_a_pod_is_left_alone_for_as_long_as_it_drains(kinds):
    for name in NAMES:
        spec = kinds["Deployment"][name]["spec"]["template"]["spec"]
        [container] = spec["containers"]
        settings = kinds["ConfigMap"][container["envFrom"][0]["configMapRef"]["name"]]["data"]
        drain = float(next(value for key, value in settings.items() if key.endswith("_DRAIN_SECONDS")))
        assert spec["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] + 2 * drain


def test_readiness_asks_for_what_the_stack_asks_for(kinds):
    for service in SERVICES:
        [container] = kinds["Deployment"][f"millwright-{service.name}"]["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["grpc"]["service"] == service.health


def test_the_night_is_at_two_in_seoul_and_when_six_oclock_plants_are_done_once_and_never_given_up(kinds):
    spec = kinds["CronJob"]["millwright-night-etl"]["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 2,7 * * *", "Asia/Seoul", "Forbid")
    assert spec["startingDeadlineSeconds"] >= 3600
    [container] = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run", "--due"]


def test_everything_is_denied_but_what_a_policy_of_a_service_allows(kinds):
    policies = kinds["NetworkPolicy"]
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in NAMES:
        selector = policies[name]["spec"]["podSelector"]["matchLabels"]
        assert {
            pod.rpartition("-")[2] for pod, it in templates(kinds) if selects(selector, it["metadata"]["labels"])
        } == {name.rpartition("-")[2]}
