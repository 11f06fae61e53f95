"""Ends with 1 while there are objects that nobody would operate any more after `helm uninstall`, and names them.

Runs in the operator's image as a Job before the uninstall, with the operator's rights. Arguments: the namespaces
that are served; none for all. It changes nothing.
"""

import sys

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

KINDS = ("gpuinstances", "instanceupgrades")
SHOWN = 10
NOT_FOUND = 404
TIMEOUT_SECONDS = 10


def left(api: client.CustomObjectsApi, namespaces: list[str]) -> tuple[list[str], int]:
    """Return objects as `plural/name in namespace`, some of each kind, and how many there are. Raises ApiException.

    Of a list no more is asked for than is shown: all of a large cluster's would not fit into the memory of this Job.
    """
    found, count = [], 0
    for plural in KINDS:
        kind = ("gpuinstance.dev", "v1alpha1")
        how = {"limit": SHOWN, "_request_timeout": TIMEOUT_SECONDS}
        try:
            if namespaces:
                lists = [api.list_namespaced_custom_object(*kind, it, plural, **how) for it in namespaces]
            else:
                lists = [api.list_cluster_custom_object(*kind, plural, **how)]
        except ApiException as error:
            if error.status != NOT_FOUND:  # without the CRDs there is nothing to forget
                raise
            continue
        for answer in lists:
            metadata = [item["metadata"] for item in answer["items"]]
            found += [f"{plural}/{it['name']} in {it['namespace']}" for it in metadata]
            more = 1 if answer["metadata"].get("continue") else 0  # the number of the others may be left out
            count += len(metadata) + (answer["metadata"].get("remainingItemCount") or more)
    return found, count


def main() -> None:
    """Judge, and say why not."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        config.load_kube_config()
    try:
        found, count = left(client.CustomObjectsApi(), sys.argv[1:])
    except (ApiException, HTTPError) as error:
        sys.exit(f"the uninstall is refused, because nobody knows what would be left: {error}")
    if found:
        where = [f"--namespace {it}" for it in sys.argv[1:]] or ["--all-namespaces"]
        deleting = " && ".join(f"kubectl delete iup,gpui --all {it}" for it in where)
        shown = found[:SHOWN]
        more = f" and {count - len(shown)} more" if count > len(shown) else ""
        sys.exit(
            "the uninstall is refused, because these would be left without an operator:"
            f" {', '.join(shown)}{more}. Machines would be billed on, and the objects could not be deleted."
            f" Delete them first, which returns when every machine is gone: {deleting}. To uninstall all the same,"
            " for example to install again at once, add --no-hooks"
        )
    sys.stdout.write("nothing would be left behind\n")


if __name__ == "__main__":
    main()
