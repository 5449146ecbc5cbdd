"""Replays what documents show of a debugger and of a shell, and compares what it prints with what the document says.

replay.py DOCUMENT CPU    prints the document's commands for gdb, as a script: gdb -x SCRIPT PROGRAM

A document tells the sessions in fenced blocks:

    ```gdb                the next commands of the session, each after "(gdb) " (its further lines after ">"), and under each what gdb prints
    ```gdb amd64          the same, on that CPU alone (or arm64)
    ```gdb start PROGRAM [NAME=VALUE...] [-- ARGUMENT...]    the same; a new session with //PROGRAM begins
    ```console            "$ [NAME=VALUE...] bazel-bin/PROGRAM [ARGUMENT...]", and what it prints, on both outputs

What is said must be printed, line by line; blank lines do not count, nor do the numbers of breakpoints and of values, nor addresses
(hexadecimal numbers of five digits or more). In what is said … stands for any text, and alone on its line for any lines. A command with
nothing said under it may print anything but an error.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

_FENCE = re.compile(r"^```(gdb|console)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CPUS = ("amd64", "arm64")
_PATIENCE = 60  # seconds, for one session
# What gdb says for itself, differently from machine to machine.
_NOISE = re.compile(r"^([Ww]arning: .*|\[Thread debugging .*|Using host libthread_db .*|\[(New|Switching to) .*|\[Thread .* exited\]|Continuing\.|"
                    r"Starting program: .*|\[Inferior \d+ .*|Remote debugging using .*|qemu-aarch64: .*)$")


class Step:
    """A command, the line of the document where it stands, and what the document says it prints (none: not said)."""

    def __init__(self, command, line):
        self.command = command
        self.line = line
        self.said = []


class Session:
    """The steps of one program's run: in gdb, or by a shell."""

    def __init__(self, kind, program, environment, arguments):
        self.kind = kind
        self.program = program
        self.environment = environment
        self.arguments = arguments
        self.steps = []


def _steps(text, first_line, prompt):
    found = []
    for number, line in enumerate(text.split("\n"), first_line):
        if line.startswith(prompt):
            found.append(Step(line[len(prompt):], number))
        elif line.startswith(">") and prompt == "(gdb) " and found and not found[-1].said:
            found[-1].command += "\n" + line[1:]
        elif line.strip():
            if not found:
                raise ValueError("line %d: a block begins with a command" % number)
            found[-1].said.append(line)
    return found


def _environment(words):
    """(environment, the words after it)."""
    environment = {}
    while words and re.match(r"^[A-Z]\w*=", words[0]):
        name, _, value = words[0].partition("=")
        environment[name] = value
        words = words[1:]
    return environment, words


def sessions(text, cpu):
    """What a document tells of this CPU."""
    found = []
    for m in _FENCE.finditer(text):
        line = text.count("\n", 0, m.start(3)) + 1
        if m.group(1) == "console":
            for step in _steps(m.group(3), line, "$ "):
                environment, words = _environment(shlex.split(step.command))
                found.append(Session("console", words[0][len("bazel-bin/"):], environment, words[1:]))
                found[-1].steps.append(step)
            continue
        words = m.group(2).split()
        if words[:1] == ["start"]:
            environment, rest = _environment(words[2:])
            found.append(Session("gdb", words[1], environment, rest[1:]))
            words = []
        if words and words[0] in CPUS and words[0] != cpu:
            continue
        session = next((s for s in reversed(found) if s.kind == "gdb"), None)
        if session is None:
            raise ValueError("line %d: no session has begun (```gdb start PROGRAM)" % line)
        session.steps += _steps(m.group(3), line, "(gdb) ")
    return [s for s in found if s.steps]


def _normal(line):
    line = re.sub(r"\b0x[0-9a-f]{5,}\b", "0x~", line.rstrip())
    line = re.sub(r"^\$\d+ = ", "$ = ", line)
    line = re.sub(r"\b([Bb]reakpoint|[Ww]atchpoint) \d+\b", r"\1 ~", line)
    return re.sub(r"[\t ]+", " ", line)


def _pattern(line):
    return re.compile(".*".join(re.escape(part) for part in _normal(line).split("…")) + "$")


def agrees(said, printed):
    """Whether the lines printed are those said."""
    if not said:
        return not printed
    if said[0].strip() == "…":
        return any(agrees(said[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and _pattern(said[0]).match(_normal(printed[0])) is not None and agrees(said[1:], printed[1:])


def _lines(text):
    return [line for line in text.split("\n") if line.strip() and not _NOISE.match(line.strip())]


def complaint(step, printed):
    """What is wrong with what a step printed; empty: nothing."""
    lines = _lines(printed)
    if not step.said:
        failed = [line for line in lines if line.startswith("error: ")]
        return "line %d: %s\n  %s" % (step.line, step.command, failed[0]) if failed else ""
    if agrees(step.said, lines):
        return ""
    return "line %d: %s\n  said:\n    %s\n  printed:\n    %s" % (step.line, step.command, "\n    ".join(step.said), "\n    ".join(lines))


_DRIVER = """
import gdb
for number, command in enumerate(%r):
    gdb.write("\\n@@%%d@@\\n" %% number)
    gdb.flush()
    try:
        gdb.execute(command)
    except gdb.error as e:
        gdb.write("error: %%s\\n" %% e)
    gdb.flush()
"""


class _Emulator:
    """The program under qemu-user, which stands still until gdb comes to its socket."""

    def __init__(self, command, environment, folder):
        self.socket = os.path.join(folder, "gdb")
        self.process = subprocess.Popen([command[0], "-g", self.socket] + command[1:], env=environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise OSError("the emulator did not begin to listen")
            time.sleep(0.01)

    def _listens(self):
        """The socket has a name a moment before it can be connected to."""
        with open("/proc/net/unix", encoding="utf-8") as f:
            return any(line.split()[-1] == self.socket and line.split()[3] == "00010000" for line in f)

    def end(self):
        self.process.kill()
        self.process.wait()


def _output(words, environment):
    """What a command prints on both outputs; it ends, or is ended."""
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    late = ""
    try:
        printed, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        printed, _ = process.communicate()
        late = "\nerror: no end after %d s\n" % _PATIENCE
    return printed.decode("utf-8", "replace") + late


def _gdb(session, program, under):
    """What each step of a session in gdb prints."""
    environment = dict(os.environ, **session.environment)
    with tempfile.TemporaryDirectory() as folder:
        commands = [s.command for s in session.steps]
        command = [program] + session.arguments
        emulator = _Emulator(under + command, environment, folder) if under else None
        try:
            if emulator:
                commands = [re.sub(r"^target remote .*", "target remote " + emulator.socket, c) for c in commands]
            driver = os.path.join(folder, "driver.py")
            with open(driver, "w", encoding="utf-8") as f:
                f.write(_DRIVER % (commands,))
            words = ["gdb-multiarch" if under else "gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex",
                     "add-auto-load-safe-path " + os.path.dirname(os.path.realpath(program)), "-x", driver, "--args"] + command
            text = _output(words, environment)
        finally:
            if emulator:
                emulator.end()
    parts = re.split(r"\n?@@\d+@@\n", text)[1:]
    return parts + ["error: gdb is gone"] * (len(commands) - len(parts))


def _console(session, program, under):
    return [_output(under + [program] + session.arguments, dict(os.environ, **session.environment))]


def replay(session, under):
    """The complaints about a session. The program is looked for in the current folder; under: an emulator's words, or none."""
    printed = (_gdb if session.kind == "gdb" else _console)(session, os.path.abspath(session.program), under)
    return [c for c in map(complaint, session.steps, printed) if c]


def main(argv):
    if len(argv) != 3 or argv[2] not in CPUS:
        print(__doc__, file=sys.stderr)
        return 2
    with open(argv[1], encoding="utf-8") as f:
        for session in sessions(f.read(), argv[2]):
            for step in session.steps if session.kind == "gdb" else []:
                print("echo (gdb) %s\\n\n%s" % (step.command.replace("\\", "\\\\").replace("\n", "\\n>"), step.command))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
