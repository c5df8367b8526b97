"""`/metrics` as Prometheus sees it: read by the parser of its Python library."""

import time
import unittest
import urllib.request

import processes

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None


@unittest.skipIf(text_string_to_metric_families is None, "prometheus_client is not installed")
class Metrics(unittest.TestCase):
    """The metrics of ten members and a gateway."""

    @classmethod
    def setUpClass(cls):
        cls.admin = processes.free_ports(11)
        cls.cluster = processes.Cluster(10, [f"--admin=127.0.0.1:{port}" for port in cls.admin])
        with cls.cluster.gateway.connect() as connection:
            connection.sendall(b"SET a x\r\nGET a\r\nGET b\r\n" * 200)
            replies = b""
            while replies.count(b"\r\n") < 200 * 4:
                replies += connection.recv(1 << 16)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def scrape(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=processes.DEADLINE) as response:
            self.assertIn("application/openmetrics-text; version=1.0.0", response.headers["Content-Type"])
            return response.read().decode()

    def families(self, port):
        return {family.name: family for family in text_string_to_metric_families(self.scrape(port))}

    def test_every_family_is_documented_and_ours(self):
        for port in self.admin:
            for name, family in self.families(port).items():
                self.assertTrue(name.startswith(("memvault_", "process_")), name)
                self.assertTrue(family.documentation, name)
                self.assertNotEqual(family.type, "unknown", name)

    def test_a_process_tells_what_it_takes(self):
        families = self.families(self.admin[-1])
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes",
                     "memvault_network_receive_bytes_total", "memvault_network_transmit_bytes_total"):
            samples = [sample for family in families.values() for sample in family.samples if sample.name == name]
            self.assertEqual(len(samples), 1, name)
            self.assertGreater(samples[0].value, 0, name)

    def test_a_gateway_tells_of_ten_members(self):
        end = time.monotonic() + processes.DEADLINE
        states = {}
        while set(states.values()) != {"serving"} and time.monotonic() < end:
            families = self.families(self.admin[-1])
            samples = families["memvault_member_state"].samples
            states = {sample.labels["node"]: sample.labels["state"] for sample in samples}
        self.assertEqual(set(states.values()), {"serving"})
        self.assertEqual(len(states), 10)
        shares = [sample.value for sample in families["memvault_member_leader_ratio"].samples]
        self.assertAlmostEqual(sum(shares), 1)
        held = [sample.value for sample in families["memvault_member_replica_ratio"].samples]
        self.assertAlmostEqual(sum(held), 3)
        self.assertGreaterEqual(families["memvault_requests"].samples[0].value, 600)
        self.assertGreaterEqual(families["memvault_hits"].samples[0].value, 200)

    def test_commands_are_counted_by_name(self):
        families = self.families(self.admin[-1])
        calls = {sample.labels["command"]: sample.value for sample in families["memvault_commands"].samples}
        self.assertGreaterEqual(calls["get"], 400)
        self.assertGreaterEqual(calls["set"], 200)
        spent = {sample.labels["command"]: sample.value for sample in families["memvault_command_duration_seconds"].samples}
        self.assertEqual(set(spent), set(calls))
        self.assertGreater(spent["get"], 0)

    def test_the_histogram_is_one(self):
        samples = self.families(self.admin[-1])["memvault_request_duration_seconds"].samples
        buckets = [sample for sample in samples if sample.name.endswith("_bucket")]
        values = [sample.value for sample in buckets]
        self.assertEqual(values, sorted(values))
        self.assertEqual(buckets[-1].labels["le"], "+Inf")

    def test_a_scrape_is_quick(self):
        # Only told: this machine may be busy.
        took = []
        for _ in range(20):
            start = time.monotonic()
            self.scrape(self.admin[-1])
            took.append(time.monotonic() - start)
        print(f"a scrape of 10 nodes takes {sorted(took)[10] * 1e3:.2f} ms", flush=True)


if __name__ == "__main__":
    unittest.main()
