"""The child process: it can confine itself as whoever it runs, and what it gave up is gone."""

import json
import subprocess
import sys
import textwrap

import pytest

WISH = {
    "command": ["/bin/sh"],
    "directory": "/",
    "readable": ["/usr"],
    "writable": [],
    "memory_bytes": 1 << 30,
    "cpu_seconds": 10,
    "file_bytes": 1 << 20,
    "open_files": 64,
}
NOBODY = 65534


def confined(program, *, user=None):
    """Run a program in a process that has confined itself; give what it printed, line by line."""
    source = f"""
        import errno, json, os, socket, sys
        from millwright_modules.confinement import child, kernel

        def tried(what):
            try:
                what()
            except OSError as error:
                return errno.errorcode[error.errno]
            return "done"

        user = json.loads({json.dumps(json.dumps(user))})
        if user is not None and os.getuid() == 0:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            kernel.prctl(4, 1)  # as it is for a program that this user begins
        child.confine(json.loads({json.dumps(json.dumps(WISH))}) | {{"parent": os.getppid()}})
    """
    whole = textwrap.dedent(source) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.usefixtures("esbuild")
@pytest.mark.parametrize("user", [None, NOBODY])
def test_an_ordinary_user_can_confine_a_build(user):
    assert confined("print('confined')", user=user) == ["confined"]


@pytest.mark.usefixtures("esbuild")
def test_files_the_network_and_other_programs_are_out_of_reach():
    program = """
        print(tried(lambda: open("/etc/passwd")))
        print(tried(lambda: open("/proc/self/environ")))
        print(tried(lambda: os.listdir("/")))
        print(tried(lambda: open(f"/tmp/{os.getpid()}.new", "w")))
        print(tried(lambda: os.execv("/usr/bin/env", ["env"])))
        print(tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
        print(tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        print(tried(lambda: socket.socket(socket.AF_UNIX)))
        print(tried(lambda: os.listdir("/usr")))
    """
    assert confined(program) == [*["EACCES"] * 8, "done"]
