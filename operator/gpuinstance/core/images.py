"""Whether two texts name the same container image: providers write them in several ways.

Docker's own rules: without a registry it is Docker Hub's, there a name without an owner belongs to `library`,
and without tag and digest the tag is `latest`. What a tag points to is nobody's business here.
"""

from __future__ import annotations

_DOCKER_HUB = "docker.io"
_ITS_OTHER_NAMES = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


def same_image(one: str, other: str) -> bool:
    """True if both name the same image: `nginx` and `docker.io/library/nginx:latest` do."""
    return one == other or _in_full(one) == _in_full(other)


def _in_full(image: str) -> str:
    name, at, digest = image.strip().partition("@")
    first, slash, rest = name.partition("/")
    is_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first.lower(), rest) if is_registry else (_DOCKER_HUB, name)
    if registry in _ITS_OTHER_NAMES:
        registry = _DOCKER_HUB
    if registry == _DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if not at and ":" not in path.rpartition("/")[2]:
        path = f"{path}:latest"
    return f"{registry}/{path}{at}{digest}"
