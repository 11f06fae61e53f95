"""Parts of the chart, each held against what it is made for: simulator, network, alerts, guard, notes, manifests."""

from __future__ import annotations

import ast
import re

import pytest
import yaml

from gpuinstance_simulator import options as command_line
from gpuinstance_simulator.providers import PROVIDERS
from tests.chart.helm import CHART, NAME, ROOT, Helm, containers, one
from tests.chart.sets import SETS
from tests.prometheus.rules import alerts


def test_the_network_policy_opens_what_the_settings_allow(helm: Helm) -> None:
    """Health checks reach any port of public addresses, and other networks only where the settings name them."""
    egress = one(helm.manifests(values=SETS["everything"]), "NetworkPolicy")["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in egress for peer in rule.get("to", ()) if "ipBlock" in peer]
    allowed = {block["cidr"] for block in blocks}
    assert {"10.20.0.0/16", "fd00:20::/32", "192.0.2.0/24", "198.51.100.7/32"} <= allowed
    (everywhere,) = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(everywhere["except"])
    assert "203.0.112.0/22" in everywhere["except"]
    (everywhere_else,) = [block for block in blocks if block["cidr"] == "::/0"]
    assert "2001:db9::/48" in everywhere_else["except"]
    closed = one(helm.manifests(values={"networkPolicy": {"healthChecks": False}}), "NetworkPolicy")["spec"]["egress"]
    assert all("ports" in rule for rule in closed)


def test_a_simulated_provider_is_all_that_is_called(helm: Helm) -> None:
    """In a trial both providers are the simulator's Service, and what it publishes may be reached."""
    rendered = helm.manifests(values=SETS["simulator"])
    (operator,) = containers(one(rendered, "Deployment"))
    env = {it["name"]: it["value"] for it in operator["env"]}
    service = one(rendered, "Service", f"{NAME}-simulator")
    ports = {it["name"]: it["port"] for it in service["spec"]["ports"]}
    host = f"http://{NAME}-simulator"
    assert env["GPUINSTANCE_NOVITA_BASE_URL"] == f"{host}:{ports['novita']}/gpu-instance/openapi/v1"
    assert env["GPUINSTANCE_HOSTWINDS_BASE_URL"] == f"{host}:{ports['hostwinds']}/cloud/api.php"
    assert "10.0.0.0/8" in env["GPUINSTANCE_PROBE_ALLOWED_NETWORKS"]
    simulator = one(rendered, "Deployment", f"{NAME}-simulator")
    assert service["spec"]["selector"].items() <= simulator["spec"]["template"]["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() & one(rendered, "Service")["spec"]["selector"].items()
    assert service["spec"]["selector"] != one(rendered, "Service")["spec"]["selector"]


def test_the_alerts_are_those_of_the_project(helm: Helm) -> None:
    """The rule in the chart holds every alert, with links that lead to the runbooks of your copy."""
    rule = one(helm.manifests(values=SETS["everything"]), "PrometheusRule")
    shipped = {it["alert"]: it for group in rule["spec"]["groups"] for it in group["rules"]}
    assert shipped.keys() == alerts().keys()
    copy = "https://git.example.com/operator/"
    links = {it["annotations"]["runbook_url"] for it in shipped.values()}
    assert all(link.startswith(f"{copy}docs/runbooks/") for link in links)
    assert [link for link in links if not (ROOT / link.removeprefix(copy)).exists()] == []


def test_kustomize_makes_the_same_of_the_manifests(helm: Helm) -> None:
    """deploy/ as a base holds what deploy/install.yaml holds, and that is what the chart makes of its defaults."""
    plain = [it for it in yaml.safe_load_all((ROOT / "deploy/install.yaml").read_text()) if it]
    rendered = helm.manifests("--no-hooks")
    names = {(it["kind"], it["metadata"]["name"]) for it in plain}
    assert {(it["kind"], it["metadata"]["name"]) for it in rendered} <= names
    base = yaml.safe_load((ROOT / "deploy/kustomization.yaml").read_text())
    assert base["resources"] == ["install.yaml"]
    assert base["images"][0]["name"] == containers(one(plain, "Deployment"))[0]["image"].partition(":")[0]
    assert "Helm" not in (ROOT / "deploy/install.yaml").read_text()


def test_the_guard_is_a_program_for_the_image() -> None:
    """It imports nothing that the operator's image does not hold."""
    tree = ast.parse((CHART / "files/guard.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"sys", "kubernetes", "kubernetes.client.exceptions", "urllib3.exceptions"}


def test_the_simulator_is_started_with_options_that_it_knows(helm: Helm) -> None:
    """The arguments in the chart are options of the program."""
    for container in containers(one(helm.manifests(values=SETS["simulator"]), "Deployment", f"{NAME}-simulator")):
        arguments = [it.replace("$(POD_IP)", "192.0.2.7").replace("$(API_KEY)", "key") for it in container["args"]]
        provider = PROVIDERS[container["name"]]
        options = command_line.parser(provider, "key").parse_args(arguments)
        assert (options.provider, options.speed) == (container["name"], 20)


@pytest.mark.parametrize(
    ("repository", "warned"), [("gpu-instance-operator", True), ("registry.example.com/gpu-instance-operator", False)]
)
def test_the_notes_warn_of_an_image_that_nobody_can_pull(helm: Helm, repository: str, warned: bool) -> None:
    """Whoever forgot where the image is learns it from helm, and not from pods that do not start."""
    options = ("--dry-run=client", "--set", f"image.repository={repository}")
    said = helm("install", NAME, str(CHART), "--namespace", NAME, *options)
    notes = said[said.index("NOTES:") :]
    assert ("names no registry" in notes) is warned
    assert "\n\n\n" not in notes


def test_the_manifest_in_the_notes_is_one() -> None:
    """What the notes tell a person to apply has the fields of the example."""
    notes = (CHART / "templates/NOTES.txt").read_text()
    found = re.search(r"<<EOF\n(.*?)\nEOF\n", notes, re.DOTALL)
    assert found is not None
    shown = yaml.safe_load(found[1])
    assert (shown["kind"], shown["spec"]["product"]) == ("GPUInstance", {"name": "RTX 4090 24GB"})
