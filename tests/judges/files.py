"""What people apply for GitOps: the files of deploy/argocd and deploy/flux, as objects.

The engines are given these and nothing else, so that what is documented is what is judged by.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.rig.stack import ROOT

ARGOCD, FLUX = ROOT / "deploy" / "argocd", ROOT / "deploy" / "flux"
SCRIPT = ARGOCD / "health.lua"
"""Argo CD's health of our kinds."""
SETTINGS = ARGOCD / "argocd-cm.yaml"
"""The ConfigMap of Argo CD with that script in it."""
APPLICATION = ARGOCD / "application.yaml"
MACHINES, UPGRADES = FLUX / "kustomization.yaml", FLUX / "upgrade.yaml"
"""Flux's Kustomization of the machines, and that of their upgrades."""


def documents(path: Path) -> list[dict[str, Any]]:
    """Return all objects of a file."""
    return [it for it in yaml.safe_load_all(path.read_text(encoding="utf-8")) if it]


def document(path: Path) -> dict[str, Any]:
    """Return the only object of a file. Raises ValueError where there are others."""
    (only,) = documents(path)
    return only
