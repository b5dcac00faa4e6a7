"""Monitoring: what dashboard, alerts and configuration name exists where they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.gauges import Gauges
from service.problems import STATUS
from service.settings import Settings
from service.watching.telemetry import STAGES

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "docker" / "monitoring"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DASHBOARD = json.loads((MONITORING / "dashboards" / "earshot.json").read_text())
ALERTS = yaml.safe_load((MONITORING / "alerts.yml").read_text())
NAME = re.compile(r"\b(?:earshot|process)_[a-z_]+")
OF_PROMETHEUS = {"le", "job"}


def expressions() -> dict[str, str]:
    shown = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    alerts = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    return shown | {rule["alert"]: rule["expr"] for rule in alerts}


class Opened:
    """Stands for a collection that is open, with one item of each modality."""

    writable, write_failure = True, None

    class view:  # noqa: N801
        seq = 1
        model_id = "0" * 64
        sizes = segments = {"audio": 1, "visual": 1}  # noqa: RUF012
        shelves = {"audio": [], "visual": []}  # type: ignore[var-annotated]  # noqa: RUF012
        unserved: dict[str, int] = {}  # noqa: RUF012


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every sample at /metrics after one request of each kind, with its labels."""
    data = tmp_path_factory.mktemp("data")
    app = create_app(Settings(data=data), Opened())  # type: ignore[arg-type]
    runtime = app.state.runtime
    runtime.readiness.opened = True
    runtime.telemetry.request("GET", "/version", 200, 0.1)
    text = runtime.telemetry.render().decode()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("title", expressions())
def test_every_metric_and_label_named_is_served(
    title: str, served: dict[str, set[str]]
) -> None:
    expression = expressions()[title]
    names = NAME.findall(expression)
    if not names:
        assert expression.startswith("up{"), title
    assert set(names) <= set(served), title
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    labels = {label.strip() for part in grouped for label in part.split(",")}
    labels |= set(re.findall(r"[{,]\s*([a-z]+)=", expression))
    known = set().union(*(served[name] for name in names)) | OF_PROMETHEUS
    assert labels <= known, title


def test_every_legend_names_a_label(served: dict[str, set[str]]) -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            known = set().union(*(served[n] for n in NAME.findall(target["expr"])))
            assert named <= known, panel["title"]


def test_values_of_labels_that_alerts_name_exist() -> None:
    for expression in expressions().values():
        for code in re.findall(r'code="([^"]+)"', expression):
            assert code in STATUS
        for stage in re.findall(r'stage="([^"]+)"', expression):
            assert stage in STAGES


def test_a_metric_that_is_not_served_would_be_found_out(
    served: dict[str, set[str]],
) -> None:
    assert "earshot_requests_total" in served
    assert "earshot_requests" not in served
    assert "earshot_index_size" not in served


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in covered(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert all(0 <= x < 24 for x, _ in cells)


def covered(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


def test_prometheus_finds_the_service_and_its_key() -> None:
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert host in COMPOSE["services"]
    dockerfile = (ROOT / "docker" / "service.Dockerfile").read_text()
    assert f"EARSHOT_PORT={port}" in dockerfile
    assert job["metrics_path"] == "/metrics"
    prometheus = COMPOSE["services"]["prometheus"]
    secret = Path(job["authorization"]["credentials_file"]).name
    assert secret in prometheus["secrets"]
    assert secret in COMPOSE["secrets"]
    assert set(prometheus["networks"]) & set(COMPOSE["services"]["service"]["networks"])
    mounted = {volume.split(":")[1] for volume in prometheus["volumes"]}
    assert set(config["rule_files"]) <= mounted


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = MONITORING / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    (source,) = sources["datasources"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    providers = yaml.safe_load((provisioning / "dashboards" / "earshot.yml").read_text())
    path = providers["providers"][0]["options"]["path"]
    grafana = COMPOSE["services"]["grafana"]
    mounted = {v.split(":")[1]: v.split(":")[0] for v in grafana["volumes"]}
    assert (ROOT / mounted[path] / "earshot.json").is_file()
    password = Path(grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]).name
    assert password in grafana["secrets"]


def test_every_file_mounted_is_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./docker"):
                assert (ROOT / source).exists(), source


def test_what_has_no_value_is_left_out_before_the_collection_is_open() -> None:
    runtime = create_app(Settings()).state.runtime
    gauges = Gauges(
        runtime.readiness, runtime.lanes, runtime.settings.data, lambda: runtime.collection
    )
    names = {metric.name for metric in gauges.collect()}
    assert "earshot_ready" in names
    assert not names & {"earshot_view_seq", "earshot_data_free_bytes"}
