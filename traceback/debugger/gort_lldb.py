"""lldb's commands for goroutines:  command script import traceback/debugger/gort_lldb.py

    goroutines [TEXT]       the list: those with TEXT in their line; `goroutines -a` has the runtime's own too
    goroutine N [bt]        its line, and with bt its stack
    goroutine all bt        each goroutine of the program

lldb 14 lets a script make no frames, so a stack is functions and places, without variables. It is walked by the unwind tables that the
program and its libraries carry, on a live process and on a core; nothing is written to either.
"""

import os
import struct
import sys
import time

import lldb

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import eh_frame  # noqa: E402  # pylint: disable=wrong-import-position
from gort_debug import World, of_the_program  # noqa: E402  # pylint: disable=wrong-import-position

_MOST_FRAMES = 200


class _Target:
    """What gort_debug.py asks of lldb."""

    def __init__(self, target):
        self._target = target
        self._process = target.GetProcess()
        self._is_core = self._process.GetPluginName() == "elf-core"
        self._tables = {}

    def read(self, address, size):
        if not self._is_core:
            return self._read(address, size)
        data = b""
        while len(data) < size:
            data += self._part_of_core(address + len(data), size - len(data))
        return data

    def _part_of_core(self, address, size):
        """At most size bytes. Beyond the end of a mapping lldb 14 reads zeros; what the system left out of a core stands in the object."""
        where = self._target.ResolveLoadAddress(address)
        section = where.GetSection()
        if section.IsValid() and not section.GetPermissions() & lldb.ePermissionsWritable:
            data = section.GetSectionData(where.GetOffset(), min(size, section.GetByteSize() - where.GetOffset()))
            return data.ReadRawData(lldb.SBError(), 0, data.GetByteSize())
        region = lldb.SBMemoryRegionInfo()
        if not self._process.GetMemoryRegionInfo(address, region).Success() or not region.IsReadable():
            raise OSError("no memory at %#x" % address)
        return self._read(address, min(size, region.GetRegionEnd() - address))

    def _read(self, address, size):
        error = lldb.SBError()
        data = self._process.ReadMemory(address, size, error)
        if not error.Success() or data is None or len(data) != size:
            raise OSError("no memory at %#x" % address)
        return data

    def symbol(self, name):
        for context in self._target.FindSymbols(name):
            address = context.symbol.GetStartAddress().GetLoadAddress(self._target)
            if address != lldb.LLDB_INVALID_ADDRESS:
                return address
        return None

    def now(self):
        return None if self._is_core else time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def unwind(self, registers):
        """The frames of a context, as gort_debug.py wants them."""
        cpu = eh_frame.AMD64 if "rip" in registers else eh_frame.ARM64
        numbered = dict((cpu.number[name], value) for name, value in registers.items() if name in cpu.number)
        pc, found, interrupted = registers[cpu.pc], [], "rax" in registers or "x0" in registers
        while pc and len(found) < _MOST_FRAMES:
            found += [(pc, numbered[cpu.sp], function, place) for function, place in self._functions(pc if interrupted else pc - 1)]
            numbered, pc = self._caller(cpu, numbered, pc, interrupted)
            interrupted = False
        return found

    def function_at(self, pc):
        return self._functions(pc)

    def _caller(self, cpu, registers, pc, interrupted):
        """The registers of a frame's caller and its pc; 0: there is none, or nothing says where."""
        table, offset = self._table(pc)
        step = table.step(cpu, registers, pc - offset if interrupted else pc - offset - 1, self._word) if table else None
        return step if step else (registers, 0)

    def _word(self, address):
        return struct.unpack("<Q", self.read(address, 8))[0]

    def _table(self, pc):
        """(the unwind table of the object that has pc, how far the object was moved)."""
        module = self._target.ResolveLoadAddress(pc).GetModule()
        section = module.FindSection(".eh_frame")
        if not section.IsValid():
            return None, 0
        key = str(module.GetFileSpec())
        if key not in self._tables:
            data = section.GetSectionData()
            error = lldb.SBError()
            self._tables[key] = eh_frame.Table(data.ReadRawData(error, 0, data.GetByteSize()), section.GetFileAddress())
        return self._tables[key], section.GetLoadAddress(self._target) - section.GetFileAddress()

    def _functions(self, pc):
        """[(function, place)], inlined ones first."""
        address = self._target.ResolveLoadAddress(pc)
        context = self._target.ResolveSymbolContextForAddress(address, lldb.eSymbolContextEverything)
        found, here, seen = [], address, set()
        while context.GetBlock().IsValid() and context.GetBlock().GetContainingInlinedBlock().IsValid() and len(found) < 50:
            block = context.GetBlock().GetContainingInlinedBlock()
            found.append((_inlined(block, context.GetLineEntry()), _place(context.GetLineEntry())))
            parent = lldb.SBAddress()
            context = context.GetParentOfInlinedScope(here, parent)
            here = parent if parent.IsValid() else here
            if (here.GetFileAddress(), len(found)) in seen:
                break
            seen.add((here.GetFileAddress(), len(found)))
        # Little debug information (-g1) has no scopes; the symbol has.
        symbol = self._target.ResolveSymbolContextForAddress(address, lldb.eSymbolContextSymbol).GetSymbol()
        name = symbol.GetName() or context.GetFunction().GetName() or "??"
        # Of some functions lldb 14 knows the lines alone, and those may be an inlined function's.
        return found + [(_bare(name), _place(context.GetLineEntry()) if context.GetFunction().IsValid() else "")]


def _bare(name):
    """A function's name without its arguments."""
    name, depth = name.replace("(anonymous namespace)", "{anonymous}"), 0
    for i, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">" and name[i - 1] != "-")
        if letter == "(" and depth == 0 and not name[:i].endswith("operator"):
            return name[:i]
    return name


def _inlined(block, line):
    """The name of an inlined function. Little debug information has no scopes: what stands in the standard library is std's."""
    name = _bare(block.GetInlinedName() or "??")
    library = line.IsValid() and "/c++/" in (line.GetFileSpec().GetDirectory() or "")
    return "std::" + name if library and not name.startswith("std::") else name


def _place(line):
    return "%s:%d" % (line.GetFileSpec().GetFilename(), line.GetLine()) if line.IsValid() and line.GetLine() else ""


def _world(debugger):
    target = debugger.GetSelectedTarget()
    if not target.GetProcess().IsValid():
        raise LookupError("no process, and no core")
    return World(_Target(target))


def _backtrace(world, g):
    """The lines of a stack, plumbing left out."""
    if world.thread(g):
        return ["  on thread %d: `thread list` has it" % world.thread(g)]
    registers = world.registers(g)
    if not registers:
        return ["  " + world.where(g)]
    frames = of_the_program(world.target.unwind(registers))
    return ["  #%d %s%s" % (i, function, " at " + place if place else "") for i, (function, place) in enumerate(frames)]


def goroutines(debugger, command, result, _):
    """List goroutines: number, state or what it waits for, name, where it is in the program, who created it."""
    words = command.split(None, 1)
    everything = words[:1] == ["-a"]
    text = (words[1] if len(words) > 1 else "") if everything else command
    try:
        world = _world(debugger)
        lines = [world.line(g) for g in world.all() if everything or not g.system]
    except (LookupError, OSError) as e:
        result.SetError(str(e))
        return
    lines = [line for line in lines if text in line]
    result.AppendMessage("\n".join(lines + ["%d goroutine%s" % (len(lines), "" if len(lines) == 1 else "s")]))


def goroutine(debugger, command, result, _):
    """goroutine N [bt], goroutine all [bt]: a goroutine's line of `goroutines`, and its stack."""
    words = command.split()
    if not words or words[1:] not in ([], ["bt"]):
        result.SetError("goroutine N [bt], or goroutine all [bt]")
        return
    try:
        world = _world(debugger)
        chosen = [g for g in world.all() if not g.system] if words[0] == "all" else [world.find(int(words[0]))]
        for g in chosen:
            result.AppendMessage("\n".join([world.line(g)] + (_backtrace(world, g) if words[1:] else [])))
    except (LookupError, ValueError, OSError) as e:
        result.SetError(str(e))


class PreemptionPasses:
    """Goes on from the first stop by pre-emption's signal, which comes every few milliseconds, and from then on lets it pass.

    lldb 14 takes no wishes about signals before there is a process.
    """

    def __init__(self, target, extra_args, internal_dict):
        pass

    def handle_stop(self, execution_context, _):
        thread, process = execution_context.GetThread(), execution_context.GetProcess()
        signals = process.GetUnixSignals()
        number = signals.GetSignalNumberFromName("SIGURG")
        first = signals.GetShouldStop(number)
        signals.SetShouldStop(number, False)
        signals.SetShouldNotify(number, False)
        return not (first and thread.GetStopReason() == lldb.eStopReasonSignal and thread.GetStopReasonDataAtIndex(0) == number)


def __lldb_init_module(debugger, _):
    module = __name__
    debugger.HandleCommand("command script add -f %s.goroutines goroutines" % module)
    debugger.HandleCommand("command script add -f %s.goroutine goroutine" % module)
    if debugger.GetSelectedTarget().IsValid():
        debugger.HandleCommand("target stop-hook add -P %s.PreemptionPasses" % module)
