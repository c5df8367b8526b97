"""A node alone, and members, in containers of the size that compose.yml gives them, under values of all sizes."""

import os
import random
import re
import socket
import threading
import time
import unittest

import engine
from engine import setUpModule  # pylint: disable=unused-import

SECONDS = float(os.environ.get("MEMORY_SECONDS", "20"))
"""How long it is under load."""
CLIENTS = 6
PIPELINE = 8
KEYS = 200_000
LARGEST = 1 << 20


class Memory(unittest.TestCase):
    """The kernel kills a container that takes more than its limit."""

    def test_a_node_of_the_shipped_size_survives_values_from_1_byte_to_1_mib(self):
        images = engine.Images()
        self.addCleanup(images.remove)
        images.build()
        limit, share = shipped_sizes()
        container = engine.docker(
            "run", "-d", "-m", limit, "--memory-swap", limit, "-e", "MEMVAULT_PROTECTED_MODE=no",
            images.memvault, "serve", "--max-memory", share).strip()
        self.addCleanup(engine.docker, "rm", "-f", container)
        self.load((inspect(container, "{{.NetworkSettings.IPAddress}}"), 6379))
        self.assertEqual(inspect(container, ALIVE), "false true 0")
        self.assertIn("PONG", engine.docker("exec", container, "/memvault", "ping"))

    def test_members_and_a_gateway_of_the_shipped_sizes_survive_it_too(self):
        images = engine.Images()
        self.addCleanup(images.remove)
        images.build()
        stack = engine.Stack(images)
        self.addCleanup(stack.down)
        services = [*"abcdefghij", "gateway"]
        stack.up(*services)
        self.load(("127.0.0.1", stack.gateway))
        for service in services:
            self.assertEqual(stack.inspect(service, ALIVE), "false true 0", service)

    def load(self, address):
        """Has clients store values of all sizes; nothing goes wrong for them."""
        # So many keys have replicas on every three members: all of these serve then.
        pairs = [word for number in range(2000) for word in (b"k%d" % number, b"v")]
        engine.eventually("it serves", lambda: ask(address, b"MSET", *pairs) == b"+OK\r\n")
        clients = [Client(address, number) for number in range(CLIENTS)]
        for client in clients:
            client.thread.start()
        for client in clients:
            client.thread.join()
        print("stored", sum(client.stored for client in clients))
        for client in clients:
            self.assertEqual(client.wrong, [])
            self.assertGreater(client.stored, 0)


ALIVE = "{{.State.OOMKilled}} {{.State.Running}} {{.RestartCount}}"
"""What tells of a container that was not killed: false true 0."""


def shipped_sizes():
    """The limit of a node's container in compose.yml, and its --max-memory."""
    with open(os.path.join(engine.REPOSITORY, "compose.yml"), encoding="utf-8") as file:
        text = file.read()
    [limit] = re.findall(r"^x-node:.*\n(?:  .*\n)*?  mem_limit: (\w+)$", text, re.MULTILINE)
    [share] = set(re.findall(r"--max-memory, ([\w%]+)", text))
    return limit, share


def inspect(container, template):
    """A fact about a container."""
    return engine.docker("inspect", "-f", template, container).strip()


def connect(address):
    """A connection to the server."""
    return socket.create_connection(address, timeout=engine.DEADLINE)


def ask(address, *words):
    """The first line of the reply to a command."""
    with connect(address) as connection, connection.makefile("rb") as replies:
        connection.sendall(command(*words))
        return replies.readline()


def command(*words):
    """A command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Client:
    """Stores values of all sizes: as many of one size as of twice that, or any size as likely as any other."""

    def __init__(self, address, number):
        self.address = address
        self.random = random.Random(number)
        self.is_even = number % 2 == 0
        self.blob = self.random.randbytes(2 * LARGEST)
        self.stored = 0
        self.wrong = []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        """Until the time is over, or something is wrong."""
        end = time.monotonic() + SECONDS
        try:
            with connect(self.address) as connection, connection.makefile("rb") as replies:
                while time.monotonic() < end:
                    connection.sendall(b"".join(self.command() for _ in range(PIPELINE)))
                    lines = [replies.readline() for _ in range(PIPELINE)]
                    self.wrong += [line for line in lines if line != b"+OK\r\n"]
                    self.stored += PIPELINE
        except OSError as error:
            self.wrong.append(error)

    def command(self):
        """A SET."""
        size = int(2 ** self.random.uniform(0, 20)) if self.is_even else self.random.randint(1, LARGEST)
        start = self.random.randint(0, LARGEST)
        key, value = b"k%d" % self.random.randrange(KEYS), self.blob[start:start + size]
        return command(b"SET", key, value)
