"""Programs that people use with Redis, against one server, a member of a cluster and a gateway."""

import subprocess
import concurrent.futures
import socket
import unittest

import processes

try:
    import redis
except ImportError:
    redis = None


class Clients:
    """The tests; a subclass says which server they talk to."""

    port = None

    def run_program(self, *arguments, **options):
        done = subprocess.run(
            [str(argument) for argument in arguments], capture_output=True, timeout=processes.DEADLINE * 2,
            check=False, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.decode()

    def cli(self, *arguments):
        return self.run_program("redis-cli", "-p", self.port, *arguments)

    @unittest.skipUnless(processes.have("redis-cli"), "redis-cli is not installed")
    def test_redis_cli(self):
        self.assertEqual(self.cli("PING"), "PONG\n")
        self.assertEqual(self.cli("SET", "cli", "two words", "EX", "100"), "OK\n")
        self.assertEqual(self.cli("GET", "cli"), "two words\n")
        self.assertEqual(self.cli("TTL", "cli"), "100\n")
        self.assertEqual(self.cli("-3", "GET", "cli"), "two words\n")
        self.assertEqual(self.cli("DEL", "cli"), "1\n")
        self.assertEqual(self.cli("GET", "cli"), "\n")
        self.assertIn("wrong number of arguments", self.cli("GET"))

    @unittest.skipUnless(processes.have("redis-cli"), "redis-cli is not installed")
    def test_redis_cli_with_commands_on_its_input(self):
        lines = "".join(f"SET pipe:{number} {number}\n" for number in range(200))
        self.assertEqual(self.run_program("redis-cli", "-p", self.port, input=lines.encode()), "OK\n" * 200)
        self.assertEqual(self.cli("GET", "pipe:199"), "199\n")

    @unittest.skipUnless(processes.have("redis-benchmark"), "redis-benchmark is not installed")
    def test_redis_benchmark(self):
        for protocol in ([], ["-3"]):
            output = self.run_program(
                "redis-benchmark", "-p", self.port, "-t", "get,set", "-P", "16", "-n", "20000", "-r", "1000",
                "-q", *protocol)
            for test in ("SET: ", "GET: "):
                self.assertIn(test, output)
            self.assertNotIn("Error", output)

    @unittest.skipUnless(processes.have("nc"), "nc is not installed")
    def test_lines_through_nc(self):
        done = self.run_program(
            "nc", "-N", "127.0.0.1", self.port, input=b'SET a "x y" EX 10\r\nGET a\r\n')
        self.assertEqual(done, "+OK\r\n$3\r\nx y\r\n")

    @unittest.skipUnless(redis, "redis-py is not installed")
    def test_redis_py(self):
        for protocol in (2, 3):
            with self.subTest(protocol=protocol):
                client = redis.Redis(port=self.port, protocol=protocol, socket_timeout=processes.DEADLINE)
                self.addCleanup(client.close)
                self.use_all_of(client)

    @unittest.skipUnless(redis, "redis-py is not installed")
    def test_redis_py_sends_a_whole_pipeline_before_it_reads(self):
        client = redis.Redis(port=self.port, socket_timeout=processes.DEADLINE)
        self.addCleanup(client.close)
        value = b"v" * 400
        client.set("py:whole", value)
        pipeline = client.pipeline(transaction=False)
        for _ in range(200_000):
            pipeline.get("py:whole")
        self.assertTrue(all(reply == value for reply in pipeline.execute()))

    def test_a_million_commands_are_answered_to_whoever_sends_all_before_it_reads(self):
        for command, reply in [
                (b"*3\r\n$3\r\nSET\r\n$3\r\nfoo\r\n$3\r\nbar\r\n", b"+OK\r\n"),
                (b"*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n", b"$3\r\nbar\r\n")]:
            with self.subTest(command=command), \
                    socket.create_connection(("127.0.0.1", self.port), processes.DEADLINE) as connection:
                for _ in range(1_000):
                    connection.sendall(command * 1_000)
                replies = connection.makefile("rb")
                for _ in range(1_000):
                    self.assertEqual(replies.read(len(reply) * 1_000), reply * 1_000)

    @unittest.skipUnless(redis, "redis-py is not installed")
    def test_redis_py_counts_from_many_connections_at_once(self):
        clients = [redis.Redis(port=self.port, socket_timeout=processes.DEADLINE) for _ in range(8)]
        for client in clients:
            self.addCleanup(client.close)
        clients[0].delete("py:counter")
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            counts = pool.map(lambda client: [client.incr("py:counter") for _ in range(50)], clients)
            results = sorted(sum(counts, []))
        self.assertEqual(results, list(range(1, 401)), "none lost, none twice")
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            won = list(pool.map(lambda client: client.set("py:lock", "x", nx=True, ex=100), clients))
        self.assertEqual(won.count(True), 1)
        clients[0].delete("py:lock")

    def use_all_of(self, client):
        client.delete("py:n")
        self.assertEqual(client.incr("py:n"), 1)
        self.assertEqual(client.incrby("py:n", 41), 42)
        self.assertEqual(client.decr("py:n"), 41)
        self.assertEqual(client.append("py:n", "x"), 3)
        self.assertEqual(client.getrange("py:n", 0, 1), b"41")
        self.assertEqual(client.setrange("py:n", 2, "y"), 3)
        self.assertEqual(client.getex("py:n", ex=100), b"41y")
        self.assertTrue(0 < client.ttl("py:n") <= 100)
        with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
            client.incr("py:n")
        self.assertEqual(client.getdel("py:n"), b"41y")
        self.assertTrue(client.ping())
        self.assertEqual(client.echo("hello"), b"hello")
        self.assertTrue(client.set("py", b"\x00\xff\r\n"))
        self.assertEqual(client.get("py"), b"\x00\xff\r\n")
        self.assertIsNone(client.get("py:nothing"))
        self.assertIsNone(client.set("py", "no", nx=True))
        self.assertEqual(client.set("py", "new", get=True), b"\x00\xff\r\n")
        self.assertTrue(client.set("py:ttl", "x", ex=100))
        self.assertTrue(0 < client.ttl("py:ttl") <= 100)
        self.assertTrue(0 < client.pttl("py:ttl") <= 100_000)
        self.assertTrue(client.persist("py:ttl"))
        self.assertEqual(client.ttl("py:ttl"), -1)
        self.assertTrue(client.expire("py:ttl", 50))
        self.assertTrue(client.pexpire("py:ttl", 50_000))
        self.assertTrue(client.mset({"py:1": 1, "py:2": 2}))
        self.assertEqual(client.mget("py:1", "py:nothing", "py:2"), [b"1", None, b"2"])
        self.assertEqual(client.exists("py:1", "py:2", "py:nothing"), 2)
        self.assertEqual(client.type("py:1"), b"string")
        self.assertEqual(client.delete("py:1", "py:nothing"), 1)
        self.assertEqual(client.unlink("py:2"), 1)
        self.assertIsInstance(client.dbsize(), int)
        self.assertIsInstance(client.info(), dict)
        counted = client.info("commandstats")["cmdstat_get"]
        fields = {"calls", "usec", "usec_per_call", "rejected_calls", "failed_calls"}
        self.assertEqual(set(counted), fields)
        self.assertGreaterEqual(counted["calls"], 2)
        self.assertEqual(counted["failed_calls"], 0)
        everything = client.info("everything")
        self.assertEqual((everything["loading"], everything["cluster_enabled"]), (0, 0))
        self.assertGreater(everything["used_cpu_sys"] + everything["used_cpu_user"], 0)
        self.assertIsInstance(client.client_id(), int)
        self.assertTrue(client.client_setname("tester"))
        self.assertIn(client.client_getname(), ("tester", b"tester"))
        with self.assertRaisesRegex(redis.ResponseError, "unknown command"):
            client.execute_command("NOSUCH")
        self.assertGreaterEqual(client.info("errorstats")["errorstat_ERR"]["count"], 1)
        with client.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.set(f"py:p{number}", number)
                pipeline.get(f"py:p{number}")
            replies = pipeline.execute()
        expected = [reply for number in range(1000) for reply in (True, b"%d" % number)]
        self.assertEqual(replies, expected)


class ClientsOfOneServer(Clients, unittest.TestCase):
    """Against `memvault serve`."""

    @unittest.skipUnless(redis, "redis-py is not installed")
    def test_a_node_alone_has_no_levels(self):
        client = redis.Redis(port=self.port, socket_timeout=processes.DEADLINE)
        self.addCleanup(client.close)
        with self.assertRaisesRegex(redis.ResponseError, "this node is alone"):
            client.execute_command("CONSISTENCY")

    @classmethod
    def setUpClass(cls):
        server = processes.start_serve()
        cls.addClassCleanup(server.stop)
        cls.port = server.port


class ClientsOfFourThreads(Clients, unittest.TestCase):
    """Against `memvault serve --threads 4`."""

    @classmethod
    def setUpClass(cls):
        server = processes.start_serve("--threads", "4")
        cls.addClassCleanup(server.stop)
        cls.port = server.port


class ClientsOfACluster(unittest.TestCase):
    """Base of those that need a cluster; without tests of its own."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = processes.Cluster(3)
        cls.addClassCleanup(cls.cluster.stop)
        cls.port = cls.server().port


class Levels:
    """Tests for those that belong to a cluster."""

    @unittest.skipUnless(redis, "redis-py is not installed")
    def test_a_connection_keeps_the_levels_it_has_chosen(self):
        one, other = (redis.Redis(port=self.port, protocol=2, single_connection_client=True,
                                  socket_timeout=processes.DEADLINE)
                      for _ in range(2))
        for client in (one, other):
            self.addCleanup(client.close)
        self.assertEqual(one.execute_command("CONSISTENCY"), [b"write", b"auto", b"read", b"auto"])
        self.assertEqual(one.execute_command("CONSISTENCY", "quorum", "all"), b"OK")
        self.assertEqual(one.execute_command("CONSISTENCY"), [b"write", b"quorum", b"read", b"all"])
        self.assertEqual(other.execute_command("CONSISTENCY")[1], b"auto")
        self.assertTrue(one.set("py:level", "x"))
        self.assertEqual(one.get("py:level"), b"x")
        with self.assertRaisesRegex(redis.ResponseError, "auto, one, quorum or all"):
            one.execute_command("CONSISTENCY", "most", "all")


class ClientsOfAGateway(Levels, Clients, ClientsOfACluster):
    """Against `memvault gateway` before three members."""

    @classmethod
    def server(cls):
        return cls.cluster.gateway


class ClientsOfAMember(Levels, Clients, ClientsOfACluster):
    """Against one of three members."""

    @classmethod
    def server(cls):
        return cls.cluster.members[0]


if __name__ == "__main__":
    unittest.main(verbosity=2)
