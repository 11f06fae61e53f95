"""`kubectl gpu list --all` and `--provider-only`, against an API server and a provider."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable

import pytest

from tests.unit.cli import objects
from tests.unit.cli.golden import assert_golden
from tests.unit.cli.objects import Object
from tests.unit.cli.test_command import ROOT, Api, Kubectl, Result, api, gpu, server, status

__all__ = ["api", "gpu", "server"]

KEY = "canary-of-a-key"
INVENTORY = "/gpu-instance/openapi/v1/gpu/instances"

Run = Callable[..., Result]


def listed(machine_id: str, name: str, state: str = "running", **fields: object) -> Object:
    """Return an entry of Novita's listing."""
    usual = {"clusterId": "us-ca-6", "productName": "RTX 4090 24GB", "gpuNum": "2", "billingMode": "onDemand"}
    return {"id": machine_id, "name": name, "status": state, **usual, **fields}


@pytest.fixture
def run(api: Api, gpu: Kubectl) -> Run:
    """Run a command whose Novita is the same server, which accepts any key."""
    secret = {"data": {"apiKey": b64encode(KEY.encode()).decode()}}
    api.answers["/api/v1/namespaces/team-a/secrets/novita-credentials"] = 200, secret
    missing = status(404, "NotFound", "not found", name="hostwinds-credentials")
    api.answers["/api/v1/namespaces/team-a/secrets/hostwinds-credentials"] = missing

    def command(*argv: str, **options: bool) -> Result:
        result = gpu(*argv, env={"GPUINSTANCE_NOVITA_BASE_URL": f"{api.url}/gpu-instance/openapi/v1"}, **options)
        assert KEY not in result.out + result.err
        return result

    return command


def provides(api: Api, *machines: Object) -> None:
    """Let the provider list these."""
    api.answers[INVENTORY] = 200, {"instances": list(machines), "total": len(machines)}


def test_both_sides_in_one_table(api: Api, run: Run) -> None:
    """The provider's state is shown; what each row is, and how many there are, is said."""
    api.holds(objects.ready())
    provides(api, listed("5f1c", objects.MACHINE["name"], "exited"), listed("m-1", "my-workstation"))
    result = run("list", "--all")
    assert result.code == 0
    assert_golden("list-all", result.out)
    assert result.err == "1 both, 0 resource, 1 provider; 1 differs, 1 foreign\n"


def test_the_cluster_answers_when_the_provider_does_not(api: Api, run: Run) -> None:
    """It is said aside, and is no failure."""
    api.holds(objects.ready())
    result = run("list", "--all")
    assert (result.code, result.out.splitlines()[1].split()[-2:]) == (0, ["not", "compared"])
    assert "novita was not read with Secret team-a/novita-credentials" in result.err
    only = run("list", "--provider-only")
    assert (only.code, only.out) == (1, "")


def test_without_a_flag_nobody_else_is_asked(api: Api, run: Run) -> None:
    """Neither Secrets nor providers."""
    api.holds(objects.ready())
    run("list")
    assert [target.partition("?")[0] for target in api.asked] == [f"{ROOT}/namespaces/team-a/gpuinstances"]


def test_machines_alone(api: Api, run: Run) -> None:
    """Each with whom it belongs to."""
    api.holds(objects.ready())
    provides(api, listed("5f1c", objects.MACHINE["name"]), listed("m-1", "gpui-x-gone-0badcafe-1"))
    result = run("list", "--provider-only")
    assert [line.split()[0] for line in result.out.splitlines()] == ["MACHINE", "5f1c", "m-1"]
    assert_golden("list-provider-only", result.out)
    assert result.err == "2 machines\n"
    assert run("list", "--provider-only", "-o", "name").out == ("gpuinstance.gpuinstance.dev/trainer\nnovita/m-1\n")


def test_an_instance_of_another_namespace_is_known_and_left_out(api: Api, run: Run) -> None:
    """Its machine is in the same account, and is not called an orphan."""
    api.holds(objects.ready())
    elsewhere = objects.instance("other", "team-b")
    elsewhere["metadata"]["uid"] = "0badcafe-0c5e-4d6a-9b7e-1f2a3b4c5d6e"
    api.answers[f"{ROOT}/gpuinstances"] = 200, {"metadata": {}, "items": [objects.ready(), elsewhere]}
    provides(api, listed("5f1c", objects.MACHINE["name"]), listed("m-1", "gpui-team-b-other-0badcafe-1"))
    result = run("list", "--all")
    assert [line.split()[0] for line in result.out.splitlines()] == ["NAME", "trainer"]
    assert "1 more in these accounts belong to instances of other namespaces (team-b/other): see -A" in result.err


def test_who_may_not_see_other_namespaces_is_told_what_that_means(api: Api, run: Run) -> None:
    """A machine with our mark may be somebody's there."""
    api.holds(objects.ready())
    api.answers[f"{ROOT}/gpuinstances"] = status(403, "Forbidden", "no")
    provides(api, listed("m-1", "gpui-team-b-other-0badcafe-1"))
    result = run("list", "--all")
    assert result.code == 0
    assert [re.split(r" {3,}", line)[-1] for line in result.out.splitlines()[1:]] == [
        "missing at provider",
        "resource not seen",
    ]
    assert "you may not list instances of other namespaces" in result.err


def test_data_for_programs(api: Api, run: Run) -> None:
    """Both sides and the verdict, without a key; what was not read is named in it."""
    api.holds(objects.ready())
    provides(api, listed("5f1c", objects.MACHINE["name"], createdAt="1768435200"))
    api.answers["/api/v1/namespaces/ops/secrets/shared"] = status(403, "Forbidden", "no")
    result = run("list", "--all", "-o", "json", "--credentials", "hostwinds=ops/shared")
    document = json.loads(result.out)
    [item] = document["items"]
    assert (item["source"], item["consistency"], item["differences"]) == ("both", "consistent", [])
    assert (item["resource"]["name"], item["machine"]["id"]) == ("trainer", "5f1c")
    assert item["machine"]["secrets"] == ["team-a/novita-credentials"]
    assert document["notRead"] == ["you may not read Secret ops/shared: its account at hostwinds is left out"]


def test_a_selector_is_the_api_servers_affair(api: Api, run: Run) -> None:
    """It chooses instances; machines have no labels."""
    api.holds(objects.ready())
    provides(api, listed("m-1", "mine"))
    assert run("list", "-l", "app=train").code == 0
    assert "labelSelector=app%3Dtrain" in api.asked[0]
    assert len(run("list", "--all", "-l", "app=train").out.splitlines()) == 2
    assert run("list", "--provider-only", "-l", "app=train").code == 2


def test_a_providers_text_drives_no_terminal(api: Api, run: Run) -> None:
    """Whatever it puts into ids and names."""
    api.holds()
    provides(api, listed("m\x1b[2J", "\x1b]0;title\x07"))
    for flags in ((), ("-o", "name"), ("-o", "json"), ("-o", "yaml"), ("-o", "wide")):
        assert "\x1b" not in run("list", "--provider-only", *flags).out


@pytest.mark.parametrize("bad", ["x", "novita=x", "novita=/x", "elsewhere=a/b"])
def test_bad_credentials(run: Run, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said how they are written."""
    with pytest.raises(SystemExit):
        run("list", "--all", "--credentials", bad)
    assert "is not PROVIDER=NAMESPACE/NAME" in capsys.readouterr().err
