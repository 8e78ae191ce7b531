"""The manifests: every overlay renders, is what Kubernetes defines, and keeps what an operator relies on."""

import os
import re
import shutil
import subprocess
from collections import defaultdict
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from millwright_local.services import SERVICES
from millwright_workflow.settings import WorkflowSettings

from tests.deploy import needs

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
        assert all(key.startswith(f"MILLWRIGHT_{service.upper()}_") for key in environment_of(kinds, template))


def test_whoever_reads_a_setting_can_read_the_file_that_it_names(kinds, overlay):
    """The night and the migrations, too: they are given the settings of their service."""
    for name, template in templates(kinds):
        spec = template["spec"]
        [container] = spec["containers"]
        values = [*environment_of(kinds, template).values(), *(it["value"] for it in container.get("env", ()))]
        files = [Path(value) for value in values if value.startswith("/etc/")]
        assert overlay == "dev" or files, name
        mounts = {Path(it["mountPath"]) for it in container["volumeMounts"]}
        assert {file.parent for file in files} <= mounts, name
        if any("secret" in it for it in spec["volumes"]):
            assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"], name


def settings_of(kinds, name):
    """Give the settings of a deployment, without their prefix."""
    return settings_of_template(kinds, kinds["Deployment"][name]["spec"]["template"])


def settings_of_template(kinds, template):
    """Give the settings of a pod that its ConfigMap holds, without their prefix."""
    prefix = f"{name_of(template).upper().replace('-', '_')}_"
    return {key.removeprefix(prefix): value for key, value in environment_of(kinds, template).items()}


def environment_of(kinds, template):
    """Give the settings of a pod that its ConfigMap holds."""
    [container] = template["spec"]["containers"]
    [config] = [it["configMapRef"]["name"] for it in container["envFrom"] if "configMapRef" in it]
    return kinds["ConfigMap"][config]["data"]


def name_of(template):
    """Give the name of the service that a pod is of, such as millwright-etl."""
    return template["metadata"]["labels"]["app.kubernetes.io/name"]


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
        template = kinds["Deployment"][name]["spec"]["template"]
        [container] = template["spec"]["containers"]
        drain = needs.drain_seconds(name.rpartition("-")[2], environment_of(kinds, template))
        leaving = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert template["spec"]["terminationGracePeriodSeconds"] >= leaving + drain


def test_a_pod_has_the_memory_and_the_room_that_it_may_use(kinds):
    for name, template in templates(kinds):
        if "migrate" in name:
            continue
        service, given = name.rpartition("-")[2], environment_of(kinds, template)
        [container] = template["spec"]["containers"]
        assert needs.memory_bytes(service, given) <= bytes_of(container["resources"]["limits"]["memory"]), name
        [scratch] = [it["emptyDir"] for it in template["spec"]["volumes"] if "emptyDir" in it]
        assert "medium" not in scratch  # in memory, it would count
        assert needs.scratch_bytes(service, given) <= bytes_of(scratch["sizeLimit"]), name


@pytest.mark.parametrize("overlay", ["prod", "ha"])
def test_the_autoscaler_adds_a_replica_before_the_one_core_of_a_process_is_used(kinds):
    for name in NAMES:
        [container] = kinds["Deployment"][name]["spec"]["template"]["spec"]["containers"]
        [metric] = kinds["HorizontalPodAutoscaler"][name]["spec"]["metrics"]
        share = metric["resource"]["target"]["averageUtilization"] / 100
        assert cores_of(container["resources"]["requests"]["cpu"]) * share == pytest.approx(
            0.7
        )  # as docs/runbook.md says


def test_postgres_has_as_many_connections_as_the_page_says_when_there_is_most_of_everything(kinds, overlay):
    page = (ROOT / "docs/operations.md").read_text()
    allowed = int(re.search(rf"^\| `{overlay}` \|.*\| (\d+)[^|]*\|$", page, re.MULTILINE)[1])
    migrations = len([name for name in kinds["Job"] if "migrate" in name])
    most = (
        13 + migrations + connections_of(kinds, kinds["CronJob"]["millwright-night-etl"]["spec"]["jobTemplate"]["spec"])
    )
    for name in NAMES:
        spec = kinds["Deployment"][name]["spec"]
        replicas = kinds["HorizontalPodAutoscaler"][name]["spec"]["maxReplicas"]
        most += (replicas + spec["strategy"]["rollingUpdate"]["maxSurge"]) * connections_of(kinds, spec)
    assert most <= allowed
    assert overlay != "dev" or f"max_connections={allowed}" in str(kinds["Deployment"]["postgres"])


def connections_of(kinds, spec):
    """Give the connections of a process: those of its pool, and the one that asks whether the database answers."""
    return int(settings_of_template(kinds, spec["template"])["DATABASE_CONNECTIONS"]) + 1


@pytest.mark.parametrize("overlay", ["ha"])
def test_replicas_of_a_service_are_spread_evenly_over_machines_and_zones(kinds):
    for name in NAMES:
        template = kinds["Deployment"][name]["spec"]["template"]
        machines, zones = template["spec"]["topologySpreadConstraints"]
        assert (machines["topologyKey"], machines["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
        assert (zones["topologyKey"], zones["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "ScheduleAnyway")
        for it in (machines, zones):
            assert it["maxSkew"] == 1
            keys = {*it["labelSelector"]["matchLabels"], *it.get("matchLabelKeys", ())}
            assert "app.kubernetes.io/name" in keys  # of each service for itself


def cores_of(text):
    """Give the cores that Kubernetes means, as in 250m."""
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def bytes_of(text):
    """Give the bytes that Kubernetes means, as in 256Mi."""
    return int(text[:-2]) << {"Mi": 20, "Gi": 30}[text[-2:]]


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


def test_prometheus_scrapes_every_replica_once_under_the_name_that_the_alerts_know(kinds, overlay):
    monitors = kinds["ServiceMonitor"].values()
    assert len(monitors) == (0 if overlay == "dev" else 1)
    for monitor in monitors:
        label = monitor["spec"]["jobLabel"]
        (endpoint,) = monitor["spec"]["endpoints"]
        wanted = monitor["spec"]["selector"]["matchExpressions"]
        assert {it["operator"] for it in wanted} == {"In"}
        scraped = [
            service
            for service in kinds["Service"].values()
            if all(service["metadata"]["labels"].get(it["key"]) in it["values"] for it in wanted)
        ]
        assert sorted(service["metadata"]["labels"][label] for service in scraped) == sorted(NAMES)
        for service in scraped:
            assert service["metadata"]["namespace"] == monitor["metadata"]["namespace"]
            assert service["spec"]["clusterIP"] == "None"  # each pod has an address of its own
            (port,) = (it for it in service["spec"]["ports"] if it["name"] == endpoint["port"])
            assert port["targetPort"] in ("metrics", 9090)


def test_an_upgrade_deletes_and_awaits_the_migrations_and_no_night(kinds):
    night = kinds["CronJob"]["millwright-night-etl"]["spec"]["jobTemplate"]["metadata"]["labels"]
    page = (ROOT / "docs/operations.md").read_text()
    selectors = re.findall(r"^kubectl .*(?:delete|wait) .*\bjob -l (\S+)=(\S+)", page, re.MULTILINE)
    assert len(selectors) == 3
    for label, value in selectors:
        found = {name for name, it in kinds["Job"].items() if selects({label: value}, it["metadata"]["labels"])}
        assert found == {name.replace("millwright-", "millwright-migrate-") for name in NAMES}
        assert not selects({label: value}, night)


def test_everything_is_denied_but_what_a_policy_of_a_service_allows(kinds):
    policies = kinds["NetworkPolicy"]
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in NAMES:
        selector = policies[name]["spec"]["podSelector"]["matchLabels"]
        assert {
            pod.rpartition("-")[2] for pod, it in templates(kinds) if selects(selector, it["metadata"]["labels"])
        } == {name.rpartition("-")[2]}


def lets_out(policies, labels, port, address=None):
    """Tell whether pods with these labels may reach an address by TCP; without one, whether they may reach them all."""
    for policy in policies:
        spec = policy["spec"]
        if "Egress" in spec["policyTypes"] and selects(spec["podSelector"].get("matchLabels", {}), labels):
            for rule in spec.get("egress", ()):
                if covers(rule["ports"], port) and leads_to(rule.get("to"), address):
                    return True
    return False


def covers(ports, port):
    tcp = [it for it in ports if it.get("protocol", "TCP") == "TCP"]
    return any(it["port"] <= port <= it.get("endPort", it["port"]) for it in tcp)


def leads_to(peers, address):
    if peers is None:
        return True
    for block in [it["ipBlock"] for it in peers if "ipBlock" in it]:
        if address is not None and ip_address(address) in ip_network(block["cidr"]):
            return not any(ip_address(address) in ip_network(it) for it in block.get("except", ()))
    return False


def test_every_pod_reaches_what_its_settings_name(kinds):
    policies = kinds["NetworkPolicy"].values()
    for name, template in templates(kinds):
        labels = template["metadata"]["labels"]
        settings = settings_of_template(kinds, template).values()
        ports = {urlsplit(it).port or 443 for it in settings if re.match(r"\w+://", it)}
        assert {4222, 6379} <= ports
        for port in (*ports, 5432, 4317, 4318):
            assert lets_out(policies, labels, port), (name, port)
        assert any(
            rule.get("ports") == [{"port": 50051}]
            for rule in kinds["NetworkPolicy"][name_of(template)]["spec"]["egress"]
        )


@pytest.mark.parametrize("address", ["10.20.0.7", "192.168.3.4", "203.0.113.9", "fd12:3456::1"])
@pytest.mark.parametrize("port", [80, 443, 8080, 9000, 50051])
def test_workflows_reach_the_plant_and_nothing_else_of_ours_does(kinds, address, port):
    policies = kinds["NetworkPolicy"].values()
    reaching = {name for name, it in templates(kinds) if lets_out(policies, it["metadata"]["labels"], port, address)}
    assert "millwright-workflow" in reaching
    if port != 443:
        assert reaching == {"millwright-workflow"}


def test_no_policy_lets_workflows_out_to_what_is_denied_by_default(kinds):
    policies = kinds["NetworkPolicy"].values()
    labels = kinds["Deployment"]["millwright-workflow"]["spec"]["template"]["metadata"]["labels"]
    for network in WorkflowSettings.model_fields["denied_networks"].default.split(","):
        assert not lets_out(policies, labels, 80, str(ip_network(network)[0])), network


def test_ports_are_opened_and_narrowed_as_the_page_says(tmp_path):
    page = (ROOT / "docs/operations.md").read_text().partition("### Ports")[2].partition("\n## ")[0]
    patches = [
        it for block in re.findall(r"```yaml\n(.+?)```", page, re.DOTALL) for it in yaml.safe_load(block)["patches"]
    ]
    prod = os.path.relpath(ROOT / "deploy/kubernetes/overlays/prod", tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [prod], "patches": patches}))
    done = subprocess.run(["kubectl", "kustomize", tmp_path], capture_output=True, text=True, check=True)
    resources = [*yaml.safe_load_all(done.stdout)]
    policies = [it for it in resources if it["kind"] == "NetworkPolicy"]
    pods = {it["metadata"]["name"]: it["spec"]["template"] for it in resources if it["kind"] == "Deployment"}
    for name in NAMES:
        labels = pods[name]["metadata"]["labels"]
        assert lets_out(policies, labels, 6432)
        assert lets_out(policies, labels, 8443)
    labels = pods["millwright-workflow"]["metadata"]["labels"]
    assert lets_out(policies, labels, 8080, "10.20.0.7")
    assert not lets_out(policies, labels, 8080, "10.21.0.7")
