"""A trace as columns of numbers, which a page takes as typed arrays.

Turns of goroutines on Ps, who woke them, system calls, queues, what the program said. Times are nanoseconds since the trace began.
"""

from array import array

from tools.tracing import decode

# In the place of the P: streams that have none.
NO_P = 0xFFFF

# Kinds of moments.
MOMENTS = ["steal", "thread comes", "GOMAXPROCS", "lost events"]


class Columns:
    """Reads a trace once; then `arrays` are the columns and `summary` what is said of them."""

    def __init__(self, data):
        self._trace = decode.Trace(data)
        self._names = {}  # text -> index
        self.name_texts = []
        self.turns = {"p": [], "t": [], "e": [], "g": [], "name": [], "why": [], "wake": []}
        self.wakes = {"p": [], "t": [], "g": [], "by": [], "from": []}
        self.calls = {"p": [], "t": [], "e": [], "g": []}
        self.stops = {"p": [], "t": [], "e": []}
        self.depths = {"p": [], "t": [], "v": []}
        self.counts = {"t": [], "v": []}
        self.moments = {"kind": [], "p": [], "t": [], "g": [], "n": []}
        self.said = {"track": [], "t": [], "e": [], "name": [], "level": []}
        self.said_tracks = []
        self.events = [0, 0, 0, 0, 0]  # by type
        self.begin = self.end = None
        self._read()

    def _name(self, text):
        index = self._names.get(text)
        if index is None:
            index = self._names[text] = len(self.name_texts)
            self.name_texts.append(text)
        return index

    def _stream(self, track):
        """(kind, P) of a track, or ("said", index)."""
        name, _, counter = self._trace.tracks.get(track, ("", 0, False))
        if counter:
            return ("count", 0) if name == "goroutines" else ("depth", int(name[1:].split()[0]))
        if name == "without P":
            return "p", NO_P
        if 0x10000 <= track < 0x20000:
            return "p", track - 0x10000
        self.said_tracks.append(name)
        return "said", len(self.said_tracks) - 1

    def _read(self):
        trace, turns, wakes, calls, stops = self._trace, self.turns, self.wakes, self.calls, self.stops
        turn_p, turn_t, turn_e, turn_g = turns["p"], turns["t"], turns["e"], turns["g"]
        turn_name, turn_why, turn_wake = turns["name"], turns["why"], turns["wake"]
        wake_p, wake_t, wake_g, wake_by, wake_from = (wakes[k] for k in ("p", "t", "g", "by", "from"))
        moments, said, depths, counts = self.moments, self.said, self.depths, self.counts
        streams, open_turn, open_inner, open_said, flows, names = {}, {}, {}, {}, {}, {}
        text_of = trace.names
        events = self.events
        strings = {}  # iid -> index

        def slot(text):
            """A name's index; those that a turn has are iids mostly."""
            if isinstance(text, int):
                index = names.get(text)
                if index is None:
                    index = names[text] = self._name(text_of.get(text, "?"))
                return index
            return self._name(text if text is not None else "?")

        def string(iid):
            index = strings.get(iid)
            if index is None:
                index = strings[iid] = self._name(trace.strings.get(iid, "unknown"))
            return index

        def on_p(p, ns, kind, name, goid, iid, number, flow, last):
            if kind == 1:
                if goid is not None:  # a turn
                    open_turn[p] = len(turn_t)
                    turn_p.append(p)
                    turn_t.append(ns)
                    turn_e.append(-1)
                    turn_g.append(goid)
                    turn_name.append(names[name] if name in names else slot(name))
                    turn_why.append(0)
                    turn_wake.append(-1 if last is None else flows.pop(last, -1))
                    return
                to = calls if text_of.get(name) == "system call" else stops
                open_inner.setdefault(p, []).append((to, len(to["t"])))
                to["p"].append(p)
                to["t"].append(ns)
                to["e"].append(-1)
                if to is calls:
                    i = open_turn.get(p)
                    calls["g"].append(0 if i is None else turn_g[i])
                return
            if kind == 2:
                if iid is None:
                    if open_inner.get(p):
                        to, i = open_inner[p].pop()
                        to["e"][i] = ns
                    return
                i = open_turn.pop(p, None)
                if i is not None:
                    turn_e[i] = ns
                    turn_why[i] = string(iid)
                return
            text = text_of.get(name)
            if text == "wake" or text == "go":
                if flow is not None:
                    flows[flow] = len(wake_t)
                i = open_turn.get(p)
                wake_p.append(p)
                wake_t.append(ns)
                wake_g.append(goid)
                wake_by.append(slot("go") if iid is None else string(iid))
                wake_from.append(0 if i is None else turn_g[i])
                return
            if text in MOMENTS:
                moments["kind"].append(MOMENTS.index(text))
                moments["p"].append(p)
                moments["t"].append(ns)
                moments["g"].append(goid or 0)
                moments["n"].append(number or 0)

        def on_said(index, ns, kind, name):
            stack = open_said.setdefault(index, [])
            if kind == 2:
                if stack:
                    said["e"][stack.pop()] = ns
                return
            if kind == 1:
                stack.append(len(said["t"]))
            said["track"].append(index)
            said["t"].append(ns)
            said["e"].append(-1 if kind == 1 else ns)
            said["name"].append(slot(name))
            said["level"].append(len(stack) - (kind == 1))

        first = None

        def on_event(ns, kind, track, name, goid, iid, number, flow, last, value):
            nonlocal first
            events[kind] += 1
            if first is None:
                first = ns
            where = streams.get(track)
            if where is None:
                where = streams[track] = self._stream(track)
            what, p = where
            if what == "p":
                on_p(p, ns, kind, name, goid, iid, number, flow, last)
            elif what == "depth":
                depths["p"].append(p)
                depths["t"].append(ns)
                depths["v"].append(value)
            elif what == "count":
                counts["t"].append(ns)
                counts["v"].append(value)
            else:
                on_said(p, ns, kind, name)

        trace.events(on_event)
        self._settle()

    def _settle(self):
        """Times from zero on, and an end for what has none."""
        tables = (self.turns, self.wakes, self.calls, self.stops, self.depths, self.counts, self.moments, self.said)
        times = [t for table in tables for t in (min(table["t"], default=None), max(table["t"], default=None)) if t is not None]
        ends = [max(table["e"]) for table in tables if table.get("e")]
        self.begin = min(times, default=0)
        self.end = max(times + ends, default=0)
        for table in tables:
            begin, end = self.begin, self.end
            table["t"] = [t - begin for t in table["t"]]
            if "e" in table:
                table["e"] = [(t if t >= 0 else end) - begin for t in table["e"]]

    @property
    def truncated(self):
        return self._trace.truncated

    @property
    def program(self):
        return self._trace.program

    def arrays(self):
        """(name, array) of each column."""
        tables = {
            "turn": self.turns,
            "wake": self.wakes,
            "call": self.calls,
            "stop": self.stops,
            "depth": self.depths,
            "count": self.counts,
            "moment": self.moments,
            "said": self.said,
        }
        for table, columns in tables.items():
            for key, values in columns.items():
                yield "%s_%s" % (table, key), _array(key, values)

    def summary(self):
        """How many there are of what: for the page, and for who checks it."""
        return {
            "events": sum(self.events),
            "begins": self.events[decode.BEGIN],
            "ends": self.events[decode.END],
            "instants": self.events[decode.INSTANT],
            "counters": self.events[decode.COUNTER],
            "turns": len(self.turns["t"]),
            "wakes": len(self.wakes["t"]),
            "calls": len(self.calls["t"]),
            "goroutines": len(set(self.turns["g"])),
            "duration": self.end - self.begin,
        }


def _array(key, values):
    if key in ("t", "e"):
        return array("d", values)
    low, high = min(values, default=0), max(values, default=0)
    if low < 0:
        return array("i", values)
    for code, limit in (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32)):
        if high < limit:
            return array(code, values)
    return array("d", values)
