"""Steps from a frame to its caller by the unwind tables (.eh_frame) that objects carry. Knows no debugger."""

import bisect


class Cpu:
    """DWARF's numbers of the registers that matter here: the callee-saved ones, the stack pointer and the return address."""

    def __init__(self, pc, sp, ra, number):
        self.pc, self.sp, self.ra, self.number = pc, sp, ra, number


AMD64 = Cpu("rip", 7, 16, {"rbx": 3, "rbp": 6, "rsp": 7, "r12": 12, "r13": 13, "r14": 14, "r15": 15})
ARM64 = Cpu("pc", 31, 30, dict([("x%d" % i, i) for i in range(19, 31)] + [("sp", 31)]))


class _Reader:

    def __init__(self, data, at, end):
        self.data, self.at, self.end = data, at, end

    def fixed(self, size, signed=False):
        value = int.from_bytes(self.data[self.at:self.at + size], "little", signed=signed)
        self.at += size
        return value

    def uleb(self):
        value = shift = 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def sleb(self):
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def text(self):
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at:end].decode()
        self.at = end + 1
        return found

    def pointer(self, encoding, base):
        """A value in a DW_EH_PE encoding; base: the address of the section."""
        place = base + self.at
        size = {0x0: 8, 0x2: 2, 0x3: 4, 0x4: 8, 0xA: 2, 0xB: 4, 0xC: 8}.get(encoding & 0x0F)
        if size is None:
            raise ValueError("encoding %#x" % encoding)
        return self.fixed(size, encoding & 0x08 != 0) + (place if encoding & 0x70 == 0x10 else 0)


class _Cie:

    def __init__(self, data, at, end, base):
        r = _Reader(data, at, end)
        version = r.fixed(1)
        augmentation = r.text()
        self.code, self.data = r.uleb(), r.sleb()
        self.ra = r.fixed(1) if version == 1 else r.uleb()
        self.encoding = 0
        self.augmented = augmentation.startswith("z")
        if self.augmented:
            length = r.uleb()
            self.program = (r.at + length, end)
            for letter in augmentation[1:]:
                if letter == "R":
                    self.encoding = r.fixed(1)
                elif letter == "L":
                    r.fixed(1)
                elif letter == "P":
                    r.pointer(r.fixed(1), base)
        else:
            self.program = (r.at, end)


class _Row:
    """Where the caller's registers are: {register: (rule, value)}, and the frame's address (register, offset)."""

    def __init__(self, rules, cfa):
        self.rules, self.cfa = dict(rules), cfa

    def copy(self):
        return _Row(self.rules, self.cfa)


class Table:
    """The functions of an object's .eh_frame: data, and the address where the file says that it lies."""

    def __init__(self, data, base):
        self._data, self._base = data, base
        self._cies = {}
        self._functions = sorted(self._fdes())
        self._starts = [f[0] for f in self._functions]

    def _fdes(self):
        at = 0
        while at + 4 <= len(self._data):
            r = _Reader(self._data, at, len(self._data))
            length = r.fixed(4)
            if length == 0:
                break
            begin = r.at
            cie = r.fixed(4)
            if cie != 0:
                parent = self._cie(begin - cie)
                start = r.pointer(parent.encoding, self._base)
                size = r.pointer(parent.encoding & 0x0F, self._base)
                yield start, start + size, begin - cie, r.at, begin + length
            at = begin + length

    def _cie(self, at):
        if at not in self._cies:
            length = _Reader(self._data, at, len(self._data)).fixed(4)
            self._cies[at] = _Cie(self._data, at + 8, at + 4 + length, self._base)
        return self._cies[at]

    def step(self, cpu, registers, pc, word):
        """({register: value} of the caller, its pc) of a frame at pc; None: nothing is known, or it is the outermost."""
        i = bisect.bisect_right(self._starts, pc) - 1
        if i < 0 or pc >= self._functions[i][1]:
            return None
        start, _, cie_at, at, end = self._functions[i]
        cie = self._cie(cie_at)
        row = self._row(cie, at, end, start, pc)
        register, offset = row.cfa
        if register is None or register not in registers:
            return None
        cfa = registers[register] + offset
        caller = dict(registers)
        for r, (rule, value) in row.rules.items():
            if rule == "offset":
                caller[r] = word(cfa + value)
            elif rule == "undefined":
                caller.pop(r, None)
        caller[cpu.sp] = cfa
        return (caller, caller[cpu.ra]) if caller.get(cpu.ra) else None

    def _row(self, cie, at, end, start, pc):
        """The rules at pc: of the prologue's program in the CIE, then of the function's."""
        row = self._run(_Reader(self._data, *cie.program), cie, _Row({}, (None, 0)), None, start, pc)
        r = _Reader(self._data, at, end)
        if cie.augmented:
            length = r.uleb()
            r.at += length
        return self._run(r, cie, row.copy(), row, start, pc)

    def _run(self, r, cie, row, first, location, pc):
        stack = []
        while r.at < r.end:
            op = r.fixed(1)
            high, low = op & 0xC0, op & 0x3F
            if high == 0x40:
                location += low * cie.code
            elif high == 0x80:
                row.rules[low] = ("offset", r.uleb() * cie.data)
            elif high == 0xC0:
                _restore(row, first, low)
            elif op in (0x02, 0x03, 0x04):
                location += r.fixed({2: 1, 3: 2, 4: 4}[op]) * cie.code
            elif op == 0x05:
                register = r.uleb()
                row.rules[register] = ("offset", r.uleb() * cie.data)
            elif op == 0x06:
                _restore(row, first, r.uleb())
            elif op == 0x07:
                row.rules[r.uleb()] = ("undefined", 0)
            elif op == 0x08:
                row.rules.pop(r.uleb(), None)
            elif op == 0x0A:
                stack.append(row.copy())
            elif op == 0x0B:
                row = stack.pop()
            elif op == 0x0C:
                row.cfa = (r.uleb(), r.uleb())
            elif op == 0x0D:
                row.cfa = (r.uleb(), row.cfa[1])
            elif op == 0x0E:
                row.cfa = (row.cfa[0], r.uleb())
            elif op == 0x11:
                register = r.uleb()
                row.rules[register] = ("offset", r.sleb() * cie.data)
            elif op == 0x2E:
                r.uleb()
            elif op not in (0x00, 0x2D):  # an expression: of signal frames and of the linker's tables, where this walk ends
                row.cfa = (None, 0)
                return row
            if location > pc:
                return row
        return row


def _restore(row, first, register):
    if first is not None and register in first.rules:
        row.rules[register] = first.rules[register]
    else:
        row.rules.pop(register, None)
