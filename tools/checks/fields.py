"""No struct of the shipped code has a field that nothing sets or nothing reads, unless its comment has "Seam:" and names its user to come;
and no field of the runtime's says so that has its user.

This reads text, not types. An access is `x->field` or `x.field`; which struct it is of follows from how the file declares x, or,
where x is itself a field, from that field's type. Where that says nothing the access counts for every struct of the same folder, or
else of any, that has such a field. So a dead field may hide behind a living one of the same name. Assigning a field what it
begins with sets nothing. Tests do not count. A struct outside of namespace rt is for users, who may set or read what gort does not:
of these only a field that gort never touches is dead. A struct whose bytes come from elsewhere (by memcpy, or by a reinterpret_cast
of memory) is a layout and is left alone, unless its fields have initialisers.
"""

import collections
import re

from tools.checks import cpp
from tools.checks.cpp import comment_of, in_rt, matching

_STRUCT = re.compile(r"\bstruct\s+(?:alignas\([^()]*(?:\([^()]*\))?[^()]*\)\s*)?(?P<name>(?:\w+::)*\w+)(?:\s+final)?"
                     r"(?P<bases>\s*:[^:;{}][^;{}]*)?\s*\{")
_ANNOTATION = re.compile(r"\bABSL_\w+(?:\([^()]*\))?|\bGORT_[A-Z_]+\b|\balignas\([^()]*(?:\([^()]*\)[^()]*)*\)")
_NO_FIELD = re.compile(r"^\s*(?:using|typedef|static|friend|enum|template|class|struct|union|public|private|virtual|explicit|requires)\b")
_ACCESS = re.compile(r"(?:->|\.)\s*(?P<field>[A-Za-z_]\w*)\b")
_INITIAL = re.compile(r"^(?:0[a-z]*|nullptr|false|0x0|\{\s*\}|0\.0|)$", re.IGNORECASE)

_PLAIN = re.compile(r"(?:const\s+)?(?:std::)?(?:bool|char|int|unsigned|long|double|u?int\d+_t|size_t|uintptr_t)\b")

# What an access does. A bare increment only sets.
READ, SET, RESET = 1, 2, 4


class Field:

    def __init__(self, name, kind, initial, comment):
        self.name = name
        self.kind = kind        # the text of its type
        self.initial = initial  # the text of its initialiser, or None
        self.seam = re.search(r"\bSeam:\s*\w", comment) is not None
        self.uses = 0


class Struct:

    def __init__(self, path, name, fields, bodies, after, for_users):
        self.path = path
        self.for_users = for_users
        self.name = name
        self.fields = fields  # name -> Field, in order
        self.bodies = bodies  # the text of its functions
        # `struct Call {...} call{a, b};`
        declared = re.match(r"\s*\w+\s*(?:=\s*)?(?=\{)", after)
        if declared:
            _position(after[declared.end() + 1:matching(after, declared.end()) - 1], list(fields.values()))


    def seen_by(self, path):
        """Whether a file's use of such a field may be one of this struct's."""
        return path == self.path or self.path.endswith(".h")


def split_commas(text):
    """`a, f(b, c), {d, e}` in three."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "({[") - (c in ")}]")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [p for p in parts + [text[start:].strip()] if p]


def _statements(body):
    """(start, end, text) of each declaration in the body of a struct; one of a function with a body ends with that."""
    start = i = 0
    while i < len(body):
        c = body[i]
        if c in "({[":
            end = matching(body, i)
            head = body[start:i]
            if c == "{" and (")" in head or re.match(r"\s*(?:struct|class|enum|union)\b", head)):
                after = re.match(r"\s*;", body[end:])
                end += after.end() if after else 0
                yield start, end, body[start:end]
                start = end
            i = end
            continue
        if c == ";":
            yield start, i + 1, body[start:i]
            start = i + 1
        elif c == ":" and body[start:i].strip() in ("public", "private", "protected"):
            start = i + 1
        i += 1


def _declared(statement):
    """(name, type, initialiser or None) of each field that a declaration gives."""
    text = _ANNOTATION.sub(" ", statement).strip()
    if not text or _NO_FIELD.match(text) or "operator" in text:
        return []
    text, equals, initial = text.partition("=")
    if not equals:
        brace = text.find("{")
        text, initial = (text[:brace], text[brace + 1:text.rfind("}")]) if brace >= 0 else (text, None)
    pointer = re.search(r"\(\s*\*\s*(?:const\s+)?(\w+)\s*(?:\[[^\]]*\])?\s*\)\s*\(", text)
    if pointer:
        return [(pointer.group(1), text, initial)]
    if "(" in re.sub(r"<[^;]*>", "", text):
        return []
    first, *others = split_commas(re.sub(r"<[^;]*>", lambda m: m.group(0).replace(",", "\0"), text))
    text = first.replace("\0", ",")
    last = re.match(r"^(.*?[\w>&*\s])\b(\w+)\s*(?:\[.*\])?\s*$", text, re.DOTALL)
    if last is None or not last.group(1).strip():
        return []
    kind = last.group(1).strip() + ("[]" if text.rstrip().endswith("]") else "")
    names = [last.group(2)] + [re.match(r"[\s*&]*(\w+)", other).group(1) for other in others]
    return [(name, kind, initial.strip() if initial is not None else None) for name in names]


def structs(path, raw):
    """The structs that a file defines, those inside others too."""
    text = re.sub(r"^[ \t]*#[^\n]*(?:\\\n[^\n]*)*", lambda m: "\n" * m.group(0).count("\n"), cpp.without_comments(raw, False), flags=re.MULTILINE)
    lines = raw.split("\n")
    for match in _STRUCT.finditer(text):
        opening = match.end() - 1
        end = matching(text, opening)
        first_line = text.count("\n", 0, opening)
        body = text[opening + 1:end - 1]
        fields, bodies = {}, []
        for start, stop, statement in _statements(body):
            found = _declared(statement)
            if not found:
                bodies.append(statement)
            lead = len(statement) - len(statement.lstrip())
            top = first_line + body.count("\n", 0, start + lead)
            bottom = first_line + body.count("\n", 0, stop)
            comment = comment_of(lines, top, bottom)
            for name, kind, initial in found:
                fields[name] = Field(name, kind, initial, comment)
        yield Struct(path, match.group("name").rpartition("::")[2], fields, bodies, text[end:end + 400], not in_rt(text, match.start()))


def _use(text, before, after, field):
    """What happens to the field that ends at `after`, whose expression begins at `before`."""
    initial = field.initial
    rest = text[after:]
    if field.kind.endswith("[]") and re.match(r"\s*[,)]", rest):
        return READ | SET  # memcpy(x->buffer, ...)
    # Elements stand for their array.
    while True:
        rest = rest.lstrip()
        if not rest.startswith("["):
            break
        rest = rest[matching(rest, 0):]
    head = text[max(0, before - 200):before].rstrip()
    if head.endswith("&") and not head.endswith("&&") or re.search(r"&\s*\w+\s*=$|\b(?:swap|tie|exchange)\([^;]*$", head):
        return READ | SET
    if re.search(r"(?<!:)[:,]$", head) and rest.startswith(("(", "{")):  # a constructor's
        return SET
    statement = head.endswith((";", "{", "}", ")", "else", ":")) and not re.search(r"\b(?:case \w+|return|\?[^;]*):$", head)
    if head.endswith(("++", "--")):
        inner = head[:-2].rstrip()
        return SET if inner.endswith((";", "{", "}", ")", "else")) and re.match(r"[;,]", rest) else READ | SET
    if re.match(r"(?:\+\+|--)", rest):
        return SET if statement and re.match(r"..\s*[;,)]", rest) else READ | SET
    assigned = re.match(r"=(?!=)\s*([^;]*);", rest, re.DOTALL)
    if assigned and head.endswith("*"):
        return READ
    if assigned:
        value = assigned.group(1).strip()
        same = _INITIAL.match(value) if initial is None else value == initial or (_INITIAL.match(value) and _INITIAL.match(initial))
        chained = bool(re.search(r"[^=!<>]=$", head))
        return (RESET if same else SET) | (READ if chained else 0)
    if re.match(r"(?:[-+*/|&^%]|<<|>>)=", rest):
        return SET if statement else READ | SET
    stored = re.match(r"\.\s*store\(", rest)
    if stored:
        value = split_commas(rest[stored.end():matching(rest, stored.end() - 1) - 1])
        return RESET if value and _INITIAL.match(value[0]) and _INITIAL.match(initial or "") else SET
    if re.match(r"\.\s*fetch_(?:add|sub|or|and)\(", rest):
        call = matching(rest, rest.index("("))
        return SET if statement and re.match(r"\s*;", rest[call:]) else READ | SET
    if re.match(r"\.\s*load\(", rest):
        return READ
    if re.match(r"(?:\.|->)\s*\w+\s*\(", rest):
        return READ | SET
    if rest.startswith(("->", ".")):
        return READ | SET if rest.startswith(".") else READ
    if re.search(r">>$|\bfor\s*\([^;()]*:$", head):
        return READ | SET
    return READ


def _variables(text, names):
    """Variable -> names of the structs that its declarations in a file name; None among them: another type."""
    found = collections.defaultdict(set)
    pattern = re.compile(r"\b(?P<type>\w+)(?:<(?P<inner>[^<>;{}()]*)>)?(?:\s+const)?(?P<mark>\s*[*&]+\s*(?:const\s+)?|\s+)(?P<name>[a-z_]\w*)"
                         r"\s*(?=[;,)=\[{:(]|ABSL_)")
    for m in pattern.finditer(text):
        if m.group("type") in ("return", "else", "new", "delete", "case", "goto", "const", "throw", "co_return", "operator"):
            continue
        inside = set(re.findall(r"\w+", m.group("inner") or "")) & names
        found[m.group("name")] |= inside or ({m.group("type")} if m.group("type") in names else {None})
    return found


def _initialised(text, struct, aliases):
    """Sets what `Name{a, b}`, `Name x{a, b}` and `.field = a` in a text give the fields of `struct`."""
    order = list(struct.fields.values())
    called = "|".join([struct.name, *aliases.get(struct.name, ())])
    for m in re.finditer(r"\b(?:%s)(?:<[^<>;{}]*>)?(?:\s+\w+)?(?:\s*\[[^\]]*\])?\s*(?:=\s*)?(?=\{)" % called, text):
        if re.search(r"\b(?:struct|class|namespace)\s+$", text[:m.start()]):
            continue
        _position(text[m.end() + 1:matching(text, m.end()) - 1], order)
    # Functions that return one may say `return {a, b}`; calls may give f({a, b}).
    if re.search(r"\b%s>?\s+(?:\w+::)*\w+\([^;{}]*\)[^;{}]*\{(?:(?!\n\}).)*return\s*\{\s*\w" % struct.name, text, re.DOTALL):
        for field in order:
            field.uses |= SET


def _position(items, order):
    parts = split_commas(items)
    if items.lstrip().startswith("#"):  # rows by a macro
        for field in order:
            field.uses |= SET
    if parts and all(p.startswith("{") for p in parts) and len(order) > 1:  # an array of them
        for p in parts:
            _position(p[1:-1], order)
        return
    for part, field in zip(parts, order):
        designated = re.match(r"\.(\w+)\s*=\s*(.*)$", part, re.DOTALL)
        if designated:
            field = next((f for f in order if f.name == designated.group(1)), None)
            part = designated.group(2)
        if field is not None and not (_INITIAL.match(part) and _INITIAL.match(field.initial or "")):
            field.uses |= SET


def scan(root):
    """Every struct of the shipped code, with the uses of its fields."""
    raw = cpp.shipped(root)
    every = [s for path, text in raw.items() for s in structs(path, text)]
    # What a macro makes of a struct (base/godebug.h) is not seen here.
    every = [s for s in every if s.fields]
    by_name = collections.defaultdict(list)
    by_field = collections.defaultdict(list)
    for s in every:
        by_name[s.name].append(s)
        for f in s.fields:
            by_field[f].append(s)
    names = set(by_name)
    types_of_field = {
        f: set().union(*(set(re.findall(r"\w+", s.fields[f].kind)) & names for s in owners)) for f, owners in by_field.items()}
    code = {path: _ANNOTATION.sub(" ", cpp.without_comments(text, False)) for path, text in raw.items()}
    known = Known(types_of_field)
    for text in code.values():
        known.add(text, names)

    layouts = set()
    for path, text in code.items():
        variables = _variables(text, names)
        aliases = collections.defaultdict(set)  # struct -> other names for it
        for m in re.finditer(r"\busing\s+(\w+)\s*=\s*(?:\w+::)*(\w+)\s*[<;]", text):
            aliases[m.group(2)].add(m.group(1))
        for m in re.finditer(r"reinterpret_cast<\s*(?:const\s+)?(?:\w+::)*(\w+)\s*\*+>", text):
            layouts.add(m.group(1))
        for m in re.finditer(r"\bmemcpy\(\s*&(?:\w+\.)*(\w+)", text):
            layouts |= variables.get(m.group(1), set()) | types_of_field.get(m.group(1), set())
        for m in _ACCESS.finditer(text):
            owners = by_field.get(m.group("field"))
            owners = [s for s in owners or () if s.seen_by(path)]
            if re.match(r"\s*\(", text[m.end():]):  # a function of another type, unless the field can be called
                owners = [s for s in owners if not _PLAIN.match(s.fields[m.group("field")].kind) or "(" in s.fields[m.group("field")].kind]
            if not owners:
                continue
            types = _resolve(text, m.start(), variables, known)
            chosen = [s for s in owners if s.name in types]
            if not chosen or None in types:
                # Nobody knows: rather one of the same folder.
                folder = path.rpartition("/")[0]
                chosen = [s for s in owners if s.path.rpartition("/")[0] == folder] or owners
            for s in chosen:
                field = s.fields[m.group("field")]
                field.uses |= _use(text, _begin(text, m.start()), m.end(), field)
        for s in every:
            if s.seen_by(path):
                _initialised(text, s, aliases)
                for m in re.finditer(r"\boffsetof\(\s*(?:\w+::)*%s\s*,\s*(\w+)" % s.name, text):
                    if m.group(1) in s.fields:
                        s.fields[m.group(1)].uses |= READ | SET
    for s in every:
        bodies = s.bodies + ["= %s;" % f.initial for f in s.fields.values() if f.initial]
        bodies += [b for path, text in code.items() if s.seen_by(path) for b in _out_of_line(text, s.name)]
        for body in bodies:
            for m in re.finditer(r"(?<![\w.>])(?<!::)(\w+)\b", body):
                if m.group(1) in s.fields:
                    field = s.fields[m.group(1)]
                    field.uses |= _use(body, m.start(), m.end(), field)
    # What a destructor does is done by being there.
    ending = {m.group(1) for text in code.values() for m in re.finditer(r"~(\w+)\s*\(", text)}
    for s in every:
        for field in s.fields.values():
            if field.kind.split()[-1] in ending:
                field.uses |= READ | SET
    return [s for s in every if s.name not in layouts or any(f.initial is not None for f in s.fields.values())]


class Known:
    """What sources say of the types of names that any file may use."""

    def __init__(self, fields):
        self.fields = fields                              # name -> types
        self.globals = collections.defaultdict(set)       # extern Sched sched
        self.functions = collections.defaultdict(set)     # G* Getg()

    def add(self, text, names):
        for m in re.finditer(r"\bextern\s+([^;()]*?)\b(\w+)\s*(?:\[[^\]]*\])?\s*;", text):
            self.globals[m.group(2)] |= set(re.findall(r"\w+", m.group(1))) & names or {None}
        for m in re.finditer(r"\b(\w+)>?\s*(?:const\s*)?[*&]?\s*(?:\w+::)*(\w+)\(", text):
            if m.group(1) not in ("return", "else", "new", "operator", "case", "throw"):
                self.functions[m.group(2)].add(m.group(1) if m.group(1) in names else None)


def _opening(text, at):
    """The index of the bracket that the one at `at` closes."""
    depth = 0
    for i in range(at, -1, -1):
        depth += (text[i] in ")]}") - (text[i] in "([{")
        if depth == 0:
            return i
    return 0


_SAME = ("load", "get", "front", "back", "top", "exchange", "begin", "data", "at")


def _resolve(text, end, variables, known):
    """Names of the structs that the expression before `end` may be of; {None}: nobody knows."""
    while end > 0 and text[end - 1].isspace():
        end -= 1
    last = text[end - 1:end]
    if last == "]":
        return _resolve(text, _opening(text, end - 1), variables, known)
    if last == ")":
        opening = _opening(text, end - 1)
        head = text[max(0, opening - 120):opening].rstrip()
        cast = re.search(r"_cast<\s*(?:const\s+)?(?:\w+::)*(\w+)[\s*&]*>$", head)
        if cast:
            return {cast.group(1)}
        callee = re.search(r"(\w+)$", head)
        if callee and callee.group(1) in _SAME:
            access = re.search(r"(?:->|\.)\s*\w+$", head)
            return _resolve(text, opening - len(text[max(0, opening - 120):opening]) + access.start(), variables, known) if access else {None}
        return known.functions.get(callee.group(1), {None}) if callee else {None}
    word = re.search(r"(\w+)$", text[max(0, end - 80):end])
    if not word:
        return {None}
    if re.search(r"(?:->|\.)\s*$", text[max(0, end - 80):end][:word.start()]):
        return known.fields.get(word.group(1)) or {None}
    return variables.get(word.group(1)) or known.globals.get(word.group(1)) or {None}


def _begin(text, end):
    """Where the expression that ends before `end` begins: `allp[i]` of `allp[i]->x` at allp."""
    while True:
        while end > 0 and text[end - 1].isspace():
            end -= 1
        if text[end - 1:end] in (")", "]"):
            end = _opening(text, end - 1)
            if not re.search(r"[\w)\]>]\s*$", text[max(0, end - 40):end]) or text[end] == "(" and not re.search(r"[\w>]$", text[max(0, end - 1):end]):
                return end
            continue
        word = re.search(r"[\w:]+$", text[max(0, end - 80):end])
        if word:
            end -= len(word.group(0))
        access = re.search(r"(?:->|\.)\s*$", text[max(0, end - 40):end])
        if not access:
            return end
        end -= len(access.group(0))


def _out_of_line(text, name):
    for m in re.finditer(r"\b%s::~?\w+\(" % name, text):
        close = matching(text, m.end() - 1)
        brace = re.match(r"[^;{}]*\{", text[close:])
        if brace:
            opening = close + brace.end() - 1
            yield text[close:matching(text, opening)]


def _fault(struct, field):
    """What is wrong with a field that is written and never read, or the other way round; None: nothing."""
    alive = field.initial is not None and not _INITIAL.match(field.initial)
    wrong = None
    if not field.uses & READ:
        wrong = "set and never read" if field.uses & (SET | RESET) or alive else "never used"
    elif not field.uses & SET and not alive:
        wrong = "read and never set" + (" to anything but what it begins with" if field.uses & RESET else "")
    return wrong if wrong == "never used" or not struct.for_users else None


def check(root):
    """An error for each dead field without a seam, and for each seam of a living one."""
    errors = []
    for s in scan(root):
        for field in s.fields.values():
            wrong = _fault(s, field)
            if wrong and not field.seam:
                errors.append("%s: %s::%s is %s; use it, delete it, or name its user to come after \"Seam:\"" % (s.path, s.name, field.name, wrong))
            elif field.seam and not wrong and not s.for_users:
                errors.append("%s: %s::%s is set and read; its \"Seam:\" is out of date" % (s.path, s.name, field.name))
    return errors
