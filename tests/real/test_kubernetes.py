"""deploy/kubernetes.yaml: against the schema of Kubernetes, and against itself."""

import os
import unittest

import processes

try:
    import kubernetes_validate
    import yaml
except ImportError:
    kubernetes_validate = None

OLDEST, NEWEST = "1.25", "1.37"
"""Releases of Kubernetes whose schema it has to follow; the first with all kinds in it, and one that is recent."""


@unittest.skipIf(kubernetes_validate is None, "kubernetes-validate is not installed")
class Manifest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(processes.REPOSITORY, "deploy", "kubernetes.yaml"), encoding="utf-8") as file:
            cls.resources = list(yaml.safe_load_all(file))
        cls.by_kind = {}
        for resource in cls.resources:
            cls.by_kind.setdefault(resource["kind"], []).append(resource)

    def test_it_follows_the_schema(self):
        for resource in self.resources:
            for version in (OLDEST, NEWEST):
                with self.subTest(kind=resource["kind"], version=version):
                    kubernetes_validate.validate(resource, version, strict=True)

    def test_selectors_select_pods_of_it(self):
        pods = [
            workload["spec"]["template"]["metadata"]["labels"]
            for workload in self.by_kind["StatefulSet"] + self.by_kind["Deployment"]]
        for resource in self.resources:
            spec = resource.get("spec", {})
            selector = spec.get("selector") or spec.get("podSelector")
            if selector:
                labels = selector.get("matchLabels", selector)
                found = [pod for pod in pods if labels.items() <= pod.items()]
                self.assertEqual(len(found), 1, resource["metadata"]["name"])

    def test_the_members_are_the_pods(self):
        [members] = self.by_kind["StatefulSet"]
        [config] = self.by_kind["ConfigMap"]
        name, service = members["metadata"]["name"], members["spec"]["serviceName"]
        pods = [f"{name}-{number}" for number in range(members["spec"]["replicas"])]
        listed = [member.strip() for member in config["data"]["members"].split(",")]
        self.assertEqual(listed, [f"{pod}={pod}.{service}:6379" for pod in pods])
        self.assertIn(service, [found["metadata"]["name"] for found in self.by_kind["Service"]])

    def test_no_container_has_more_than_it_needs(self):
        for workload in self.by_kind["StatefulSet"] + self.by_kind["Deployment"]:
            pod = workload["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            # Else variables of a service called memvault become flags.
            self.assertFalse(pod["enableServiceLinks"])
            for container in pod["containers"]:
                self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
                self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
                self.assertIn("memory", container["resources"]["limits"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
