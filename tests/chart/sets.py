"""The sets of values with which the chart is judged, each the wish of somebody who installs it."""

from __future__ import annotations

from tests.chart.helm import Values

SERVED = ("team-a", "team-b")
"""Namespaces that the namespaced set serves; whoever applies it makes them first."""
SHARED = "accounts"
"""Where its shared credentials are."""

_METRICS = {
    "serviceMonitor": {"enabled": True, "interval": "1m", "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "runbookBaseUrl": "https://git.example.com/operator/"},
    "dashboard": {"enabled": True, "annotations": {"grafana_folder": "GPU"}},
}

SETS: dict[str, Values] = {
    "default": {},
    "namespaced": {
        "watchNamespaces": list(SERVED),
        "settings": {"sharedCredentialsNamespace": SHARED, "mark": "teams"},
        # Nothing that only an administrator of the whole cluster may create.
        "rbac": {"aggregateToUserRoles": False},
        "policies": {"enabled": False},
    },
    "everything": {
        "commonLabels": {"example.com/owner": "platform"},
        "createNamespace": True,
        "image": {"repository": "registry.example.com/gpu/operator", "digest": f"sha256:{'0' * 64}"},
        "imagePullSecrets": [{"name": "registry"}],
        "settings": {
            "orphanDeletion": True,
            "pollSeconds": 120,
            "fastPollSeconds": 0.5,
            "novitaBurst": 100_000,
            "logLevel": "DEBUG",
            "probeAllowedNetworks": ["10.20.0.0/16", "fd00:20::/32"],
            "notificationAllowedNetworks": ["10.20.0.0/16"],
            "deniedNetworks": ["203.0.112.0/22", "2001:db9::/48"],
        },
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/etc/ca/bundle.pem"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
        "replicas": 3,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "podLabels": {"example.com/network": "egress"},
        "podAnnotations": {"example.com/note": "by hand"},
        "service": {"annotations": {"example.com/note": "metrics"}},
        "podDisruptionBudget": {"maxUnavailable": "50%"},
        "serviceAccount": {"annotations": {"example.com/note": "identity"}},
        "networkPolicy": {
            "apiServerNetworks": ["192.0.2.0/24"],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "198.51.100.7/32"}}], "ports": [{"port": 3128}]}],
        },
        "metrics": _METRICS,
        "simulator": {"enabled": True},
    },
    "shards": {"shards": 3, "replicas": 1},
    "simulator": {"simulator": {"enabled": True, "speed": 20}},
    "nothing": {
        "replicas": 0,
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "rbac": {"create": False, "aggregateToUserRoles": False},
        "policies": {"enabled": False},
        "uninstallGuard": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "topologySpreadConstraints": [],
    },
}
"""By name."""
