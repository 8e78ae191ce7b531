"""The alerts: each fires when it should and at no other time, and asks for what the services export."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from millwright_local.services import SERVICES

MONITORING = Path(__file__).parents[2] / "deploy/kubernetes/monitoring"
EXPORTED = """
import json, sys
from importlib import import_module
from prometheus_client import REGISTRY
import_module(sys.argv[1])
names = REGISTRY._collector_to_names
print(json.dumps([[sorted(names[it]), list(getattr(it, "_labelnames", ())), getattr(it, "_type", "")] for it in names]))
"""
TARGETS = {"job", "instance"}
"""Labels that Prometheus gives to what it scrapes."""
KUBE_STATE_METRICS = {
    "kube_cronjob_created": {"namespace", "cronjob"},
    "kube_cronjob_status_last_successful_time": {"namespace", "cronjob"},
    "kube_job_complete": {"namespace", "job_name", "condition"},
    "kube_job_failed": {"namespace", "job_name", "condition"},
    "kube_job_status_failed": {"namespace", "job_name", "reason"},
    "kube_job_status_start_time": {"namespace", "job_name"},
}
"""What kube-state-metrics documents."""


@pytest.fixture(scope="module")
def spec():
    """The groups of alerts, as Prometheus takes them."""
    return yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]


@pytest.fixture(scope="module")
def alerts(spec):
    return [rule for group in spec["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def cases():
    return yaml.safe_load((MONITORING / "alerts-test.yaml").read_text())["tests"]


@pytest.fixture(scope="module")
def exported():
    """The labels of each sample that there is, by its name: those of every service, of Prometheus and of Kubernetes."""
    found = {"up": TARGETS, **KUBE_STATE_METRICS}
    for service in SERVICES:
        command = [sys.executable, "-c", EXPORTED, f"millwright_{service.name}.app"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for names, labels, kind in json.loads(answer):
            bucket = {"le"} if kind == "histogram" else set()
            found |= {name: {*labels, *bucket, *TARGETS} for name in names}
    return found


def test_each_alert_fires_when_it_should_and_at_no_other_time(spec, tmp_path):
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    promtool = shutil.which("promtool") or shutil.which("promtool", path=Path(caches, "millwright/promtool"))
    if promtool is None:
        pytest.skip("promtool is not here: `make promtool` brings it where apt has Debian's package prometheus")
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(spec))
    shutil.copy(MONITORING / "alerts-test.yaml", tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", "alerts-test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_seen_to_fire_and_to_be_quiet(alerts, cases):
    seen = defaultdict(set)
    for case in cases:
        for it in case["alert_rule_test"]:
            seen[it["alertname"]].add(bool(it["exp_alerts"]))
    assert dict(seen) == {alert["alert"]: {True, False} for alert in alerts}


def test_what_alerts_and_dashboards_ask_for_is_exported(alerts, exported):
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert panels
    for expression in [*(alert["expr"] for alert in alerts), *panels]:
        found = dict(selected(expression))
        assert found, expression
        for name, labels in found.items():
            assert labels <= exported[name], expression


def test_the_cases_have_series_as_they_are_exported(cases, exported):
    """A case with a label that no service gives would prove nothing."""
    for case in cases:
        for it in case["input_series"]:
            [(name, labels)] = selected(it["series"])
            assert labels <= exported[name], it["series"]


def selected(expression):
    """Give the metrics that an expression names, and the labels that it selects each by."""
    for name, matchers in re.findall(r"\b((?:millwright|kube|process)_\w+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
