"""What a deployment promises, read from the files that make it."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVED = ["service", "proxy", "prometheus", "grafana"]


@pytest.mark.parametrize("name", SERVED)
def test_containers_have_no_more_rights_than_they_need(name: str) -> None:
    container = COMPOSE["services"][name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    assert container["mem_limit"]
    assert container["pids_limit"]


def test_what_is_published_is_on_loopback_by_default() -> None:
    published = {
        name: c["ports"] for name, c in COMPOSE["services"].items() if "ports" in c
    }
    assert published == {
        "proxy": ["${EARSHOT_BIND:-127.0.0.1}:${EARSHOT_PORT:-8000}:8080"],
        "grafana": [
            "${EARSHOT_GRAFANA_BIND:-127.0.0.1}:${EARSHOT_GRAFANA_PORT:-3000}:3000"
        ],
    }
    for name in ("prometheus", "grafana"):
        assert COMPOSE["services"][name]["profiles"] == ["monitoring"]
    assert COMPOSE["services"]["service"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_compose_needs_keys() -> None:
    keys = COMPOSE["services"]["service"]["environment"]["EARSHOT_API_KEYS"]
    assert keys.startswith("${EARSHOT_API_KEYS:?")


def test_the_service_image_has_no_torch_no_root_and_a_health_check() -> None:
    lines = (ROOT / "docker" / "service.Dockerfile").read_text().splitlines()
    installed = next(line for line in lines if "pip install" in line)
    assert '".[service,frontends]"' in installed
    assert "-c constraints.txt" in installed
    assert not any(line.startswith("COPY training") for line in lines)
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    health = lines[next(n for n, line in enumerate(lines) if "HEALTHCHECK" in line) + 1]
    assert "/readyz" in health


def test_proxy_has_deadlines_and_a_body_limit() -> None:
    text = (ROOT / "docker" / "proxy" / "nginx.conf").read_text()
    settings = dict(re.findall(r"^ +(\w+) (.+?);", text, re.MULTILINE))
    assert settings["client_header_timeout"] == "10s"
    assert settings["client_body_timeout"] == "10s"
    assert settings["client_max_body_size"] == "65m"
    assert settings["proxy_request_buffering"] == "on"
