"""The container engine: images from programs that are compiled already, and a stack of containers of its own."""

import os
import shutil
import socket
import subprocess
import time
import unittest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.environ.get("STATIC_PROGRAMS", os.path.join(REPOSITORY, "target", "static"))
"""The folder that deploy/static has filled."""
DEADLINE = 120.0
"""Seconds after which waiting for anything counts as a failure; generous, as machines are slow."""


def run(*words, check=True, **options):
    """Runs a program and returns what it printed; without `check` whether it succeeded."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE * 3, check=False, **options)
    if not check:
        return done.returncode == 0
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def docker(*words, **options):
    """Runs `docker`."""
    return run("docker", *words, **options)


def compose_program():
    """How Compose is called here, version 2 or 1; `None` if there is none."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) and run(*words, "version", check=False):
            return words
    return None


def eventually(what, is_so):
    """Waits until `is_so()` gives something that is true, and returns that."""
    end = time.monotonic() + DEADLINE
    last = None
    while time.monotonic() < end:
        try:
            if found := is_so():
                return found
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {DEADLINE} s: {what} ({last})")


def free_ports(count):
    """Ports that were free a moment ago, each different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Images:
    """Both images under names that nobody else has."""

    def __init__(self):
        self.memvault = f"memvault-test-{os.getpid()}"
        self.user_api = f"memvault-user-api-test-{os.getpid()}"

    def build(self):
        """Builds them where no registry is needed."""
        for image, target in ((self.memvault, "memvault-prebuilt"), (self.user_api, "user-api-prebuilt")):
            docker("build", "-q", "-t", image, "--target", target, "-f", os.path.join(REPOSITORY, "Dockerfile"), PROGRAMS)

    def remove(self):
        """Removes them."""
        run("docker", "rmi", "-f", self.memvault, self.user_api, check=False)


class Stack:
    """What compose.yml describes, as a project of its own, on ports of its own."""

    def __init__(self, images):
        self.images = images
        self.name = f"memvault-test-{os.getpid()}"
        self.gateway, self.admin, self.api = free_ports(3)

    def compose(self, *words):
        """Runs Compose for this project."""
        environment = dict(
            os.environ, IMAGE_OF_MEMVAULT=self.images.memvault, IMAGE_OF_USER_API=self.images.user_api,
            PORT_OF_GATEWAY=str(self.gateway), PORT_OF_ADMIN=str(self.admin), PORT_OF_API=str(self.api), SLOW_MS="20")
        file = os.path.join(REPOSITORY, "compose.yml")
        return run(*compose_program(), "-p", self.name, "-f", file, *words, env=environment)

    def up(self, *services):
        """Starts all of it, or these."""
        self.compose("up", "-d", *services)

    def down(self):
        """Ends it, and leaves nothing behind but what it logged."""
        try:
            log = self.compose("logs", "--no-color", "-t")
            with open(os.path.join(os.path.dirname(PROGRAMS), "containers-stack.log"), "w", encoding="utf-8") as file:
                file.write(log)
        finally:
            self.compose("down", "-v", "-t", "1")

    def container(self, service):
        """The id of a service's container."""
        label = "label=com.docker.compose."
        [found] = docker(
            "ps", "-aq", "--filter", f"{label}project={self.name}", "--filter", f"{label}service={service}").split()
        return found

    def inspect(self, service, template):
        """A fact about a service's container."""
        return docker("inspect", "-f", template, self.container(service)).strip()

    def execute(self, service, *words, **options):
        """Runs something within a service's container."""
        return docker("exec", "-i", self.container(service), *words, **options)


def reason_to_skip():
    """Why nothing can be tested here; `None` if it can."""
    if not shutil.which("docker") or not run("docker", "info", check=False):
        return "no container engine answers"
    if not compose_program():
        return "there is neither docker compose nor docker-compose"
    if not os.path.exists(os.path.join(PROGRAMS, "memvault")):
        return f"there are no programs in {PROGRAMS}: deploy/static makes them"
    return None


def setUpModule():
    """For `unittest`: nothing of a module that takes this in runs where it cannot."""
    if reason := reason_to_skip():
        raise unittest.SkipTest(reason)
