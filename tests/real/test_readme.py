"""What the README says and what the code says: versions, commands, flags and their defaults."""

import json
import os
import re
import subprocess
import unittest

import processes
import wire


def read(*path):
    """A file of the repository."""
    with open(os.path.join(processes.REPOSITORY, *path), encoding="utf-8") as file:
        return file.read()


def help_of(*command):
    """The flags of a subcommand, each with its help text on one line."""
    done = subprocess.run([processes.BINARY, *command, "--help"], capture_output=True, check=True)
    flags = {}
    for line in done.stdout.decode().splitlines():
        flag = re.match(r"\s+(?:-\w, )?(--[a-z-]+)", line)
        if flag:
            name = flag[1]
            flags[name] = ""
        if flags:
            flags[name] += " " + line.strip()
    return flags


class Readme(unittest.TestCase):
    def test_the_rust_version_is_that_of_the_manifest(self):
        [version] = re.findall(r'rust-version = "([0-9.]+)"', read("Cargo.toml"))
        self.assertIn(f"[Rust](https://rustup.rs) {version} or newer", read("README.md"))
        for manifest in ("nostd-proof", "fuzz"):
            self.assertIn(f'rust-version = "{version}"', read(manifest, "Cargo.toml"))

    def test_the_version_is_in_the_changelog(self):
        [version] = re.findall(r'\[workspace\.package\]\nversion = "([0-9.]+)"', read("Cargo.toml"))
        self.assertRegex(read("CHANGELOG.md"), rf"## \[({re.escape(version)}|Unreleased)\]")
        done = subprocess.run([processes.BINARY, "--version"], capture_output=True, check=True)
        self.assertEqual(done.stdout.decode().strip(), f"memvault {version}")

    def test_the_commands_are_those_of_the_server(self):
        [listed] = re.findall(r"<!-- commands:.*?-->(.*?)<!--", read("README.md"), re.DOTALL)
        listed = re.findall(r"`([A-Z.]+)`", listed)
        self.assertEqual(listed, sorted(listed))
        server = processes.start_serve()
        self.addCleanup(server.stop)
        connection = wire.Connection(server)
        self.addCleanup(connection.close)
        reply = connection.ask([b"COMMAND", b"LIST"]).split(b"\r\n")
        names = [name.decode().upper() for name in reply[2::2]]
        self.assertEqual(listed, sorted(names))

    def test_the_limits_are_flags_with_these_defaults(self):
        flags = help_of("serve")
        table = read("README.md").split("## Limits")[1].split("\n## ")[0]
        rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| [^|]+ \| `(--[a-z-]+)` \|$", table, re.MULTILINE)
        self.assertGreater(len(rows), 5)
        for default, flag in rows:
            with self.subTest(flag=flag):
                self.assertIn(flag, flags)
                default = default.split(" (")[0]
                written = default.lower().replace(" ", "").replace("kib", "kb").replace("mib", "mb").replace("gib", "gb")
                written = {"none": "no limit"}.get(written, written)
                expected = f"[default: {written}]"
                self.assertIn(expected, flags[flag])

    def test_the_docker_walk_leaves_two_replicas_of_the_user_it_asks_for(self):
        text = read("README.md")
        killed = re.search(r"^docker compose kill ((?:\w )+)", text, re.MULTILINE)[1].split()
        user = re.search(r"localhost:3000/user/(\d+)", text)[1]
        members = ",".join(f"{service}:6379" for service in re.findall(r"^  ([a-j]):", read("compose.yml"), re.MULTILINE))
        self.assertEqual(members.count(","), 9)
        ring = [processes.BINARY, "ring", "--cluster", members, "--timeout", "0s", "--json", "--key", f"user:{user}"]
        done = subprocess.run(ring, capture_output=True, check=True)
        [key] = json.loads(done.stdout)["keys"]
        left = [node for node in key["preference_list"] if node.removesuffix(":6379") not in killed]
        self.assertGreaterEqual(len(left), 2, key)

    def test_every_flag_and_subcommand_in_an_example_exists(self):
        examples = "\n".join(re.findall(r"```sh\n(.*?)```", read("README.md"), re.DOTALL))
        used = re.findall(r"^(?:memvault|cargo run --release --) (\w+)(.*?)(?:\s#.*)?$", examples, re.MULTILINE)
        self.assertGreater(len(used), 10)
        for command, rest in used:
            words = [command, *rest.split()]
            # Some commands have commands of their own.
            path = words[:2] if command == "cluster" or words[:2] == ["sim", "scale"] else words[:1]
            for flag in re.findall(r"--[a-z-]+", rest):
                with self.subTest(command=" ".join(path), flag=flag):
                    self.assertIn(flag, help_of(*path))


if __name__ == "__main__":
    unittest.main(verbosity=2)
