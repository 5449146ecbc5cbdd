"""A trace file of gort (trace/internal/converter.cc), event by event.

A file of a million events is read in seconds: one regular expression takes apart the packets as the converter writes them,
and what it does not know is taken apart field by field.
"""

import re

BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4

_VARINT = rb"[\x80-\xff]*[\x00-\x7f]"
# TracePacket{timestamp, sequence 1, flags, TrackEvent{type, track, name, annotations, flow, counter}}.
_PACKET = re.compile(
    rb"\n..@(.)(.)(.)(" + _VARINT + rb")P\x01h\x02Z..H([\x01-\x04])X(" + _VARINT + rb")"
    rb"(?:P(" + _VARINT + rb"))?"
    rb'(?:"..\x08\x01\x18(' + _VARINT + rb"))?"
    rb'(?:"..\x08[\x02\x03]\x88\x01(' + _VARINT + rb"))?"
    rb'(?:"..\x08[\x04\x05]\x18(' + _VARINT + rb"))?"
    rb"(?:\xf9\x02(.{8}))?(?:\x81\x03(.{8}))?"
    rb"(?:\xf0\x01(" + _VARINT + rb"))?",
    re.DOTALL,
)
# What _PACKET takes for granted of the annotations' names.
_ANNOTATIONS = {1: "goroutine", 2: "why", 3: "by", 4: "number", 5: "from"}


class Broken(Exception):
    """The file is no trace, or one that ends in the middle."""


def _varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Broken("a number goes beyond its message")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _fields(data):
    """(number, value) of each field of a message; the value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 1:
            value, at = int.from_bytes(data[at : at + 8], "little"), at + 8
        elif wire == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise Broken("a wire type that nobody writes")
        if at > len(data):
            raise Broken("bytes go beyond their message")
        yield tag >> 3, value


class _Numbers(dict):
    """The value of each varint by its bytes."""

    def __missing__(self, encoded):
        value = self[encoded] = _varint(encoded, 0)[0]
        return value


class Trace:
    """What a file says beside its events; `events` fills it."""

    def __init__(self, data):
        self._data = data
        self.program = ""
        self.tracks = {}  # uuid -> (name, parent's uuid, whether it is a counter)
        self.names = {}  # of events, by iid
        self.strings = {}  # of annotations, by iid
        self.truncated = False  # the last packet is not complete
        self._annotations = {}

    def events(self, on_event):
        """on_event(ns, type, track, name, goid, string, number, flow, last_flow, value) for each, in the order of the file.

        name: an iid, or a text, or None. string: the iid of "why" or "by"; number: "number" or "from". None where there is none.
        """
        data, at, size = self._data, 0, len(self._data)
        match, numbers = _PACKET.match, _Numbers({None: None})
        from_bytes = int.from_bytes
        while at < size:
            m = match(data, at)
            # The lengths take two bytes (Proto::Open).
            if m is not None and m.end() == at + 3 + (data[at + 1] & 127) + (data[at + 2] << 7):
                low, middle, high, rest, kind, track, name, goid, string, number, flow, last, value = m.groups()
                ns = low[0] & 127 | (middle[0] & 127) << 7 | (high[0] & 127) << 14 | numbers[rest] << 21
                on_event(
                    ns,
                    kind[0],
                    numbers[track],
                    numbers[name],
                    numbers[goid],
                    numbers[string],
                    numbers[number],
                    None if flow is None else from_bytes(flow, "little"),
                    None if last is None else from_bytes(last, "little"),
                    numbers[value],
                )
                at = m.end()
                continue
            try:
                tag, begin = _varint(data, at)
                length, begin = _varint(data, begin)
            except Broken:
                tag, length = 10, size
            if tag != 10:
                raise Broken("no packet at byte %d" % at)
            if begin + length > size:
                self.truncated = True
                return
            self._packet(data[begin : begin + length], on_event)
            at = begin + length

    def _packet(self, packet, on_event):
        ns, event = 0, None
        for number, value in _fields(packet):
            if number == 8:
                ns = value
            elif number == 11:
                event = value
            elif number == 12:
                self._interned(value)
            elif number == 60:
                self._track(value)
        if event is not None:
            on_event(ns, *self._event(event))

    def _interned(self, data):
        where = {2: self.names, 3: self._annotations, 29: self.strings}
        for number, entry in _fields(data):
            if number in where:
                fields = dict(_fields(entry))
                where[number][fields[1]] = fields[2].decode(errors="replace")
        for iid, name in self._annotations.items():
            if _ANNOTATIONS.get(iid) != name:
                raise Broken("annotation %d is %s: of another version" % (iid, name))

    def _track(self, data):
        fields = dict(_fields(data))
        if 3 in fields:
            self.program = dict(_fields(fields[3])).get(6, b"").decode(errors="replace")
        self.tracks[fields[1]] = (fields.get(2, b"").decode(errors="replace"), fields.get(5, 0), 8 in fields)

    def _event(self, data):
        kind = track = name = flow = last = value = None
        notes = {}
        for number, field in _fields(data):
            if number == 4:
                note = dict(_fields(field))
                notes[_ANNOTATIONS.get(note.get(1))] = note.get(3, note.get(17))
            elif number == 9:
                kind = field
            elif number == 10:
                name = field
            elif number == 11:
                track = field
            elif number == 23:
                name = field.decode(errors="replace")
            elif number == 30:
                value = field
            elif number == 47:
                flow = field
            elif number == 48:
                last = field
        string = notes.get("why", notes.get("by"))
        number = notes.get("number", notes.get("from"))
        return kind, track, name, notes.get("goroutine"), string, number, flow, last, value
