"""A file of pprof's read back, with no code of the writer's: what profile.proto says of its fields."""

import collections

Frame = collections.namedtuple("Frame", "function file line")
Sample = collections.namedtuple("Sample", "stack values labels")


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data):
    """{number: [value]} of a message; a value is a number or bytes."""
    found = collections.defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        elif key & 7 == 2:
            size, at = _varint(data, at)
            value = data[at:at + size]
            assert len(value) == size, "a message is cut short"
            at += size
        else:
            raise AssertionError("a wire type that profiles do not have: %d" % (key & 7))
        found[key >> 3].append(value)
    return found


def _signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


class Profile:
    """What is in the file `path`."""

    def __init__(self, path):
        with open(path, "rb") as f:
            whole = _fields(f.read())
        self.texts = [t.decode() for t in whole[6]]
        assert self.texts[0] == ""
        self.types = [self._type(t) for t in whole[1]]
        self.period_type = self._type(whole[11][0])
        self.period = whole[12][0]
        self.duration = whole[10][0] if whole[10] else 0
        self.comments = [self.texts[n] for n in whole[13]]
        self.mappings = {}
        for m in map(_fields, whole[3]):
            self.mappings[m[1][0]] = (m[2][0], m[3][0], self.texts[m[5][0]], self.texts[m[6][0]])
        self._functions = {}
        for f in map(_fields, whole[5]):
            self._functions[f[1][0]] = (self.texts[f[2][0]], self.texts[f[4][0]])
        self._locations = {}
        for location in map(_fields, whole[4]):
            if location[2]:
                low, high = self.mappings[location[2][0]][:2]
                assert low <= location[3][0] < high
            self._locations[location[1][0]] = [self._frame(_fields(line)) for line in location[4]]
        self.samples = [self._sample(_fields(s)) for s in whole[2]]

    def _type(self, data):
        fields = _fields(data)
        return self.texts[fields[1][0]], self.texts[fields[2][0]]

    def _frame(self, line):
        name, file = self._functions[line[1][0]]
        return Frame(name, file, line[2][0] if line[2] else 0)

    def _sample(self, fields):
        stack = [frame for n in fields[1] for frame in self._locations[n]]
        labels = {}
        for label in map(_fields, fields[3]):
            labels[self.texts[label[1][0]]] = self.texts[label[2][0]]
        assert len(fields[2]) == len(self.types)
        return Sample(stack, [_signed(v) for v in fields[2]], labels)

    def sum_of(self, function, value=-1, **labels):
        """The sum of the samples that have the function somewhere, and these labels."""
        return sum(s.values[value] for s in self.samples
                   if any(function in f.function for f in s.stack) and labels.items() <= s.labels.items())

    def total(self, value=-1):
        return sum(s.values[value] for s in self.samples)
