"""The images, and the stack of compose.yml while containers are killed and come back."""

import http.client
import json
import os
import re
import shlex
import subprocess
import threading
import unittest

import engine
from engine import setUpModule  # pylint: disable=unused-import

# Of the profile of the tests, which is larger than what is shipped.
LARGEST_IMAGE = 20_000_000
NODES = "abcdefghij"
KILLED = "ab"


class Images(unittest.TestCase):
    """What is in them."""

    @classmethod
    def setUpClass(cls):
        cls.images = engine.Images()
        cls.addClassCleanup(cls.images.remove)
        cls.images.build()

    def test_they_are_small_and_run_as_nobody_in_particular(self):
        for image, program in ((self.images.memvault, "memvault"), (self.images.user_api, "user-api")):
            with self.subTest(image=program):
                [facts] = json.loads(engine.docker("image", "inspect", image))
                self.assertLess(facts["Size"], LARGEST_IMAGE)
                self.assertRegex(facts["Config"]["User"], r"^[1-9]\d*:[1-9]\d*$")
                self.assertEqual(facts["Config"]["Healthcheck"]["Test"][:2], ["CMD", f"/{program}"])
                self.assertIn("Usage", engine.docker("run", "--rm", "--network", "none", image, "--help"))

    def test_a_node_alone_serves_and_stops_within_a_second(self):
        container = engine.docker("run", "-d", "--health-interval", "1s", self.images.memvault).strip()
        self.addCleanup(engine.docker, "rm", "-f", container)
        status = "{{.State.Health.Status}}"
        engine.eventually("healthy", lambda: engine.docker("inspect", "-f", status, container).strip() == "healthy")
        self.assertEqual(engine.docker("exec", container, "/memvault", "set", "a", "1"), "OK\n")
        self.assertEqual(engine.docker("exec", container, "/memvault", "get", "a"), "1\n")
        address = engine.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container).strip()
        with self.assertRaisesRegex(RuntimeError, "protected mode.*--protected-mode no"):
            engine.docker("run", "--rm", self.images.memvault, "ping", "--server", f"{address}:6379")
        stop_within_a_second(self, container)


class Stack(unittest.TestCase):
    """Ten nodes, a gateway and the user API."""

    @classmethod
    def setUpClass(cls):
        images = engine.Images()
        cls.addClassCleanup(images.remove)
        images.build()
        cls.stack = engine.Stack(images)
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        engine.eventually("all serve", lambda: cls.serving() == set(NODES))
        engine.eventually("the cache is used", lambda: ask(cls.stack.api, "GET", "/user/1")[1] == "hit")

    @classmethod
    def serving(cls):
        """The services of the nodes that the gateway sees serve."""
        connection = http.client.HTTPConnection("127.0.0.1", cls.stack.admin, timeout=engine.DEADLINE)
        connection.request("GET", "/api/status")
        members = json.load(connection.getresponse())["cluster"]["members"]
        connection.close()
        serving = [member["node"] for member in members if member["up"] and member["state"] == "serving"]
        return {node.removesuffix(":6379") for node in serving}

    def test_1_the_lines_of_the_example_work(self):
        with open(os.path.join(engine.REPOSITORY, "examples", "user-api", "README.md"), encoding="utf-8") as file:
            lines = re.findall(r"^\$ (curl .*)\n(.*)$", file.read(), re.MULTILINE)
        self.assertGreaterEqual(len(lines), 7)
        for command, expected in lines:
            with self.subTest(command=command):
                words = shlex.split(command.replace("localhost:3000", f"127.0.0.1:{self.stack.api}"))
                done = subprocess.run([words[0], "-s", *words[1:]], capture_output=True, text=True, check=True)
                time = re.compile(r" [\d.]+ s$")
                self.assertEqual(time.sub("", done.stdout.strip()), time.sub("", expected))

    def test_2_two_nodes_are_killed_under_load_and_come_back(self):
        clients = [Client(self.stack.api, number) for number in range(4)]
        before = {service: self.stack.container(service) for service in KILLED}
        for client in clients:
            client.start()
        try:
            wait_for_rounds(clients)
            engine.docker("kill", *before.values())
            engine.eventually("two are missed", lambda: self.serving() == set(NODES) - set(KILLED))
            wait_for_rounds(clients)
            # In the other order, so that they are likely to have each other's address now.
            for service in reversed(KILLED):
                engine.docker("start", before[service])
            engine.eventually("all serve again", lambda: self.serving() == set(NODES))
            wait_for_rounds(clients)
        finally:
            for client in clients:
                client.stop()
        for client in clients:
            self.assertEqual(client.wrong, [])
            self.assertGreater(client.hits, 0)
        for service in KILLED:
            with self.subTest(service=service):
                cached = self.stack.execute(service, "/memvault", "get", "user:1")
                self.assertEqual(json.loads(cached), json.loads(ask(self.stack.api, "GET", "/user/1")[2])["data"])
                keys = self.stack.execute(service, "/memvault", "shell", input="DBSIZE")
                self.assertRegex(keys, r"[1-9]", "it has fetched its keys")
                self.assertEqual(self.stack.inspect(service, "{{.State.OOMKilled}} {{.RestartCount}}"), "false 0")

    def test_3_all_are_healthy_and_limited(self):
        for service in [*NODES, "gateway", "user-api"]:
            with self.subTest(service=service):
                health = "{{.State.Health.Status}}"
                engine.eventually("it is healthy", lambda: self.stack.inspect(service, health) == "healthy")
                self.assertGreater(int(self.stack.inspect(service, "{{.HostConfig.Memory}}")), 0)

    def test_4_sigterm_ends_each_within_a_second(self):
        """Also while clients are connected."""
        connections = [http.client.HTTPConnection("127.0.0.1", port) for port in (self.stack.api, self.stack.admin)]
        for connection in connections:
            self.addCleanup(connection.close)
            connection.request("GET", "/")
            connection.getresponse().read()
        for service in ("user-api", "gateway", "j"):
            with self.subTest(service=service):
                stop_within_a_second(self, self.stack.container(service))


def stop_within_a_second(test, container):
    """The engine kills what has not ended by then: the exit code would be 137."""
    engine.docker("stop", "-t", "1", container)
    test.assertEqual(engine.docker("inspect", "-f", "{{.State.ExitCode}}", container).strip(), "0")


def ask(port, method, path, body=None):
    """Status, part of the cache, and body of an answer of the user API."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=engine.DEADLINE)
    try:
        headers = {"content-type": "application/json"} if body else {}
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.headers.get("x-cache"), response.read().decode()
    finally:
        connection.close()


def wait_for_rounds(clients):
    """Waits until each has gone through its users some times more."""
    goals = [(client, client.rounds + 3) for client in clients]
    engine.eventually("clients go on", lambda: all(client.rounds >= goal or client.wrong for client, goal in goals))


class Client:
    """Reads and changes users of its own, and knows what each must be."""

    USERS = 6

    def __init__(self, port, number):
        first = 1000 * (number + 1)
        self.port = port
        self.users = {first + index: None for index in range(self.USERS)}
        self.rounds = self.hits = 0
        self.wrong = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self):
        """Begins."""
        self.thread.start()

    def stop(self):
        """Ends after this round."""
        self.is_over.set()
        self.thread.join()

    def run(self):
        """Goes on until it is to stop, or something is wrong."""
        while not self.is_over.is_set() and not self.wrong:
            for user in self.users:
                try:
                    self.turn(user)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self.wrong.append(f"user {user} in round {self.rounds}: {error!r}")
            self.rounds += 1

    def turn(self, user):
        """Reads a user, and changes it in some rounds."""
        self.read(user)
        if (self.rounds + user) % 3 == 0:
            draft = {"name": f"{user} in round {self.rounds}", "email": "new@example.com"}
            self.expect(200, draft, ask(self.port, "PUT", f"/user/{user}", draft))
            self.users[user] = draft
            self.read(user)

    def read(self, user):
        """Reads a user, which must be what it was made."""
        draft = self.users[user] or {"name": f"User {user}", "email": f"user{user}@example.com"}
        answer = ask(self.port, "GET", f"/user/{user}")
        self.hits += answer[1] == "hit"
        self.expect(200, draft, answer)

    def expect(self, status, draft, answer):
        """Notes what is not as it must be."""
        given = json.loads(answer[2]).get("data", {})
        given.pop("id", None)
        if answer[0] != status or given != draft:
            self.wrong.append(f"expected {status} {draft}, got {answer}")


if __name__ == "__main__":
    unittest.main()
