"""The Kubernetes files each project ships: valid, locked down, and of one piece."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from services import absent
from trees import rendered

from scaffold.stacks import stacks
from scaffold.variants import variant

Resource = dict[str, Any]
FOLDER = "deploy/kubernetes/"
NEWEST = 3
VARIANTS = [
    (stack, database) for stack in stacks() for database in ("sqlite", "postgresql", "mysql")
]


class Overlay:
    """What a variant ships, as kustomize would read it."""

    def __init__(self, tree: dict[str, bytes]) -> None:
        self.tree = tree
        self.files = {
            name.removeprefix(FOLDER): list(yaml.safe_load_all(data))
            for name, data in tree.items()
            if name.startswith(FOLDER)
        }
        (self.kustomization,) = self.files.pop("kustomization.yaml")
        (self.secret,) = self.files.pop("secret.example.yaml")
        (generated,) = self.kustomization["configMapGenerator"]
        pairs = (literal.partition("=") for literal in generated["literals"])
        self.settings = {name: value for name, _, value in pairs}
        self.config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": generated["name"]},
            "data": self.settings,
        }
        listed = [each for name in self.kustomization["resources"] for each in self.files[name]]
        self.resources: list[Resource] = [*listed, self.config, self.secret]

    def kinds(self) -> set[str]:
        return {each["kind"] for each in self.resources}

    def the(self, kind: str) -> Resource:
        (found,) = (each for each in self.resources if each["kind"] == kind)
        return found

    def pods(self) -> Iterator[Resource]:
        """The pod templates' specs."""
        for each in self.resources:
            if each["kind"] in {"Deployment", "Job"}:
                yield each["spec"]["template"]["spec"]


@pytest.fixture(scope="module", params=VARIANTS, ids="-".join)
def overlay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Overlay:
    stack, database = request.param
    target = tmp_path_factory.mktemp("kubernetes") / "project"
    return Overlay(rendered(variant(stacks()[stack], database=database), target))


@pytest.fixture
def database(overlay: Overlay) -> str:
    scheme = overlay.settings.get("DATABASE_URL") or overlay.secret["stringData"]["DATABASE_URL"]
    return str(scheme.partition(":")[0])


@pytest.fixture(scope="module")
def schemas() -> Any:
    try:
        import kubernetes_validate
    except ImportError:
        absent("the schemas of Kubernetes are missing: install the extra `test`")
    return kubernetes_validate


def releases(schemas: Any) -> list[str]:
    """The newest three, oldest first; the package lists each with and without strictness."""
    numbers = map(schemas.utils.major_minor, schemas.utils.all_versions())
    return list(dict.fromkeys(numbers))[-NEWEST:]


def test_the_newest_releases_accept_each_resource(overlay: Overlay, schemas: Any) -> None:
    newest = releases(schemas)
    assert len(newest) == NEWEST
    for release in newest:
        for resource in overlay.resources:
            schemas.validate(resource, release, strict=True)


@pytest.mark.parametrize("release", range(-NEWEST, 0))
def test_what_is_wrong_is_not_accepted(release: int, schemas: Any) -> None:
    """A schema that accepts everything would have proved nothing."""
    spec = {"selector": {"app": "x"}, "ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": spec}
    number = releases(schemas)[release]
    schemas.validate(service, number, strict=True)
    for wrong in ({"selectors": {}}, {"ports": [{"port": "eighty"}]}):
        with pytest.raises(schemas.ValidationError):
            schemas.validate({**service, "spec": spec | wrong}, number, strict=True)


def test_every_file_is_applied(overlay: Overlay) -> None:
    assert sorted(overlay.files) == sorted(overlay.kustomization["resources"])
    assert overlay.kustomization["namespace"] == overlay.the("Namespace")["metadata"]["name"]
    assert overlay.kustomization["namespace"] == overlay.secret["metadata"]["namespace"]
    images = {each["name"] for each in overlay.kustomization["images"]}
    assert {each["image"] for pod in overlay.pods() for each in containers(pod)} == images


def containers(pod: Resource) -> list[Resource]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def test_every_pod_keeps_the_restricted_standard(overlay: Overlay) -> None:
    labels = overlay.the("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in overlay.pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert {kind for each in pod["volumes"] for kind in each} <= {
            "name",
            "emptyDir",
            "persistentVolumeClaim",
        }
        for each in containers(pod):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(each["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in each["resources"]["limits"]
            mounted = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
            assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
            assert mounted["tmp"] == "/tmp"  # noqa: S108 (inside the container)


def test_the_user_is_the_image_s_own(overlay: Overlay) -> None:
    assert b"\nUSER 10001:10001\n" in overlay.tree["Dockerfile"]


def test_the_probes_ask_what_the_app_answers(overlay: Overlay) -> None:
    (app,) = overlay.the("Deployment")["spec"]["template"]["spec"]["containers"]
    asked = {name: app[name]["httpGet"] for name in ("startupProbe", "livenessProbe")}
    assert {probe["path"] for probe in asked.values()} == {"/healthz"}
    assert app["readinessProbe"]["httpGet"]["path"] == "/readyz"
    # Two checks of 2 s each, side by side, and room to answer.
    assert app["readinessProbe"]["timeoutSeconds"] > 4
    assert {port["name"]: port["containerPort"] for port in app["ports"]} == {"http": 8000}


def test_requests_in_flight_have_their_time(overlay: Overlay) -> None:
    pod = overlay.the("Deployment")["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # What is left after SHUTDOWN_SECONDS is killed by the app itself, two seconds later.
    needed = pause + int(overlay.settings["SHUTDOWN_SECONDS"]) + 2
    assert pod["terminationGracePeriodSeconds"] > needed


def test_settings_are_the_app_s_own(overlay: Overlay) -> None:
    known = set(
        re.findall(r"^(?:# )?([A-Z_]+)=", overlay.tree[".env.example"].decode(), re.MULTILINE)
    )
    named = [*overlay.settings, *overlay.secret["stringData"]]
    assert sorted(named) == sorted(set(named))
    assert set(named) <= known
    assert {"SECRET_KEYS", "DATABASE_URL", "PUBLIC_URL", "TRUSTED_PROXIES"} <= set(named)
    assert overlay.secret["stringData"]["SECRET_KEYS"] == "", "nothing secret ships"


def test_everything_that_is_named_exists(overlay: Overlay) -> None:
    deployment, service = overlay.the("Deployment"), overlay.the("Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    (rule,) = overlay.the("Ingress")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    (port,) = service["spec"]["ports"]
    backend = path["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}
    assert overlay.settings["PUBLIC_URL"] == f"https://{rule['host']}"
    sources = [
        {"configMapRef": {"name": overlay.config["metadata"]["name"]}},
        {"secretRef": {"name": overlay.secret["metadata"]["name"]}},
    ]
    assert all(each["envFrom"] == sources for pod in overlay.pods() for each in containers(pod))


def test_nothing_talks_unless_it_is_said(overlay: Overlay, database: str) -> None:
    policies = [each["spec"] for each in overlay.resources if each["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    (own,) = (each for each in policies if "ingress" in each)
    (ingress,) = own["ingress"]
    assert [port["port"] for port in ingress["ports"]] == [8000]
    ports = {port["port"] for rule in own["egress"] for port in rule["ports"]}
    known = {"postgresql": {5432}, "mysql": {3306}, "sqlite": set()}
    assert ports == {53, 6379, 465, 587} | known[database]


def test_many_where_there_can_be_many_and_else_one(overlay: Overlay, database: str) -> None:
    spec = overlay.the("Deployment")["spec"]
    many = {"HorizontalPodAutoscaler", "PodDisruptionBudget", "Job"}
    if database == "sqlite":
        assert not many & overlay.kinds()
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        claim = overlay.the("PersistentVolumeClaim")["metadata"]["name"]
        pod = spec["template"]["spec"]
        assert {"name": "data", "persistentVolumeClaim": {"claimName": claim}} in pod["volumes"]
        (migration,) = pod["initContainers"]
    else:
        assert many < overlay.kinds()
        assert "replicas" not in spec, "the autoscaler's to say"
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        scaled, budget = overlay.the("HorizontalPodAutoscaler"), overlay.the("PodDisruptionBudget")
        name = overlay.the("Deployment")["metadata"]["name"]
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        assert scaled["spec"]["scaleTargetRef"] == target
        assert scaled["spec"]["minReplicas"] > budget["spec"]["maxUnavailable"]
        assert budget["spec"]["selector"] == spec["selector"]
        assert overlay.settings["VALKEY_URL"], "limits are shared"
        (migration,) = overlay.the("Job")["spec"]["template"]["spec"]["containers"]
    compose = yaml.safe_load(overlay.tree["compose.yaml"])
    assert migration["command"] == compose["services"]["migrate"]["command"]
