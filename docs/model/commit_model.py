"""A model of how an editable file is committed, to find out whether the rules are enough and which of them are needed.

    python3 docs/model/commit_model.py [runs] [variant]    one line for each variant; for one variant, the scenario as well

A file is a row of units; a full segment takes SEG of them, a short last one fewer. Each run is a file's life: several sessions,
each ended by close, by the death of the process or by a power cut. A process may die in the middle of a write, which leaves its
beginning; what is not behind a barrier persists after a power cut in any subset and order, and each unit of a write by itself.
At most one record tears between two barriers (a record lies in one sector).

Checked after every session: the opener's state is a committed one, after the death of a process the newest one, never an older
one than the last sync that returned; no newer one that is whole was passed over; no segment reads as another version than the
state holds. Errors are allowed after a power cut only, and never for what was synced:
 - reading: a segment that a commit before the chosen one, or a clean one, had written;
 - opening: a clean commit whose list is gone, or a new file that was never synced.
Not modelled: `recover`, failing calls, two writers at once, readers that are open while a writer goes on."""
import random, sys

SEG = 2
GARBAGE = "garbage"

# Each rule, and what is done without it.
RULES = {
    "barrier before apply": "R2: homes are overwritten before the list is known to be on disk",
    "barrier after apply": "R2: the applied record may still be lost when the next one is written",
    "growth digest": "R1: the opener does not check what a commit added at its place",
    "list digest": "R1: any whole directory at the list's place is believed",
    "check bodies": "R1: the opener does not check the bodies of a commit's list",
    "check applied": "the opener does not compare the homes with the directory of an applied list",
    "avoid live list": "a new list may lie over the one of the live record",
    "avoid durable list": "a new list may lie over the one of the newest durable record",
    "apply before growing over": "a new segment may lie over a list that is needed",
    "carry over": "entries that the growing last segment would cover when it is applied stay where they are",
    "barrier on open": "an opener for writing goes on from an unclean record that may not be on disk",
    "cut on fallback": "what a passed-over commit left behind the chosen state stays there",
    "cut on open": "what a dead writer left behind a state without a list, and in no commit, stays there",
    "barrier before cut": "the opener cuts before the chosen state is known to be on disk",
    "barrier after cut": "the opener does not wait until the cut is on disk",
    "place once": "an uncommitted segment that was placed already is placed again when it is rewritten",
    "spare the durable": "R4: a new record may replace the newest durable one",
    "spare the live": "R4: a new record may replace the live one",
    "clean fills slots": "a clean record is written to one slot only",
    "sync before clean": "close with sync writes the clean record first, and waits then",
    "sync needs unclean": "sync waits for a clean record without writing one that its next opener must wait for",
    "close syncs commits": "close with sync waits only if something is not committed",
    "cut when unpinned": "close cuts behind the state though a list there is still needed",
    "check clean list": "the bodies of a clean record's list are not checked",
    "repair slot": "an opener for writing leaves an invalid record as it is",
    "barrier before shrink": "R3: the file is cut before the shorter state is on disk",
    "barrier after shrink": "R3: cut places are written again, or the file closed clean, before the cut is on disk",
}


class Crash(Exception): pass
class Stuck(Exception): pass


class Unopened(Exception):
    def __init__(self, record): self.record = record


class Image:
    """What a disk holds: units, the three records, and how long the file is."""
    def __init__(self, units=None, records=(GARBAGE,) * 3, size=0): self.units, self.records, self.size = dict(units or {}), list(records), size
    def copy(self): return Image(self.units, self.records, self.size)
    def apply(self, op):
        if op[0] == "write":
            for place, value in op[1].items(): self.units[place] = value
            self.size = max([self.size, *(place + 1 for place in op[1])])
        elif op[0] == "record": self.records[op[1]] = op[2]
        else:
            for place in [p for p in self.units if p >= op[1]]: del self.units[place]
            self.size = op[1]
    def holds(self, place, values): return all(self.units.get(place + k) == v for k, v in enumerate(values))


class Disk:
    def __init__(self, rnd): self.rnd, self.durable, self.pending, self.image, self.left, self.issued = rnd, Image(), [], Image(), 0, None; self.torn = False
    def _tick(self, op=None):
        self.left -= 1
        if self.left >= 0: return
        if op and self.rnd.random() < 0.5:                                        # dies in the middle of the call
            if op[0] == "write":
                places = sorted(op[1])[:self.rnd.randint(0, len(op[1]))]; op = ("write", {p: op[1][p] for p in places})
            elif op[0] == "record": op = ("record", op[1], GARBAGE)
            self.torn |= op[0] == "record"; self._issue(op)
        raise Crash
    def _issue(self, op): self.pending.append(op); self.image.apply(op)
    def call(self, op):
        self._tick(op); self._issue(op)
        if op[0] == "record": self.issued = op[2]
    def sync(self): self._tick(); self.durable = self.image.copy(); self.pending = []; self.torn = False
    def power_cut(self):
        rnd, image = self.rnd, self.durable
        p = rnd.choice([0.15, 0.5, 0.85])
        ops = [op for op in self.pending if rnd.random() < p]
        if rnd.random() < 0.7: rnd.shuffle(ops)
        for op in ops:
            if rnd.random() < 0.15:
                if op[0] == "write": op = ("write", {k: v for k, v in op[1].items() if rnd.random() < p})
                elif op[0] == "record" and not self.torn: self.torn, op = True, ("record", op[1], GARBAGE)
            image.apply(op)
        if rnd.random() < 0.5: image.size = max(image.size, self.image.size)      # the length is there, what was written is not
        self.durable, self.pending, self.image, self.torn = image, [], image.copy(), False


class Record:
    def __init__(self, **fields): self.__dict__.update(fields)
    def but(self, **fields): return Record(**{**self.__dict__, **fields})
    @property
    def count(self): return -(-self.length // SEG)


def seg_length(length, index): return min(SEG, length - index * SEG)
def home(index, version, length): return [("home", index, version, length, k) for k in range(length)]
def body(index, version, length): return [("body", index, version, length, k) for k in range(length)]
def directory_size(count): return -(-count // 2)


class World:
    """All that lives longer than a session."""
    def __init__(self, rnd, rules, log):
        self.rnd, self.rules, self.log, self.disk = rnd, rules, log, Disk(rnd)
        self.versions, self.contents, self.directories = 0, 0, []
        self.parent, self.synced, self.lost, self.power = {}, None, set(), False   # parent: content -> the one it came from
    def has(self, rule): return self.rules[rule]
    def fresh(self): self.versions += 1; return self.versions
    def promise(self, record): self.synced = record; self.log(f"    promised: {record.seq}")
    def descends(self, content, ancestor):
        while content is not None and content != ancestor: content = self.parent[content]
        return content == ancestor

    # The opener -------------------------------------------------------------------------------------------------------------
    def read_directory(self, record):
        """The list that a record points to: index -> (place, version, length); None if its directory is gone."""
        if record.pointer is None: return {}
        place, count, _, digest = record.pointer; units = self.disk.image.units
        got = units.get(place)
        if not isinstance(got, tuple) or got[0] != "directory" or (self.has("list digest") and got[1] != digest): return None
        entries = self.directories[got[1]]
        if len(entries) != count or any(seg_length(record.length, i) != e[2] for i, e in entries.items()): return None
        if not self.disk.image.holds(place, [("directory", got[1], k) for k in range(directory_size(count))]): return None
        return entries
    def is_home(self, record, index): return self.disk.image.holds(index * SEG, home(index, record.versions[index], seg_length(record.length, index)))
    def is_body(self, index, entry): return self.disk.image.holds(entry[0], body(index, *entry[1:]))
    def load(self, record, known):
        """The record's list, or None if the record is not whole as far as an opener looks."""
        must = record.clean or record.seq <= known
        entries = {} if record.applied else self.read_directory(record)
        if entries is None: return None
        placed = record.count
        while placed and placed - 1 in entries: placed -= 1
        end = max(record.length if placed == record.count else placed * SEG, record.pointer[2] if entries else 0)
        if self.disk.image.size < end: return None
        if record.applied and not must and self.has("check applied"):
            listed = self.read_directory(record)
            if listed is not None and not all(self.is_home(record, i) for i in listed): return None
        if not must and self.has("growth digest"):
            if not all(self.is_home(record, i) for i in range(record.began, record.count) if i not in entries): return None
        if self.has("check bodies") and (not must or (record.seq > known and self.has("check clean list"))):
            if not all(self.is_body(i, e) for i, e in entries.items()): return None
        return entries
    def find(self):
        """Chooses a record as an opener does."""
        slots = self.disk.image.records
        valid = sorted((r for r in slots if r != GARBAGE), key=lambda r: -r.seq)
        if len(valid) < 2: raise Unopened(None)
        known = max(r.durable_seq for r in valid)
        for record in valid:
            entries = self.load(record, known)
            if entries is not None: return record, entries, known
            if record.clean or record.seq <= known: raise Unopened(record)
        raise Unopened(None)

    # The checks -------------------------------------------------------------------------------------------------------------
    def read(self, record, entries, index):
        """'ok', 'stale' or 'lost'."""
        length = seg_length(record.length, index)
        if index in entries:
            got = entries[index]
            if not self.is_body(index, got): return "lost"
            return "ok" if got[1] == record.versions[index] else "stale"
        if self.is_home(record, index): return "ok"
        got = self.disk.image.units.get(index * SEG)
        if isinstance(got, tuple) and got[0] == "home" and got[3] == length and self.disk.image.holds(index * SEG, home(*got[1:4])): return "stale"
        return "lost"
    def whole(self, record):
        entries = {} if record.applied else self.read_directory(record)
        return entries is not None and all(self.read(record, entries, i) == "ok" for i in range(record.count))
    def check(self, died):
        """What is wrong with what a session left, or None; and whether the file can be opened again."""
        try: record, entries, known = self.find()
        except Unopened as e:
            if not self.power: return "does not open, though no power cut", False
            if self.synced is None: return None, False
            if e.record is None: return "does not open", False
            if not e.record.clean: return "a durable commit is damaged", False
            if self.descends(self.synced.content, e.record.content): return "a clean commit is damaged though synced", False
            return None, False
        if died and record.content != self.disk.issued.content: return "not the newest, though no power cut", False
        if self.synced is not None and not self.descends(record.content, self.synced.content): return "older than synced", False
        for newer in self.disk.image.records:
            if newer != GARBAGE and newer.seq > record.seq and self.whole(newer): return "passed over a whole commit", False
        for i, v in enumerate(record.versions):
            state = self.read(record, entries, i)
            if state == "ok" or (i, v) in self.lost: continue
            if state == "stale": return "wrong bytes", False
            if not self.power: return "a segment is lost, though no power cut", False
            if self.synced is not None and self.synced.versions[i:i + 1] == (v,): return "a segment is lost though synced", False
            if not record.clean and record.seq > known and (i in entries or i >= record.began): return "a segment is lost that the newest commit wrote", False
            self.lost.add((i, v))
        self.disk.issued = record
        return None, True


class Session:
    """A writer: from the creation or opening of the file to its end."""
    def __init__(self, world, sync):
        self.w, self.d, self.sync_mode = world, world.disk, sync
        self.live, self.redo, self.slot, self.durable, self.durable_list, self.seq = None, {}, 0, None, None, 0
        self.dirty, self.placed, self.placed_length, self.added, self.length = {}, [], 0, [], 0
        self.uncommitted, self.has_tail, self.cut_pending, self.changed, self.unsynced = 0, False, False, False, False
    def has(self, rule): return self.w.has(rule)

    def create(self):
        self.changed = self.unsynced = True; self.seq = 1; self.w.contents += 1; self.w.parent[self.w.contents] = None
        self.live = Record(seq=1, durable_seq=0, clean=False, applied=False, length=0, versions=(), began=0, pointer=None, content=self.w.contents)
        self.w.log("  create")
        self.d.image.records = [GARBAGE, GARBAGE, GARBAGE]
        for k in range(3): self.d.call(("record", k, self.live))
        return self

    def open(self):
        record, entries, known = self.w.find(); slots = self.d.image.records
        self.live, self.redo, self.slot = record, dict(entries), slots.index(record)
        self.seq = max(r.seq for r in slots if r != GARBAGE)
        for k, r in enumerate(slots):
            if r == GARBAGE or r.seq > known or r.seq <= (self.durable or (0, 0))[0]: continue
            self.durable = (r.seq, k)
            self.durable_list = (r.length, r.pointer[2]) if r.pointer and not r.applied and r.seq != record.seq else None
        self.placed, self.placed_length, self.length = list(record.versions), record.length, record.length
        end = self.end(record); self.has_tail = self.d.image.size > end
        fell_back = record.seq < self.seq
        self.w.log(f"  open {record.seq} of {[r if r == GARBAGE else r.seq for r in slots]}, durable {self.durable}, list {self.redo}, end {end} of {self.d.image.size}")
        cut = (self.has("cut on fallback") and fell_back and not record.clean) or (self.has("cut on open") and self.has_tail and not self.redo)
        invalid = slots.index(GARBAGE) if GARBAGE in slots and self.has("repair slot") else None
        if invalid is not None: self.d.call(("record", invalid, record))
        if (not record.clean and self.has("barrier on open") and (not cut or self.has("barrier before cut"))) or invalid is not None: self.barrier()
        if cut:
            self.w.log(f"    cut to {end}"); self.d.call(("cut", end)); self.has_tail = False
            if self.has("barrier after cut"): self.barrier()
        return self

    # The journal ------------------------------------------------------------------------------------------------------------
    def end(self, record): return max(record.length, record.pointer[2] if record.pointer and not record.applied else 0)
    def pinned(self):
        pins = [self.durable_list] if self.durable_list and self.has("avoid durable list") else []
        if self.redo and self.has("avoid live list"):
            pins += [(place, place + length) for place, _, length in self.redo.values()]
            pins.append((self.live.pointer[0], self.live.pointer[0] + directory_size(self.live.pointer[1])))
        return pins
    def barrier(self):
        self.w.log("    barrier"); self.d.sync(); self.durable, self.durable_list = (self.live.seq, self.slot), None
    def commit_record(self, clean=False, redo=None, **fields):
        self.seq += 1
        record = self.live.but(seq=self.seq, durable_seq=self.durable[0] if self.durable else 0, clean=clean, **fields)
        keep = {self.slot} if self.has("spare the live") else set()
        if self.durable and self.has("spare the durable"): keep.add(self.durable[1])
        spare = next(k for k in range(3) if k not in keep)
        durable_slot = self.durable[1] if self.durable and self.has("spare the durable") else None
        slots = [spare] + [k for k in range(3) if clean and self.has("clean fills slots") and k not in (spare, durable_slot)]
        self.w.log(f"    record {record.seq}{' clean' if clean else ''}{' applied' if record.applied else ''} in {slots}, durable {record.durable_seq}, {record.length} units {record.versions}, grew from {record.began}, list {redo} {record.pointer}")
        for k in slots:
            self.d.call(("record", k, record))
            if k == spare:
                if self.durable and self.durable[0] == self.live.seq and self.redo: self.durable_list = (self.live.length, self.end(self.live))
                self.live, self.slot, self.redo = record, k, redo or {}

    # The editor -------------------------------------------------------------------------------------------------------------
    @property
    def is_dirty(self): return self.uncommitted > 0
    def place(self, index, length):
        if self.cut_pending and self.has("barrier after shrink"): self.barrier(); self.cut_pending = False
        if self.has("apply before growing over") and any(start < index * SEG + length for start, _ in self.pinned()): self.apply()
        v = self.w.fresh(); self.w.log(f"    place {index} v{v} of {length}")
        self.placed.append(v); self.added.append(v); self.placed_length = index * SEG + length
        self.d.call(("write", dict(enumerate(home(index, v, length), index * SEG))))
    def write(self, start, size):
        while size:
            index = start // SEG; piece = min(size, SEG - start % SEG); end = start % SEG + piece
            if index == len(self.placed) and piece == SEG and index not in self.dirty: self.place(index, SEG)
            else:
                old = seg_length(self.live.length if index < self.live.count else self.placed_length, index) if index < len(self.placed) else 0
                self.dirty[index] = max(self.dirty.get(index, old), end)
                if self.dirty[index] == SEG and index == len(self.placed): del self.dirty[index]; self.place(index, SEG)
            start += piece; size -= piece; self.uncommitted += piece; self.length = max(self.length, start)
    def commit(self, leave_tail=False, clean=False):
        if not self.is_dirty: return
        n = len(self.placed)
        if n in self.dirty and not (leave_tail and (self.added or len(self.dirty) > 1)): self.place(n, self.dirty.pop(n))
        length = len(self.placed) * SEG if len(self.placed) in self.dirty else self.length
        count = -(-length // SEG); replaced = {i: self.dirty[i] for i in self.dirty if i < count}
        began = count - len(self.added)
        if not self.has("place once"):
            for i in [i for i in replaced if i >= began]:
                v = self.placed[i] = self.w.fresh(); self.w.log(f"    place {i} v{v} again"); self.d.call(("write", dict(enumerate(home(i, v, replaced[i]), i * SEG))))
                del replaced[i], self.dirty[i]
        entries, pointer = self.write_list(replaced, length)
        self.w.contents += 1; self.w.parent[self.w.contents] = self.live.content
        self.commit_record(clean, entries, applied=False, length=length, versions=tuple(self.placed[:count]), began=began, pointer=pointer, content=self.w.contents)
        self.added = []; self.changed = self.unsynced = True
        for i in [i for i in self.dirty if i < count]: del self.dirty[i]
        self.uncommitted = self.length - length
        if self.redo and len(self.redo) > self.w.large: self.apply()
    def write_list(self, replaced, length):
        entries = dict(self.redo)
        if not replaced: return entries, self.live.pointer if entries else None
        bodies = {}
        for i, size in replaced.items(): v = self.placed[i] = self.w.fresh(); bodies[i] = (v, size)
        for i, (place, v, size) in entries.items():
            if self.has("carry over") and i not in bodies and place < length:
                if not self.w.is_body(i, entries[i]): raise Stuck
                bodies[i] = (v, size)
        n = len(set(entries) | set(bodies))
        start = place = self.free(length, sum(size for _, size in bodies.values()) + directory_size(n)); units = []
        for i, (v, size) in bodies.items(): entries[i] = (place, v, size); units += body(i, v, size); place += size
        self.w.directories.append(dict(entries)); digest = len(self.w.directories) - 1
        units += [("directory", digest, k) for k in range(directory_size(n))]
        self.w.log(f"    list at {start}: {bodies}, directory at {place}: {entries}")
        self.d.call(("write", dict(enumerate(units, start))))
        end = max([start + len(units)] + [p + size for p, _, size in entries.values()])
        return entries, (place, n, end, digest)
    def free(self, place, size):
        for start, end in sorted(self.pinned()):
            if place + size <= start: break
            place = max(place, end)
        return place
    def apply(self):
        self.w.log("    apply"); self.has_tail = True
        if self.has("barrier before apply"): self.barrier()
        if not self.redo: return
        for i, entry in self.redo.items():
            if not self.w.is_body(i, entry): raise Stuck
            self.d.call(("write", dict(enumerate(home(i, *entry[1:]), i * SEG))))
        self.commit_record(applied=True, began=self.live.count)
        if self.has("barrier after apply"): self.barrier()
    def shrink(self, count):
        self.commit(); self.apply()
        if count >= self.live.count: return
        self.w.contents += 1; self.w.parent[self.w.contents] = self.live.content
        self.placed = self.placed[:count]; self.length = self.placed_length = count * SEG
        self.commit_record(applied=False, length=self.length, versions=tuple(self.placed), began=count, pointer=None, content=self.w.contents)
        self.changed = self.unsynced = True
        if self.has("barrier before shrink"): self.barrier()
        self.d.call(("cut", self.length)); self.cut_pending = True
    def sync(self):
        self.commit()
        if not self.durable or self.durable[0] != self.live.seq:
            if self.live.clean and self.has("sync needs unclean"): self.commit_record(False, self.redo, began=self.live.count)
            self.barrier()
        self.w.promise(self.live); self.unsynced = False
    def close(self, sync):
        if sync and self.has("sync before clean") and (self.is_dirty or (self.unsynced and self.has("close syncs commits"))): self.sync()
        if self.cut_pending and self.has("barrier after shrink"): self.barrier()
        self.commit(clean=True)
        if self.has_tail and not (self.pinned() and self.has("cut when unpinned")): self.w.log("    cut"); self.d.call(("cut", self.end(self.live)))
        if not self.live.clean: self.commit_record(True, self.redo, applied=False, pointer=self.live.pointer if self.redo else None)
        if sync and not self.has("sync before clean"): self.barrier()
        if sync and self.changed: self.w.promise(self.live)


# How much of what is done is to append, to write elsewhere, to sync.
STYLES = [(0.3, 0.2, 0.1), (0.45, 0, 0.1), (0.5, 0, 0.02), (0.05, 0.4, 0.15), (0.1, 0.4, 0.05)]


def live_session(world, rnd, session, style, shrinks):
    """Some operations and perhaps a close. Returns whether it was closed."""
    grow, edit, sync = style
    for _ in range(rnd.randint(0, 8)):
        op, n = rnd.random(), session.length
        if op < grow or not n: size = rnd.choice([1, 1, 1, 2, 3, 5]); world.log(f"  append {size}"); session.write(n, size)
        elif op < grow + edit: start, size = rnd.randint(0, n - 1), rnd.choice([1, 1, 2, 3]); world.log(f"  write {size} at {start}"); session.write(start, size)
        elif op < 0.9 - sync: world.log("  commit"); session.sync() if session.sync_mode and session.is_dirty else session.commit()
        elif op < 0.9: world.log("  sync"); session.sync()
        elif op < 0.95: leave = rnd.random() < 0.7; world.log(f"  commit by itself{', but the tail' if leave else ''}"); session.commit(leave_tail=leave)
        elif shrinks: world.log("  shrink"); session.shrink(rnd.randint(0, n // SEG))
    if rnd.random() < 0.3: return False
    world.log("  close"); session.close(session.sync_mode); return True


def run(seed, rules, power, shrinks=True, log=lambda text: None):
    """One file's life. Returns what went wrong, or None."""
    rnd = random.Random(seed); world = World(rnd, rules, log); world.large = rnd.choice([1, 3, 6])
    style, cuts = rnd.choice(STYLES), rnd.choice([0.15, 0.5])
    for number in range(rnd.randint(1, 6)):
        world.disk.left = rnd.randint(0, 25) if rnd.random() < 0.6 else 1000
        session, closed = Session(world, rnd.random() < 0.2), False
        log(f"session {number + 1}")
        if number == 0: world.disk.left += 3; session.create()
        try:
            if number:
                session.open()
                if rnd.random() < 0.15: log("  sync"); session.sync()
            elif rnd.random() < 0.5: session.sync()
            closed = live_session(world, rnd, session, style, shrinks)
        except Crash: log("  (in the middle of it)")
        except Stuck: log("  stuck at damage")
        if power and rnd.random() < cuts:
            log("  POWER CUT"); world.power = True; world.disk.power_cut(); wrong, usable = world.check(False)
        else: log("  (closed)" if closed else "  DEATH"); wrong, usable = world.check(True)
        if wrong: log(f"  {wrong}"); return wrong
        if not usable: return None
    return None


ALL = dict.fromkeys(RULES, True)
VARIANTS = {"all rules": ALL, **{f"without {rule}": {**ALL, rule: False} for rule in RULES}}


def main(n, only):
    for name, rules in VARIANTS.items():
        if only and only not in name: continue
        line = []
        for power in (True, False):
            bad = {}
            for seed in range(n):
                wrong = run(seed, rules, power)
                if wrong: bad.setdefault(wrong, seed)
            line.append(f"{'power cuts' if power else 'deaths'}: {bad or 'ok'}")
            if only and bad: run(min(bad.values()), rules, power, log=print)
        print(f"{name:36}", "   ".join(line))


if __name__ == "__main__": main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, " ".join(sys.argv[2:]))
