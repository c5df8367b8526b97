"""What the documents say and what the code says: versions, commands, flags and their defaults, links."""

import glob
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


def documents():
    """The paths of all documents, from the root of the repository."""
    found = []
    for pattern in ("*.md", "docs/*.md", "fuzz/*.md", "memvault*/*.md", "examples/*/*.md"):
        found += glob.glob(pattern, root_dir=processes.REPOSITORY)
    return sorted(found)


def examples():
    """All lines of the documents' blocks of shell commands."""
    blocks = [block for path in documents() for block in re.findall(r"```sh\n(.*?)```", read(path), re.DOTALL)]
    return "\n".join(blocks)


def anchors(text):
    """What a link can name within a document, as GitHub makes it from the headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


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


class Documents(unittest.TestCase):
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
        [listed] = re.findall(r"<!-- commands:.*?-->(.*?)<!--", read("docs", "commands.md"), re.DOTALL)
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
        table = read("docs", "limits.md")
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
        walk = read("docs", "containers.md")
        killed = re.search(r"^docker compose kill ((?:\w )+)", walk, re.MULTILINE)[1].split()
        user = re.search(r"localhost:3000/user/(\d+)", read("examples", "user-api", "README.md"))[1]
        members = ",".join(f"{service}:6379" for service in re.findall(r"^  ([a-j]):", read("compose.yml"), re.MULTILINE))
        self.assertEqual(members.count(","), 9)
        ring = [processes.BINARY, "ring", "--cluster", members, "--timeout", "0s", "--json", "--key", f"user:{user}"]
        done = subprocess.run(ring, capture_output=True, check=True)
        [key] = json.loads(done.stdout)["keys"]
        left = [node for node in key["preference_list"] if node.removesuffix(":6379") not in killed]
        self.assertGreaterEqual(len(left), 2, key)

    def test_every_flag_and_subcommand_in_an_example_exists(self):
        used = re.findall(r"^(?:memvault|cargo run --release --) (\w+)(.*?)(?:\s#.*)?$", examples(), re.MULTILINE)
        self.assertGreater(len(used), 40)
        for command, rest in used:
            words = [command, *rest.split()]
            # Some commands have commands of their own.
            path = words[:2] if command == "cluster" or words[:2] == ["sim", "scale"] else words[:1]
            for flag in re.findall(r"--[a-z-]+", rest):
                with self.subTest(command=" ".join(path), flag=flag):
                    self.assertIn(flag, help_of(*path))

    def test_the_readme_is_short(self):
        self.assertLessEqual(read("README.md").count("\n"), 200)

    def test_every_link_leads_somewhere(self):
        links = 0
        for path in documents():
            text = re.sub(r"^```.*?^```", "", read(path), flags=re.DOTALL | re.MULTILINE)
            targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'\bsrc(?:set)?="([^"]+)"', text)
            for target in targets:
                if re.match(r"https?://|mailto:", target):
                    continue
                links += 1
                with self.subTest(document=path, link=target):
                    name, _, anchor = target.partition("#")
                    to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
                    self.assertTrue(os.path.exists(os.path.join(processes.REPOSITORY, to)))
                    if anchor:
                        self.assertIn(anchor, anchors(read(to)))
        self.assertGreater(links, 50)

    def test_the_server_of_the_readme_runs_as_it_is_written(self):
        part = read("README.md").split("### The server")[1]
        lines = re.search(r"```sh\n(.*?)```", part, re.DOTALL)[1].strip().splitlines()
        serve, store, load = [line.split("#")[0].split()[1:] for line in lines]
        [port] = processes.free_ports(1)
        # The usual port may be taken; the variable stands for the flag that the README leaves out.
        os.environ["MEMVAULT_PORT"] = str(port)
        self.addCleanup(os.environ.pop, "MEMVAULT_PORT")
        server = processes.start([processes.BINARY, *serve], port)
        self.addCleanup(server.stop)
        subprocess.run([processes.BINARY, *store], capture_output=True, check=True)
        loaded = subprocess.run([processes.BINARY, *load], capture_output=True, check=True)
        self.assertEqual(loaded.stdout, b"hello\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
