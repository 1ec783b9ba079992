"""A model of how an editable file is committed, to find out whether its rules are enough and which of them are needed.

    python3 docs/model/commit_model.py [runs] [variant]    one line a variant; for a variant, what happened in its first bad run

A file is a row of units; a full segment takes SEG of them, a short last one fewer. A run is the life of one file: sessions of a
writer, each ended by close, by the death of the process or by a power cut. A process may die in the middle of a write, which leaves
its beginning. What is not behind a barrier survives a power cut in any subset and order, and each unit of a write by itself; at most
one record tears between two barriers (a record lies in one sector). Meanwhile and at each session's end some other power cuts are
looked at, too.

Checked after every session: the opener's state is a committed one; after the death of a process it is the newest; it is never older
than the last sync that returned; no newer one that is whole was passed over; no segment reads as another version than the state
holds. Errors are allowed after a power cut only, and never about what was synced:
 - on reading: a segment that a commit before the chosen one wrote, or a clean one;
 - on opening: a clean commit whose list is gone, or a new file that was never synced.
Not modelled: `recover`, calls that fail, and readers that stay open while a writer goes on."""
import random, sys

SEG = 2
SAMPLES, SAMPLES_MEANWHILE = 8, 3
ALL_KEPT = float("inf")
GARBAGE = "garbage"

# Each rule, and what is done without it.
RULES = {
    "growth digest": "R1: the opener does not check what a commit added at its place",
    "list digest": "R1: any whole directory at the list's place is believed",
    "check bodies": "R1: the opener does not check the bodies of a commit's list",
    "check applied": "R1: the opener does not compare the homes with the directory of an applied list",
    "check clean list": "the bodies of a clean record's list are not checked",
    "copies add nothing": "a record that repeats a state also repeats which growth is to be checked",
    "barrier before apply": "R2: homes are overwritten before the list is known to be on disk",
    "barrier after apply": "R2: the applied record may still be lost when the list's place is written or cut",
    "apply before shrinking": "R3: dropped segments stay in the list of a shorter state (to leave them out of it would do, too)",
    "list behind old end": "R3: the list of a shorter state lies where segments were dropped",
    "barrier before shrink": "R3: the file is cut before the shorter state is on disk",
    "apply before cut": "R3: the file is cut behind the list of the shorter state, and not before it",
    "cut before clean": "R3: the record of a shorter state may be a clean one",
    "barrier after shrink": "R3: cut places are written again before the cut is on disk",
    "barrier before close": "R3: a file is closed clean before its cut is on disk",
    "spare the durable": "R4: a new record may replace the newest durable one",
    "spare the live": "R4: a new record may replace the live one",
    "place once": "R6: an uncommitted segment that was placed already is placed again when it is rewritten",
    "avoid live list": "a new list may lie over the one of the live record",
    "avoid durable list": "a new list may lie over the one of the newest durable record",
    "apply in the way": "a new segment may lie over a list that is needed",
    "apply before placing": "lists are applied only where a new segment would lie over them, not before every one (shows in some 9,000 runs)",
    "apply if covered": "listed segments stay where the growing last segment will cover them when it is applied",
    "barrier on open": "R7: a writer goes on from an unclean record, or clears what a dead one left, before the state is on disk",
    "cut on open": "R7: what a dead writer left behind the state stays there",
    "apply on open": "R7: a dead writer's list that lies apart from the data stays, and before it what a shorter state has dropped",
    "supersede": "R7: torn and passed-over records stay as they are",
    "torn one first": "R7: a passed-over record is written over before the one over the torn record is on disk",
    "barrier after clearing": "R7: a writer goes on before what was left is known to be gone",
    "torn spare first": "a new record leaves a torn one where it is, if it can choose",
    "sync before clean": "close with sync writes the clean record first, and waits then",
    "unclean before barrier": "a barrier makes a clean record durable, and should the writer die, the next one does not know it",
    "close keeps lists": "close cuts behind the state, though the newest durable one has a list there",
    "clean fills slots": "a clean record is written to one slot only (it is for damage that the others are filled, not for crashes)",
}


class Crash(Exception): pass
class Stuck(Exception): pass
class Wrong(Exception): pass


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
    def sample(self):
        """What a power cut could leave now."""
        rnd, image, torn, p = self.rnd, self.durable.copy(), self.torn, self.rnd.choice([0.15, 0.5, 0.85])
        ops = [op for op in self.pending if rnd.random() < p]
        if rnd.random() < 0.7: rnd.shuffle(ops)
        for op in ops:
            if rnd.random() < 0.35:
                if op[0] == "write": op = ("write", {k: v for k, v in op[1].items() if rnd.random() < p})
                elif op[0] == "record" and not torn: torn, op = True, ("record", op[1], GARBAGE)
            image.apply(op)
        if rnd.random() < 0.5: image.size = max(image.size, self.image.size)      # the length is there, what was written is not
        return image
    def power_cut(self): self.image = self.sample(); self.durable, self.pending, self.torn = self.image.copy(), [], False


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
    def new_content(self, parent): self.contents += 1; self.parent[self.contents] = parent; return self.contents
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
    def check_samples(self, n):
        """Looks at what some power cuts could leave now."""
        kept = self.disk.image, self.disk.issued, self.lost, self.power
        for _ in range(n if self.disk.pending else 0):
            self.disk.image, self.lost, self.power = self.disk.sample(), set(self.lost), True
            wrong, _ = self.check(False)
            if wrong: self.log("  POWER CUT"); raise Wrong(wrong)
        self.disk.image, self.disk.issued, self.lost, self.power = kept
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
    def __init__(self, world, durable):
        self.w, self.d, self.is_durable = world, world.disk, durable                # is_durable: every commit waits for the disk
        self.live, self.redo, self.slot, self.durable, self.durable_list, self.seq = None, {}, 0, None, None, 0
        self.dirty, self.placed, self.placed_length, self.length = {}, [], 0, 0
        self.kept = ALL_KEPT                                                        # placed segments from here on were truncated away
        self.uncommitted, self.written_end, self.cut_pending, self.changed = 0, 0, False, False
    def has(self, rule): return self.w.has(rule)

    def create(self):
        self.changed, self.seq, content = True, 1, self.w.new_content(None)
        self.live = Record(seq=1, durable_seq=0, clean=False, applied=False, length=0, versions=(), began=0, pointer=None, content=content)
        self.w.log("  create")
        for k in range(3): self.d.call(("record", k, self.live))
        if self.is_durable: self.barrier(); self.w.promise(self.live)

    def open(self):
        record, entries, known = self.w.find(); slots = self.d.image.records
        self.live, self.redo, self.slot = record, entries, slots.index(record)
        self.seq = max(known, *(r.seq for r in slots if r != GARBAGE))
        for k, r in enumerate(slots):
            if r == GARBAGE or r.seq > known or r.seq <= (self.durable or (0, 0))[0]: continue
            self.durable = (r.seq, k)
            self.durable_list = (r.length, r.pointer[2]) if r.pointer and not r.applied and r.seq != record.seq else None
        self.placed, self.placed_length, self.length = list(record.versions), record.length, record.length
        self.written_end = self.d.image.size
        self.w.log(f"  open {record.seq} of {[r if r == GARBAGE else r.seq for r in slots]}, durable {self.durable}, list {self.redo}, "
                   f"needs {self.needed_end()} of {self.written_end}")
        stale = [k for k, r in enumerate(slots) if r == GARBAGE or r.seq > record.seq]
        if record.clean and self.written_end <= self.needed_end() and not stale: return
        if self.has("barrier on open"): self.barrier()
        stale = [k for k in stale if k != self.slot] if self.has("supersede") else []
        torn = [k for k in stale if slots[k] == GARBAGE]
        if stale: self.supersede(torn, stale)
        if self.redo and min(self.live.pointer[0], *(e[0] for e in self.redo.values())) > self.live.length and self.has("apply on open"): self.apply()
        cut = self.has("cut on open") and self.written_end > self.needed_end()
        if cut: self.cut(self.needed_end())
        if (stale or cut) and self.has("barrier after clearing"): self.barrier()

    # The journal ------------------------------------------------------------------------------------------------------------
    def end(self): return max(self.live.length, self.live.pointer[2] if self.redo else 0)
    def needed_end(self): return max(self.end(), self.durable_list[1] if self.durable_list else 0)
    def pinned(self):
        pins = [self.durable_list] if self.durable_list and self.has("avoid durable list") else []
        if self.redo and self.has("avoid live list"):
            pins += [(place, place + length) for place, _, length in self.redo.values()]
            pins.append((self.live.pointer[0], self.live.pointer[0] + directory_size(self.live.pointer[1])))
        return pins
    def barrier(self, clean=False):
        if self.live.clean and not clean and self.has("unclean before barrier"): self.recommit(False)
        self.w.log("    barrier"); self.d.sync()
        self.durable, self.durable_list, self.cut_pending = (self.live.seq, self.slot), None, False
    def wait(self):
        if not self.durable or self.durable[0] != self.live.seq: self.barrier()
    def cut(self, end): self.w.log(f"    cut to {end}"); self.d.call(("cut", end)); self.written_end = end
    def next_record(self, clean, **fields):
        self.seq += 1
        return self.live.but(seq=self.seq, durable_seq=self.durable[0] if self.durable else 0, clean=clean, **fields)
    def repeated(self):
        began = self.live.count if self.has("copies add nothing") else self.live.began
        return dict(applied=False, began=began, pointer=self.live.pointer if self.redo else None)
    def write_record(self, record, slots, redo):
        r = record
        self.w.log(f"    record {r.seq}{' clean' if r.clean else ''}{' applied' if r.applied else ''} in {slots}, durable {r.durable_seq}: "
                   f"{r.length} units {r.versions}, grew from {r.began}, list {redo} {r.pointer or ''}")
        for k in slots:
            self.d.call(("record", k, record))
            if k == slots[0]:
                if self.durable and self.durable[0] == self.live.seq and self.redo: self.durable_list = (self.live.length, self.end())
                self.live, self.slot, self.redo = record, k, redo
    def supersede(self, torn, stale):
        record = self.next_record(False, **self.repeated()); rest = stale
        if torn and len(stale) > 1 and self.has("torn one first"):
            self.write_record(record, torn, self.redo); self.barrier(); rest = [k for k in stale if k not in torn]
            for k in rest: self.d.call(("record", k, record))
        else: self.write_record(record, stale, self.redo)
    def commit_record(self, clean, redo, **fields):
        record = self.next_record(clean, **fields)
        durable_slot = self.durable[1] if self.durable and self.has("spare the durable") else None
        free = [k for k in range(3) if k != durable_slot and not (k == self.slot and self.has("spare the live"))]
        if self.has("torn spare first"): free.sort(key=lambda k: self.d.image.records[k] != GARBAGE)
        others = [k for k in range(3) if clean and self.has("clean fills slots") and k not in (free[0], durable_slot)]
        self.write_record(record, [free[0], *others], redo)
    def recommit(self, clean): self.commit_record(clean, self.redo, **self.repeated())

    # The editor -------------------------------------------------------------------------------------------------------------
    def make_room(self, end):
        pinned = self.pinned()
        if not self.has("apply before placing"): pinned = [p for p in pinned if p[0] < end]
        if pinned and self.has("apply in the way"): self.apply()
        if self.cut_pending and self.has("barrier after shrink"): self.barrier()
    def place(self, index, length):
        self.make_room(index * SEG + length)
        v = self.w.fresh(); self.w.log(f"    place {index} v{v} of {length}")
        self.placed.append(v); self.placed_length = index * SEG + length
        self.d.call(("write", dict(enumerate(home(index, v, length), index * SEG))))
    def write(self, start, size):
        while size:
            index = start // SEG; piece = min(size, SEG - start % SEG)
            if index == len(self.placed) and self.kept < index: self.commit()
            n = len(self.placed)
            if index == n: self.make_room(start + piece)
            if index not in self.dirty:
                state = self.live.length if index < self.live.count else self.placed_length
                self.dirty[index] = seg_length(state, index) if index < min(n, self.kept) else 0
            self.dirty[index] = max(self.dirty[index], start % SEG + piece)
            if index == n and self.dirty[index] == SEG: del self.dirty[index]; self.place(index, SEG)
            start += piece; size -= piece; self.uncommitted += piece; self.length = max(self.length, start)
    def truncate(self, length):
        """Replaces the last segment with what is left of it. Those behind it are replaced, too, should the file grow over them again."""
        count = -(-length // SEG)
        if length % SEG: self.dirty[count - 1] = length % SEG
        for i in [i for i in self.dirty if i >= count]: del self.dirty[i]
        if count < len(self.placed): self.kept = min(self.kept, count)
        self.length, self.uncommitted = length, max(self.uncommitted, 1)
    def commit(self, leave_tail=False, clean=False):
        if not self.uncommitted: return
        n = len(self.placed)
        if n in self.dirty and not (leave_tail and (n > self.live.count or len(self.dirty) > 1)): self.place(n, self.dirty.pop(n))
        length = len(self.placed) * SEG if len(self.placed) in self.dirty else self.length
        shorter = length < self.placed_length
        if shorter and self.pinned() and self.has("apply before shrinking"): self.apply()
        count = -(-length // SEG); replaced = {i: self.dirty[i] for i in self.dirty if i < count}; began = min(count, self.live.count)
        if not self.has("place once"):
            for i in [i for i in replaced if i >= began]:
                v = self.placed[i] = self.w.fresh(); self.w.log(f"    place {i} v{v} again")
                self.d.call(("write", dict(enumerate(home(i, v, replaced.pop(i)), i * SEG)))); del self.dirty[i]
        entries, pointer = self.write_list(replaced, max(length, self.placed_length) if self.has("list behind old end") else length)
        if shorter and self.has("cut before clean"): clean = False
        self.commit_record(clean, entries, applied=False, length=length, versions=tuple(self.placed[:count]), began=began,
                           pointer=pointer, content=self.w.new_content(self.live.content))
        self.written_end = max(self.written_end, self.end())
        self.placed, self.placed_length, self.kept = self.placed[:count], length, ALL_KEPT
        self.changed, self.uncommitted = True, self.length - length
        for i in [i for i in self.dirty if i < count]: del self.dirty[i]
        if shorter: self.finish_cut()
        if self.is_durable and self.has("sync before clean"): self.wait(); self.w.promise(self.live)
        if len(self.redo) > self.w.large: self.apply()
    def write_list(self, replaced, data_end):
        """Writes the new versions of segments that others need, and the directory of all that are pending."""
        if self.has("apply if covered") and any(place < data_end and i not in replaced for i, (place, _, _) in self.redo.items()): self.apply()
        entries = dict(self.redo)
        if not replaced: return entries, self.live.pointer if entries else None
        n = len(set(entries) | set(replaced)); place = start = self.free(data_end, sum(replaced.values()) + directory_size(n)); units = []
        for i, size in replaced.items():
            v = self.placed[i] = self.w.fresh()
            entries[i] = (place, v, size); units += body(i, v, size); place += size
        self.w.directories.append(entries); digest = len(self.w.directories) - 1
        units += [("directory", digest, k) for k in range(directory_size(n))]
        self.w.log(f"    list at {start} to {start + len(units)}: {entries}, directory at {place}")
        self.d.call(("write", dict(enumerate(units, start))))
        end = max([start + len(units)] + [p + size for p, _, size in entries.values()])
        return entries, (place, n, end, digest)
    def free(self, place, size):
        for start, end in sorted(self.pinned()):
            if place + size <= start: break
            place = max(place, end)
        return place
    def apply(self):
        self.w.log("    apply")
        if self.has("barrier before apply") or not self.redo: self.wait()
        if not self.redo: return
        for i, entry in self.redo.items():
            if not self.w.is_body(i, entry): raise Stuck
            self.d.call(("write", dict(enumerate(home(i, *entry[1:]), i * SEG))))
        self.commit_record(False, {}, applied=True, began=self.live.count)
        if self.has("barrier after apply"): self.barrier()
    def finish_cut(self):
        """Cuts off what a shorter state has dropped."""
        if self.has("barrier before shrink"): self.wait()
        if self.redo and self.has("apply before cut"): self.apply()
        self.cut(self.needed_end()); self.cut_pending = True
    def sync(self):
        self.commit(); self.wait(); self.w.promise(self.live)
    def close(self):
        self.commit(clean=not self.is_durable or not self.has("sync before clean"))
        if self.cut_pending and self.has("barrier before close"): self.barrier()
        needed = self.needed_end() if self.has("close keeps lists") else self.end()
        if self.written_end > needed: self.cut(needed)
        if not self.live.clean: self.recommit(True)
        if self.is_durable and not self.has("sync before clean"): self.barrier(clean=True)
        if self.is_durable and self.changed: self.w.promise(self.live)


# How much of what is done is to append, to write elsewhere, to truncate, to sync; how often a commit comes first. How much is appended.
STYLES = [(0.3, 0.2, 0.1, 0.1, 0), (0.5, 0, 0.05, 0.02, 0), (0.05, 0.4, 0.05, 0.15, 0), (0.15, 0.4, 0.1, 0.05, 0),
          (0.5, 0.1, 0.25, 0, 0.7), (0.2, 0.6, 0.1, 0.02, 0.3), (0.4, 0.2, 0.3, 0, 0)]
SIZES = [[1, 1, 2, 3, 5], [2, 2, 4, 6]]


def live_session(world, rnd, session, style, sizes, power, shrinks):
    """Some operations and perhaps a close. Returns whether it was closed."""
    grow, edit, cut, sync, commit = style
    def may_die_soon():
        if rnd.random() < 0.3: world.disk.left = min(world.disk.left, rnd.randint(0, 6))
    for _ in range(rnd.randint(0, rnd.choice([2, 4]))):
        if rnd.random() < commit: world.log("  commit"); session.commit()
        op, n = rnd.random(), session.length
        if op < grow or not n: size = rnd.choice(sizes); world.log(f"  append {size}"); session.write(n, size)
        elif op < grow + edit:
            start, size = rnd.choice([0, rnd.randint(0, n - 1)]), rnd.choice([1, 1, 2, 3, 6])
            world.log(f"  write {size} at {start}"); session.write(start, size)
        elif op < grow + edit + cut:
            if not shrinks: continue
            length = rnd.randint(0, n - 1); length -= length % rnd.choice([1, SEG])
            world.log(f"  truncate to {length}"); session.truncate(length); may_die_soon()
        elif op < 0.95 - sync: world.log("  commit"); session.commit()
        elif op < 0.95: world.log("  sync"); session.sync()
        else: leave = rnd.random() < 0.7; world.log(f"  commit by itself{', but the tail' if leave else ''}"); session.commit(leave_tail=leave)
        if power: world.check_samples(SAMPLES_MEANWHILE)
    if rnd.random() < 0.3: return False
    may_die_soon(); world.log("  close"); session.close(); return True


def live(seed, rules, log, power, shrinks=True):
    """One file's life."""
    rnd = random.Random(seed); world = World(rnd, rules, log); world.large = rnd.choice([1, 4, 9])
    styles, cuts = [(rnd.choice(STYLES), rnd.choice(SIZES)) for _ in range(2)], rnd.choice([0.05, 0.4])
    for number in range(rnd.randint(2, 16)):
        world.disk.left = rnd.randint(0, rnd.choice([4, 25])) if rnd.random() < 0.6 else 1000
        session, closed = Session(world, rnd.random() < 0.2), False
        log(f"session {number + 1}")
        if number == 0: world.disk.left += 4; session.create()
        try:
            if number: session.open()
            if rnd.random() < (0.05 if number else 0.5): log("  sync"); session.sync()
            closed = live_session(world, rnd, session, *rnd.choice(styles), power, shrinks)
        except Crash: log("  (in the middle of it)")
        except Stuck: log("  stuck at damage")
        if power: world.check_samples(SAMPLES)
        if power and rnd.random() < cuts:
            log("  POWER CUT"); world.power = True; world.disk.power_cut(); wrong, usable = world.check(False)
        else: log("  (closed)" if closed else "  DEATH"); wrong, usable = world.check(True)
        if wrong: raise Wrong(wrong)
        if not usable: return


def run(seed, rules, log=lambda text: None, **kind):
    """Returns what went wrong in a life, or None."""
    try: return live(seed, rules, log, **kind)
    except Wrong as wrong: log(f"  {wrong}"); return str(wrong)


ALL = dict.fromkeys(RULES, True)


def first_bad(n, rules, **kind):
    for seed in range(n):
        wrong = run(seed, rules, **kind)
        if wrong: return seed, wrong
    return None, "ok"


def main(n, only):
    variants = [(f"all rules, {name}", ALL, kind, "") for name, kind in [
        ("power cuts", dict(power=True)), ("never shortened", dict(power=True, shrinks=False)), ("deaths only", dict(power=False))]]
    variants += [(f"without: {rule}", {**ALL, rule: False}, dict(power=True), why) for rule, why in RULES.items()]
    failed = False
    for name, rules, kind, why in variants:
        if only not in name: continue
        seed, wrong = first_bad(n, rules, **kind)
        if only and seed is not None: run(seed, rules, **kind, log=print)
        failed |= rules is ALL and seed is not None
        print(f"{name:34} {wrong if seed is None else f'run {seed}: {wrong}':58} {why}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__": sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000, " ".join(sys.argv[2:])))
