"""Two texts, one image: what counts as the same, and what does not."""

from __future__ import annotations

import pytest

from gpuinstance.core.images import same_image

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nginx", "nginx"),
        ("nginx", "nginx:latest"),
        ("nginx:1.27", "docker.io/nginx:1.27"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("nginx:1.27", "index.docker.io/library/nginx:1.27"),
        ("nginx:1.27", "registry-1.docker.io/library/nginx:1.27"),
        ("vllm/vllm-openai:v0.6", "docker.io/vllm/vllm-openai:v0.6"),
        ("ghcr.io/team/app", "ghcr.io/team/app:latest"),
        ("GHCR.io/team/app:1", "ghcr.io/team/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (" nginx:1.27", "nginx:1.27"),
    ],
)
def test_one_image(one: str, other: str) -> None:
    """A provider may write an image in full, and the spec short, or the other way round."""
    assert same_image(one, other)
    assert same_image(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nginx:1.27", "nginx:1.28"),
        ("nginx", "nginx:1.27"),
        ("nginx:1.27", "team/nginx:1.27"),
        ("nginx:1.27", "ghcr.io/library/nginx:1.27"),
        ("ghcr.io/nginx", "ghcr.io/library/nginx"),
        ("localhost:5000/app:1", "docker.io/app:1"),
        (f"nginx@{DIGEST}", "nginx:latest"),
        ("team/App", "team/app"),
    ],
)
def test_two_images(one: str, other: str) -> None:
    """Registry, owner, name, tag and digest count, each as it is written."""
    assert not same_image(one, other)
    assert not same_image(other, one)
