"""What a debugger shows of goroutines: the part that knows gort, and no debugger.

A front end (gort_gdb.py, gort_lldb.py) gives a `target` with

    read(address, bytes)      memory as bytes; raises OSError where there is none
    symbol(name)              the address of a C symbol, or None
    now()                     the process's monotonic clock in ns, or None (a core, another machine)
    unwind(registers)         the frames of a context: [(pc, sp, function, place)], inlined ones too
    function_at(pc)           the functions at an address, innermost first: [(function, place)]

The program says where the fields of its structures are (traceback/debug_fields.cc), so it needs no debug information for the list of
goroutines; functions and places come from whatever the debugger knows.
"""

import struct

_STATUS = {0: "idle", 1: "runnable", 2: "running", 3: "syscall", 4: "waiting", 6: "dead", 8: "copystack", 9: "preempted"}
_SCAN, _FRESH = 0x1000, 0x2000

# Functions that say nothing about the program: as traceback/frame_filter.cc.
_PLUMBING = (
    "gort::rt::", "gort_", "__cxa_", "__cxxabiv1::", "__gnu_cxx::__", "_Unwind_", "std::_", "std::apply", "std::invoke",
    "std::function<", "std::terminate", "__gxx_",
)

# Where a signal saved the registers, in a ucontext_t of Linux: register -> offset.
_UCONTEXT = {
    "amd64": dict(
        [(name, 40 + 8 * i) for i, name in enumerate("r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip".split())]
    ),
    "arm64": dict([("x%d" % i, 184 + 8 * i) for i in range(31)] + [("sp", 432), ("pc", 440)]),
}


def _without_result(function):
    """The name alone: that of an instance of a template is demangled with its result, "bool gort::rt::F<1ul>"."""
    result, found, name = function.partition(" gort::")
    return "gort::" + name if found and "<" not in result and "(" not in result else function


def is_plumbing(function):
    if function is None or function == "gort_main":
        return False
    function = _without_result(function)
    if function.startswith(_PLUMBING):
        return True
    return function.startswith("gort::") and "::operator()" in function.rsplit(">", 1)[-1]


def is_spawner(function):
    return is_plumbing(function) or (function is not None and function.startswith("gort::"))


def of_the_program(frames):
    """[(function, place)] of [(pc, sp, function, place)], plumbing left out."""
    found = []
    for pc, _, function, place in frames:
        # Little debug information (-g1) has no scopes: static functions of the runtime have a bare name.
        around = [f for p, _, f, _ in frames if p == pc][-1]
        if not is_plumbing(function) and ("::" in function or not is_plumbing(around)):
            found.append((function, place))
    return found


class Memory:
    """Reads in blocks, each once."""

    _BLOCK = 1 << 16
    _PAGE = 1 << 12

    def __init__(self, read):
        self._read = read
        self._blocks = {}

    def _block(self, base, size):
        key = (base, size)
        if key not in self._blocks:
            try:
                self._blocks[key] = bytes(self._read(base, size))
            except OSError:
                self._blocks[key] = None
        return self._blocks[key]

    def _part(self, address, size):
        """As many bytes as one block has of [address, address + size)."""
        for block in (self._BLOCK, self._PAGE):
            base = address & ~(block - 1)
            data = self._block(base, block)
            if data is not None:
                return data[address - base : address - base + size]
        return bytes(self._read(address, size))

    def read(self, address, size):
        out = self._part(address, size)
        while len(out) < size:
            more = self._part(address + len(out), size - len(out))
            if not more:
                raise OSError("no memory at %#x" % address)
            out += more
        return out

    def word(self, address):
        return struct.unpack("<Q", self.read(address, 8))[0]

    def text(self, address, most=256):
        out = b""
        while address and len(out) < most:
            # Up to the end of the page: the next may not be there.
            out += self.read(address + len(out), min(most - len(out), self._PAGE - ((address + len(out)) & (self._PAGE - 1))))
            if b"\0" in out:
                break
        return out.split(b"\0")[0].decode("utf-8", "replace")


class Fields:
    """The table gort_debug_fields: {name, number, address}, up to a name that is null."""

    def __init__(self, memory, address):
        self.number = {}
        self.address = {}
        while True:
            name, number, place = struct.unpack("<3Q", memory.read(address, 24))
            if name == 0:
                return
            key = memory.text(name)
            self.number[key] = number
            self.address[key] = place
            address += 24


class Goroutine:
    """A snapshot of a G."""

    def __init__(self, world, address):
        f = world.fields.number
        data = world.memory.read(address, f["G.sizeof"])

        def word(name):
            return struct.unpack_from("<Q", data, f["G." + name])[0]

        self.address = address
        self.next = word("alllink")
        self.id = word("goid")
        status = struct.unpack_from("<I", data, f["G.atomicstatus"])[0]
        self.fresh = bool(status & _FRESH)
        self.status = status & ~(_SCAN | _FRESH)
        self.sp = word("sched.sp")
        self.m = word("m")
        self.gopc = word("gopc")
        self.parent = word("parent_goid")
        self.entry = word("entry")
        self.since = word("waitsince")
        self.reason = data[f["G.waitreason"]]
        self.system = bool(data[f["G.system"]])
        self.foreign = bool(data[f["G.foreign"]])
        self.lockedm = word("lockedm")
        self.signal_context = word("signal_context")
        self.name_at = word("name")
        self.stack = (word("stack.lo"), word("stack.hi"))

    @property
    def state(self):
        return _STATUS.get(self.status, "status %d" % self.status)


class _Shape:
    """The frames that goroutines parked at one place have: which words of the stack hold which return addresses."""

    def __init__(self, words, where):
        self.words = words  # [(offset from the stack pointer, value)]
        self.where = where
        self.bytes = max([offset + 8 for offset, _ in words], default=0)

    def fits(self, stack):
        return len(stack) >= self.bytes and all(struct.unpack_from("<Q", stack, o)[0] == v for o, v in self.words)


class World:
    """The goroutines of a process that stands still."""

    def __init__(self, target):
        self.target = target
        self.memory = Memory(target.read)
        table = target.symbol("gort_debug_fields")
        if table is None:
            raise LookupError("no gort program (no symbol gort_debug_fields)")
        self.fields = Fields(self.memory, table)
        if "allgs" not in self.fields.address:  # names that the loader has not put in yet
            raise LookupError("no process, and no core")
        self.cpu = "amd64" if "reg.rbp" in self.fields.number else "arm64"
        self._reasons = {}
        self._shapes = {}
        self._creators = {}
        self._entries = {}
        self._now = None

    # Lists.

    def all(self):
        """Every goroutine there is, oldest first."""
        found = []
        address = self.memory.word(self.fields.address["allgs"])
        while address:
            g = Goroutine(self, address)
            address = g.next
            if g.id != 0 and g.state not in ("idle", "dead"):
                found.append(g)
        found.sort(key=lambda g: g.id)
        return found

    def find(self, goid):
        for g in self.all():
            if g.id == goid:
                return g
        raise LookupError("no goroutine %d" % goid)

    # What is known of one.

    def name(self, g):
        return self.memory.text(g.name_at, 24) if g.name_at else ""

    def reason(self, g):
        if g.state != "waiting" or not 0 < g.reason < self.fields.number["reasons"]:
            return ""
        if g.reason not in self._reasons:
            self._reasons[g.reason] = self.memory.text(self.memory.word(self.fields.address["reasons"] + 8 * g.reason))
        return self._reasons[g.reason]

    def waited(self, g):
        """Whole seconds that g has waited, as far as that is known; else 0.

        Without a clock it is the time up to when the program's monitor last looked at one, or died.
        """
        if self._now is None:
            self._now = self.target.now() or self.memory.word(self.fields.address["coarse_now"])
        return max(0, self._now - g.since) // 10**9 if g.since and g.state == "waiting" else 0

    def thread(self, g):
        """The kernel's number of the thread that g runs on; 0: none."""
        if g.signal_context or not g.m or g.state not in ("running", "syscall", "waiting"):
            return 0
        if g.state == "waiting" and not g.foreign:
            return 0
        m = self.memory.read(g.m + self.fields.number["M.tid"], 4)
        return struct.unpack("<i", m)[0]

    def registers(self, g, frame=b""):
        """The saved context of one that does not run: {register: value}; empty: it has none.

        frame: the first bytes at g.sp, if they were read already.
        """
        if g.signal_context:
            at = _UCONTEXT[self.cpu]
            return dict((r, self.memory.word(g.signal_context + offset)) for r, offset in at.items())
        if g.fresh or g.sp == 0:
            return {}
        f = self.fields.number
        if len(frame) < f["frame.bytes"]:
            frame = bytes(self.target.read(g.sp, f["frame.bytes"]))
        regs = dict((k[4:], struct.unpack_from("<Q", frame, v)[0]) for k, v in f.items() if k.startswith("reg."))
        if regs[self.pc] == self.fields.address["gort_gostart"]:
            return {}
        regs[self.stack_pointer] = g.sp + f["frame.bytes"]
        return regs

    @property
    def pc(self):
        return "rip" if self.cpu == "amd64" else "pc"

    @property
    def stack_pointer(self):
        return "rsp" if self.cpu == "amd64" else "sp"

    # Where it is.

    def where(self, g):
        """The first function of the program that g is in, with its place."""
        if self.thread(g):
            return "(on thread %d)" % self.thread(g)
        # One read for a goroutine, of what most need: a list of very many is made of these.
        data = self._stack(g.sp, g, 1024) if g.sp and not g.signal_context else b""
        try:
            regs = self.registers(g, data)
        except OSError:
            return "?? (its stack is not in the core)"
        if not regs:
            return self._entry(g)
        if g.signal_context:
            return self._first(self.target.unwind(regs))
        pc, sp = regs[self.pc], regs[self.stack_pointer]
        known = self._shapes.setdefault(pc, [])
        stack = data[self.fields.number["frame.bytes"] :]
        size = max([s.bytes for s in known], default=0)
        if len(stack) < size:
            stack = self._stack(sp, g, size)
        for shape in known:
            if shape.fits(stack):
                return shape.where
        frames = self.target.unwind(regs)
        where = self._first(frames)
        known.append(self._shape(sp, g, frames, where))
        return where

    def created_by(self, g):
        if g.id <= 1 or not g.gopc:
            return ""
        if g.gopc not in self._creators:
            functions = self.target.function_at(g.gopc - 1)
            self._creators[g.gopc] = next((f for f in functions if not is_spawner(f[0])), functions[-1] if functions else ("??", ""))
        return "%s at %s" % self._creators[g.gopc] if self._creators[g.gopc][1] else "%s" % self._creators[g.gopc][0]

    def _entry(self, g):
        if g.entry not in self._entries:
            functions = self.target.function_at(g.entry)
            self._entries[g.entry] = "(not yet run) %s" % (functions[-1][0] if functions else "??")
        return self._entries[g.entry]

    def _stack(self, sp, g, size):
        try:
            return bytes(self.target.read(sp, min(size, g.stack[1] - sp))) if size else b""
        except OSError:
            return b""

    @staticmethod
    def _first(frames):
        for function, place in of_the_program(frames):
            return "%s at %s" % (function, place) if place else "%s" % function
        return frames[0][2] if frames else "??"

    def _shape(self, sp, g, frames, where):
        """Which words between two frames' stack pointers are the return addresses."""
        words = []
        places = [(pc, at) for pc, at, _, _ in frames]
        for (_, low), (pc, high) in zip(places, places[1:]):
            if high <= low:  # an inlined function
                continue
            stack = self._stack(low, g, high - low)
            for offset in range(len(stack) - 8, -1, -8):
                if struct.unpack_from("<Q", stack, offset)[0] == pc:
                    words.append((low - sp + offset, pc))
                    break
            function = next((f for p, _, f, _ in frames if p == pc), None)
            if not is_plumbing(function):
                break
        return _Shape(words, where)

    def line(self, g):
        """One line of the list."""
        what = self.reason(g) or g.state
        waited = self.waited(g)
        if waited:
            what += ", %d s" % waited if waited < 120 else ", %d minutes" % (waited // 60)
        if g.lockedm:
            what += ", locked to thread"
        if g.system:
            what += ", system"
        name = self.name(g)
        text = "%6d  [%s]%s  %s" % (g.id, what, ' "%s"' % name if name else "", self.where(g))
        creator = self.created_by(g)
        if creator:
            text += "  created by %s" % creator
            if g.parent:
                text += " in goroutine %d" % g.parent
        return text
