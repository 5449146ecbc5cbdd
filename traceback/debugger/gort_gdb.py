# gdb's commands for goroutines. Follows gort_debug.py in the text that a program carries (.debug_gdb_scripts).
import time

import gdb
import gdb.printing
import gdb.unwinder


class _FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class _ParkedUnwinder(gdb.unwinder.Unwinder):
    """While a goroutine is shown, the frame below the thread's innermost one is the goroutine's.

    So registers are written nowhere, which works on a core as well.
    """

    def __init__(self):
        super().__init__("gort")
        self.registers = None
        self.frame0 = None

    def show(self, registers, frame0):
        self.registers = registers
        self.frame0 = frame0
        gdb.invalidate_cached_frames()

    def hide(self):
        self.show(None, None)

    def __call__(self, pending):
        if self.registers is None:
            return None
        sp = "rsp" if "rsp" in self.registers else "sp"
        pc = "rip" if "rip" in self.registers else "pc"
        here = pending.read_register(sp)
        if (int(here), int(pending.read_register(pc))) != self.frame0:
            return None
        # A frame must be below its caller: the goroutine's.
        below = gdb.Value(self.registers[sp] - 16).cast(here.type)
        info = pending.create_unwind_info(_FrameId(below, pending.read_register(pc)))
        for name, value in self.registers.items():
            try:
                kind = pending.read_register(name).type
                saved = gdb.Value(value).cast(kind)
            except (ValueError, gdb.error):  # arm64: d8 is a union, which no number becomes
                continue
            if kind.sizeof == 8:
                info.add_saved_register(name, saved)
        return info


_unwinder = _ParkedUnwinder()


class _ProgramFrames:
    """Leaves plumbing out of the backtraces of `goroutine N bt`; `goroutine N bt -no-filters` has it."""

    def __init__(self):
        self.name = "gort"
        self.priority = 100
        self.enabled = False
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        for decorated in frames:
            frame = decorated.inferior_frame()
            if frame.level() == 0 and _unwinder.registers is not None:
                continue
            name = _name(frame)
            if is_plumbing(name):
                continue
            yield decorated


_filter = _ProgramFrames()


def _mask(value):
    return int(value) & 0xFFFFFFFFFFFFFFFF


def _base(path):
    return path.rsplit("/", 1)[-1]


def _name(frame):
    """The function of a frame, with its scopes.

    Little debug information (-g1) has none of a static function; the symbol has.
    """
    name = frame.name()
    if (name is None or "::" not in name) and frame.type() != gdb.INLINE_FRAME:
        symbol = gdb.execute("info symbol %#x" % (frame.pc() - 1), to_string=True)
        if " in section " in symbol:
            symbol = symbol.split(" in section ")[0].split(" + ")[0].replace("(anonymous namespace)", "{anonymous}")
            return symbol.split("(")[0] or name or "??"
    return name or "??"


def _place(frame):
    sal = frame.find_sal()
    return "%s:%d" % (_base(sal.symtab.filename), sal.line) if sal.symtab else ""


class _Target:
    """What gort_debug.py asks of gdb."""

    def read(self, address, size):
        try:
            return gdb.selected_inferior().read_memory(address, size)
        except gdb.MemoryError as e:
            raise OSError(str(e))

    def symbol(self, name):
        try:
            return _mask(gdb.parse_and_eval("(unsigned long)&" + name))
        except gdb.error:
            return None

    def now(self):
        connection = gdb.selected_inferior().connection
        local = connection is not None and connection.type == "native"
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) if local else None

    def unwind(self, registers):
        frames = []

        def collect():
            frame = gdb.newest_frame().older()
            while frame is not None and frame.is_valid() and len(frames) < 200:
                sp = _mask(frame.read_register("sp"))
                frames.append((frame.pc(), sp, _name(frame), _place(frame)))
                frame = frame.older()

        _with_registers(registers, collect)
        return frames

    def function_at(self, pc):
        """By a frame that is not there: gdb says where inlined functions were called for frames only."""
        found = []

        def collect():
            frame = gdb.newest_frame().older()
            while frame is not None and frame.is_valid():
                found.append((_name(frame), _place(frame)))
                if frame.type() != gdb.INLINE_FRAME:
                    return
                frame = frame.older()

        x86 = gdb.selected_inferior().architecture().name().startswith("i386")
        here = _mask(gdb.newest_frame().read_register("sp")) + 1024
        # A frame's address may count from the frame pointer.
        registers = {"rsp": here, "rbp": here, "rip": pc + 1} if x86 else {"sp": here, "x29": here, "x30": 0, "pc": pc + 1}
        _with_registers(registers, collect)
        return found


def _with_registers(registers, do):
    """Runs do() while the caller of the innermost frame is the context with these registers."""
    thread = gdb.selected_thread()
    if thread is None:
        raise gdb.GdbError("no process, and no core")
    _unwinder.hide()
    frame = gdb.newest_frame()
    frame0 = (_mask(frame.read_register("sp")), _mask(frame.pc()))
    _unwinder.show(registers, frame0)
    try:
        return do()
    finally:
        _unwinder.hide()


def _world():
    try:
        return World(_Target())
    except LookupError as e:
        raise gdb.GdbError(str(e))


def _thread_of(tid):
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid:
            return thread
    raise gdb.GdbError("gdb knows no thread %d" % tid)


def _without_frame0(text):
    """A backtrace without the thread's own frame."""
    lines = text.splitlines(True)
    first = next((i for i, line in enumerate(lines) if line.startswith("#1 ")), 0)
    return "".join(lines[first:])


_BACKTRACES = ("bt", "backtrace", "where")


def _run(world, g, command):
    """Runs gdb's `command` with goroutine g selected."""
    backtrace = command.split()[0] in _BACKTRACES
    old_thread = gdb.selected_thread()
    old_frame = gdb.selected_frame() if old_thread is not None else None
    _filter.enabled = backtrace
    try:
        tid = world.thread(g)
        if tid:
            _thread_of(tid).switch()
            gdb.execute(command)
            return
        registers = world.registers(g)
        if not registers:
            gdb.write("%s\n" % world.where(g))
            return

        def there():
            gdb.newest_frame().older().select()
            if backtrace:
                gdb.write(_without_frame0(gdb.execute(command, to_string=True)))
            else:
                gdb.execute(command)

        _with_registers(registers, there)
    finally:
        _filter.enabled = False
        if old_thread is not None and old_thread.is_valid():
            old_thread.switch()
            if old_frame is not None and old_frame.is_valid():
                old_frame.select()


class _InfoGoroutines(gdb.Command):
    """List goroutines: number, state or what it waits for, name, where it is in the program, who created it.

info goroutines [TEXT]: those with TEXT in their line.
The runtime's own are left out; `info goroutines -a` shows them too."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        all_of_them = bool(words) and words[0] == "-a"
        text = words[1] if all_of_them and len(words) > 1 else "" if all_of_them else argument
        world = _world()
        shown = 0
        out = []
        for g in world.all():
            if g.system and not all_of_them:
                continue
            line = world.line(g)
            if text in line:
                out.append(line)
                shown += 1
        gdb.write("\n".join(out) + ("\n" if out else ""))
        gdb.write("%d goroutine%s\n" % (shown, "" if shown == 1 else "s"))


class _GoroutineCommand(gdb.Command):
    """Run a command of gdb in a goroutine, and come back.

goroutine N COMMAND      goroutine 7 bt, goroutine 7 bt full, goroutine 7 frame function worker
goroutine N              its line of `info goroutines`
goroutine all COMMAND    in each goroutine of the program

Frame 1 is the innermost frame of one that is parked. Nothing is written to the process: this works on a core too."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if not words:
            raise gdb.GdbError("goroutine N COMMAND, or goroutine all COMMAND")
        command = words[1] if len(words) > 1 else ""
        world = _world()
        try:
            chosen = [g for g in world.all() if not g.system] if words[0] == "all" else [world.find(int(words[0]))]
        except (LookupError, ValueError) as e:
            raise gdb.GdbError(str(e))
        for g in chosen:
            if words[0] == "all" or not command:
                gdb.write("%s\n" % world.line(g))
            if not command:
                continue
            try:
                _run(world, g, command)
            except (gdb.error, OSError) as e:
                if words[0] != "all":
                    raise gdb.GdbError(str(e))
                gdb.write("%s\n" % e)


# Values of gort's types.


def _plain(value):
    """What a std::atomic of libstdc++ holds."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        names = [f.name for f in value.type.strip_typedefs().fields()]
        inner = next((n for n in ("_M_base", "_M_i", "_M_b", "_M_p") if n in names), None)
        value = value[inner] if inner else value.cast(value.type.strip_typedefs().fields()[0].type)
    return value


def _waiters(sudog):
    """How many stand in a channel's queue; at most a thousand are counted."""
    n = 0
    world = _world()
    while sudog and n < 1000:
        n += 1
        sudog = world.memory.word(sudog + world.fields.number["Sudog.next"])
    return n


class _ChanPrinter:
    """gort::Chan and its halves."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        c = self._value["c_"]
        if int(c) == 0:
            return "nil channel"
        waiting = []
        for queue, what in (("recvq", "receivers"), ("sendq", "senders")):
            n = _waiters(_mask(_plain(c[queue]["first_"])))
            if n:
                waiting.append("%d %s wait" % (n, what))
        closed = ["closed"] if int(_plain(c["closed"])) else []
        return ", ".join(["channel %d/%d" % (int(_plain(c["qcount"])), int(c["dataqsiz"]))] + closed + waiting)


class _MutexPrinter:
    """gort::Mutex."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        s = int(_plain(self._value["state_"]))
        return "%s, %d waiting%s" % ("locked" if s & 1 else "unlocked", s >> 4, ", starving" if s & 4 else "")


class _WaitGroupPrinter:
    """gort::WaitGroup."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        s = int(_plain(self._value["state_"]))
        return "counter %d%s" % (s // int(self._value["kOne"]), ", waited for" if s & 1 else "")


class _ContextPrinter:
    """gort::Context."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        node = self._value["h_"]["n_"]
        depth = 0
        canceller = None
        if int(node) != 0 and int(node.dereference()["canceller"]) != 0:
            canceller = node.dereference()["canceller"]
        while int(node) != 0 and depth < 1000:
            depth += 1
            node = node.dereference()["parent"]
        text = "background" if depth == 0 else "context, %d below background" % depth
        if canceller is not None:
            try:
                text += ", canceled" if int(_plain(canceller.dereference()["state"])) else ", not canceled"
            except gdb.error:
                pass  # the compiler has not written the type down
        return text


def _printers():
    printers = gdb.printing.RegexpCollectionPrettyPrinter("gort")
    printers.add_printer("Chan", "^gort::(Chan|SendChan|RecvChan)<.*>$", _ChanPrinter)
    printers.add_printer("Mutex", "^gort::Mutex$", _MutexPrinter)
    printers.add_printer("WaitGroup", "^gort::WaitGroup$", _WaitGroupPrinter)
    printers.add_printer("Context", "^gort::Context$", _ContextPrinter)
    return printers


def _install():
    _InfoGoroutines()
    _GoroutineCommand()
    gdb.unwinder.register_unwinder(None, _unwinder, replace=True)
    gdb.printing.register_pretty_printer(None, _printers(), replace=True)
    # Pre-emption's signal comes every few milliseconds, and says nothing to whoever debugs.
    gdb.execute("handle SIGURG nostop noprint pass", to_string=True)


_install()
