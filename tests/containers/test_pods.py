"""deploy/kubernetes.yaml without Kubernetes: each of its pods is started as a container, with the same arguments."""

import os
import re
import unittest
import urllib.error
import urllib.request

import engine
from engine import setUpModule  # pylint: disable=unused-import

try:
    import yaml
except ImportError:
    yaml = None


@unittest.skipIf(yaml is None, "PyYAML is not installed")
class Pods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.images = engine.Images()
        cls.addClassCleanup(cls.images.remove)
        cls.images.build()
        cls.network = f"memvault-pods-{os.getpid()}"
        engine.docker("network", "create", cls.network)
        cls.addClassCleanup(engine.docker, "network", "rm", cls.network)
        with open(os.path.join(engine.REPOSITORY, "deploy", "kubernetes.yaml"), encoding="utf-8") as file:
            resources = list(yaml.safe_load_all(file))
        cls.found = {(resource["kind"], resource["metadata"]["name"]): resource for resource in resources}
        cls.members = cls.found["ConfigMap", "memvault"]["data"]["members"]

    def start(self, workload, pod, name):
        """A container such as Kubernetes would start for this pod, reached by this name."""
        spec = workload["spec"]["template"]["spec"]
        [container] = spec["containers"]
        values = {"$(MEMBERS)": self.members, "$(POD)": pod}
        arguments = [re.sub(r"\$\(\w+\)", lambda match: values[match[0]], word) for word in container["args"]]
        variables = [f"-e{entry['name']}={entry['value']}" for entry in container["env"] if "value" in entry]
        security = spec["securityContext"]
        memory = container["resources"]["limits"]["memory"].removesuffix("i")
        started = engine.docker(
            "run", "-d", "--network", self.network, "--network-alias", name, "--read-only", "--cap-drop", "ALL",
            "--user", f"{security['runAsUser']}:{security['runAsGroup']}", "--memory", memory,
            *variables, "-p", "127.0.0.1::9400", self.images.memvault, *arguments).strip()
        self.addCleanup(engine.docker, "rm", "-f", started)
        return container, f"http://{engine.docker('port', started, '9400').strip()}"

    def answers(self, admin, probe):
        """Whether a probe of the container succeeds."""
        try:
            with urllib.request.urlopen(admin + probe["httpGet"]["path"], timeout=engine.DEADLINE) as response:
                return response.status == 200
        except urllib.error.HTTPError:
            return False

    def test_the_pods_become_ready_and_serve(self):
        members = self.found["StatefulSet", "memvault"]
        started = [
            self.start(members, f"memvault-{number}", f"memvault-{number}.memvault")
            for number in range(members["spec"]["replicas"])]
        started.append(self.start(self.found["Deployment", "memvault-gateway"], "", "memvault-gateway"))
        for container, admin in started:
            for probe in ("livenessProbe", "readinessProbe"):
                engine.eventually(probe, lambda: self.answers(admin, container[probe]))
        for server in ("memvault-gateway:6379", "memvault-3.memvault:6379"):
            for words, expected in ((["set", "greeting", server], "OK"), (["get", "greeting"], server)):
                said = engine.docker(
                    "run", "--rm", "--network", self.network, self.images.memvault, *words, "--server", server)
                self.assertEqual(said.strip(), expected)


if __name__ == "__main__":
    unittest.main()
