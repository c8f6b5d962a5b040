# SPDX-License-Identifier: MIT
"""dream-gdb.py: the processes of a DREAM node in gdb; docs/debugging.md.

    gdb -p PID -x dream-gdb.py
    gdb dreamd CORE -x dream-gdb.py

Everything is read from the node's memory by means of its debug information. Nothing in it is called or changed, so a
core is as good as a living node.
"""
import hashlib
import os
import re
import struct

import gdb
import gdb.unwinder

# What the debug information does not have, since they are macros there. tests/unit/house compares them with the sources.
CHUNK_BITS = 12
NODE_PROC_IDLE = 0
NODE_PROC_READY = 1
NODE_PROC_EXITING = 2
NODE_PROC_BLOCKED = 4
NODE_PROC_MOVABLE = 256
NODE_STACK_STOWED = 1
NODE_CTX_PROCESS = 4

SIGNALS_MAX = 1000000  # counted in one queue: a damaged one may be a ring
BLOCK = 1 << 20  # read at once, as gdb's own generate-core-file does
PAGE = 4096


class Problem(Exception):
    """What is told to the user in one line."""


# ---- the node


class Elf:
    """The headers of an ELF file of this machine, 64 bits, little-endian."""

    PROGRAM = struct.Struct("<IIQQQQQQ")  # type flags offset vaddr paddr filesz memsz align
    SECTION = struct.Struct("<IIQQQQIIQQ")  # name type flags addr offset size link info align entsize
    SYMBOL = struct.Struct("<IBBHQQ")  # name info other section value size
    LOAD, TLS, SYMTAB = 1, 7, 2

    def __init__(self, file):
        self.file = file
        head = self.at(0, 64)
        if head[:6] != b"\x7fELF\x02\x01":
            raise Problem("%s: no ELF file of 64 bits" % file.name)
        phoff, shoff = struct.unpack_from("<QQ", head, 32)
        phentsize, phnum, shentsize, shnum = struct.unpack_from("<HHHH", head, 54)
        if phnum == 0xFFFF:  # more of them than fit: the first section's info says how many
            phnum = self.SECTION.unpack(self.at(shoff, self.SECTION.size))[7]
        self.programs = [self.PROGRAM.unpack(self.at(phoff + i * phentsize, self.PROGRAM.size)) for i in range(phnum)]
        self.sections = [self.SECTION.unpack(self.at(shoff + i * shentsize, self.SECTION.size)) for i in range(shnum)]

    def at(self, offset, size):
        self.file.seek(offset)
        data = self.file.read(size)
        if len(data) != size:
            raise Problem("%s: it ends too early" % self.file.name)
        return data

    def symbol(self, wanted):
        for section in self.sections:
            if section[1] != self.SYMTAB:
                continue
            names = self.sections[section[6]]
            strings = self.at(names[4], names[5])
            for name, _, _, _, value, _ in self.SYMBOL.iter_unpack(self.at(section[4], section[5])):
                if strings.startswith(wanted + b"\0", name):
                    return value
        return None


def executable():
    path = gdb.current_progspace().filename
    if path is None:
        raise Problem("no program; start gdb as: gdb -p PID, or: gdb dreamd CORE")
    return path


context_offsets = {}


def context_offset():
    """Where a thread's node_ctx_t lies, from its thread pointer. gdb cannot say: link-time optimisation drops the place of
    thread_ctx from the debug information, and a core may come without a fitting libthread_db."""
    path = executable()
    if path not in context_offsets:
        with open(path, "rb") as file:
            elf = Elf(file)
            value = elf.symbol(b"thread_ctx")
            tls = [p for p in elf.programs if p[0] == Elf.TLS]
            if value is None or not tls:
                raise Problem("%s: no symbol thread_ctx; is it dreamd, and not stripped?" % path)
            align = max(tls[0][7], 1)
            context_offsets[path] = value - (tls[0][6] + align - 1) // align * align
    return context_offsets[path]


known_types = {}  # during one command: a program may be built anew between two


def type_of(name):
    try:
        if name not in known_types:
            known_types[name] = gdb.lookup_type(name)
        return known_types[name]
    except gdb.error:
        raise Problem("%s: no debug information of the node (type %s); is it stripped?" % (executable(), name))


def pointer_to(name, address):
    return gdb.Value(address).cast(type_of(name).pointer())


def at(pointer, name):
    """What it points to. Where the pointer was declared the struct's members may be unknown."""
    return pointer.cast(type_of(name).pointer()).dereference()


def check_machine():
    if not gdb.selected_inferior().threads():
        raise Problem("no program is running and no core is loaded; start gdb as: gdb -p PID, or: gdb dreamd CORE")
    name = gdb.selected_inferior().architecture().name()
    if name != "i386:x86-64":
        raise Problem("stacks are known for x86-64 only, not for %s" % name)


def listed(queue):
    """What a GQueue links."""
    link = queue["head"]
    while int(link):
        yield link["data"]
        link = link["next"]


class Kept:
    """The user's thread and frame, afterwards as before."""

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.frame = gdb.selected_frame() if self.thread is not None else None

    def __exit__(self, *_):
        if self.thread is None or not self.thread.is_valid():
            return
        self.thread.switch()
        if self.frame.is_valid():
            self.frame.select()


class Thread:
    """A thread of the program, and what it does for a node."""

    def __init__(self, thread):
        thread.switch()
        self.gdb = thread
        self.num = thread.num
        self.pointer = int(gdb.newest_frame().read_register("fs_base")) & (1 << 64) - 1
        self.ctx = pointer_to("struct node_ctx", self.pointer + context_offset()).dereference()
        try:
            self.node = int(self.ctx["node"])
            self.proc = int(self.ctx["proc"]) if int(self.ctx["tag"]) & NODE_CTX_PROCESS else 0
            self.sched = pointer_to("struct node_sched_thread", int(self.ctx["thread"])) if int(self.ctx["thread"]) else None
        except gdb.MemoryError:
            self.node, self.proc, self.sched = 0, 0, None


def all_threads():
    check_machine()
    with Kept():
        return sorted((Thread(t) for t in gdb.selected_inferior().threads()), key=lambda t: t.num)


class Node:
    """A node with its threads."""

    def __init__(self, address, threads):
        self.value = pointer_to("struct node", address).dereference()
        self.threads = [t for t in threads if t.node == address]
        self.running = {t.proc: t for t in self.threads if t.proc}
        self.texts = {}  # of labels and modules, by address: many processes share a few

    def name(self):
        return self.value["name"].string(errors="replace")

    def procs(self):
        tab = at(self.value["procs"], "struct node_proctab")
        n_slots = int(tab["n_slots"])
        for first in range(0, n_slots, 1 << CHUNK_BITS):
            chunk = tab["chunks"][first >> CHUNK_BITS]
            for i in range(min(n_slots - first, 1 << CHUNK_BITS)):
                proc = chunk[i]
                if int(proc["id"]) != 0:
                    yield proc

    def find(self, wanted):
        slot = wanted & 0xFFFFFFFF
        tab = at(self.value["procs"], "struct node_proctab")
        if slot >= int(tab["n_slots"]):
            return None
        proc = tab["chunks"][slot >> CHUNK_BITS][slot & (1 << CHUNK_BITS) - 1]
        return proc if int(proc["id"]) == wanted else None

    def generations(self):
        if not int(self.value["code"]):
            return
        gens = at(at(self.value["code"], "struct node_code")["gens"], "struct _GPtrArray")
        for i in range(int(gens["len"])):
            yield at(gens["pdata"][i], "struct node_gen")

    def named(self):
        """Registered names, and labels, by id."""
        names = at(self.value["names"], "struct node_names")
        entries = [at(d, "struct node_names_entry") for d in listed(names["all"])]
        labels = [at(d, "struct node_names_label") for d in listed(names["all_labels"])]
        char = gdb.lookup_type("char").pointer()
        return ({int(e["pid"]["id"]): text_of(e["name"]) for e in entries},
            {int(label["id"]): text_of(label["text"].address.cast(char)) for label in labels})

    def sched(self):
        return at(self.value["sched"], "struct node_sched")


def all_nodes():
    threads = all_threads()
    addresses = sorted({t.node for t in threads if t.node})
    nodes = [Node(a, threads) for a in addresses if int(pointer_to("struct node", a)["procs"])]
    if not nodes:
        raise Problem("no node: none of the %d threads serves one; has it started, or ended already?" % len(threads))
    return nodes


# ---- a process


def text_of(value, otherwise="-"):
    return value.string(errors="replace") if int(value) else otherwise


def pid_of(proc):
    return "<%d.%d>" % (int(proc["id"]) & 0xFFFFFFFF, int(proc["id"]) >> 32)


def parse_pid(text):
    match = re.fullmatch(r"<?(\d{1,9})\.(\d{1,9})>?", text)
    if match is None:
        raise Problem('"%s" is no pid; they look like <7.1> or 7.1, see: dream ps' % text)
    return int(match[2]) << 32 | int(match[1])


def stack_of(proc):
    return at(proc["stack"], "struct node_stack") if int(proc["stack"]) else None


def is_stowed(stack):
    return bool(int(stack["state"]) & NODE_STACK_STOWED)


def waits_in(proc, stowed):
    if not int(proc["slot"]):
        return "receive" if int(proc["flags"]) & NODE_PROC_MOVABLE else "the node"
    # A stowed slot is not at its address; only those of calls may be stowed.
    return "call" if stowed or not int(proc["slot"]["drop"]) else "input or output"


def state_of(node, proc):
    thread = node.running.get(int(proc.address))
    if thread is not None:
        return "running on thread %d" % thread.num
    stack = stack_of(proc)
    state = int(proc["run_state"])
    if state == NODE_PROC_READY:
        return "ready" if stack is None else "ready, in the middle"
    if stack is None:
        return "idle" if state == NODE_PROC_IDLE else "between two turns"
    if int(proc["flags"]) & NODE_PROC_EXITING:
        return "ending"
    stowed = is_stowed(stack)
    return "blocked in %s%s" % (waits_in(proc, stowed), ", stowed" if stowed else "")


def mailbox_of(proc):
    """Received ones and what is on its way; 1 and 2 stand for a queue that is closed, and one whose owner sleeps."""
    count = int(proc["n_inbox"])
    sig = proc["outer"]
    while int(sig) > 2 and count < SIGNALS_MAX:
        count += 1
        sig = sig["next"]
    return count


def title_of(gen):
    if not int(gen):
        return "-"
    gen = at(gen, "struct node_gen")
    return "%s %s #%d" % (gen["name"].string(), gen["vsn"].string(), int(gen["number"]))


def shared(node, value, describe):
    address = int(value)
    if address not in node.texts:
        node.texts[address] = describe(value)
    return node.texts[address]


def row_of(node, proc, names, labels):
    """@labels: None if no process has one."""
    pid, wanted = pid_of(proc), int(proc["id"])
    label = [labels.get(wanted, "-")] if labels else []
    try:
        kind, module = shared(node, proc["label"], text_of), shared(node, proc["gen"], title_of)
        return [pid, names.get(wanted, "-")] + label + [kind, state_of(node, proc), str(mailbox_of(proc)), module]
    except gdb.MemoryError as error:
        return [pid, names.get(wanted, "-")] + label + ["?", "damaged: %s" % error, "?", "?"]


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        gdb.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() + "\n")


# ---- stacks

# As node_switch_raw in node/sched/switch.c leaves them: from fiber.sp upwards, behind the control words.
SAVED = ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip")


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Grafter(gdb.unwinder.Unwinder):
    """Lets gdb believe that the selected thread's newest frame was called by the frame with other registers. This does not
    write to the program, which of a core would be impossible, and gdb's own unwinders do the rest."""

    def __init__(self):
        super().__init__("dream")
        self.registers = None
        self.place = None

    def __call__(self, pending):
        if self.registers is None or self.place != self.place_of(pending):
            return None
        # Its caller is to lie further up, else gdb takes the stack for a damaged one.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.registers["rsp"] - 256), gdb.Value(self.place[1])))
        for name, value in self.registers.items():
            kind = pending.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info

    @staticmethod
    def place_of(frame):
        return int(frame.read_register("rsp")), int(frame.read_register("rip"))

    def graft(self, registers):
        """The frame with these registers, until the next call."""
        self.registers = None
        gdb.invalidate_cached_frames()
        self.place = self.place_of(gdb.newest_frame())
        self.registers = registers
        gdb.invalidate_cached_frames()
        return gdb.newest_frame().older()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.registers = None
        gdb.invalidate_cached_frames()


grafter = Grafter()
gdb.unwinder.register_unwinder(None, grafter, replace=True)


class Printer:
    """Prints frames as gdb's backtrace does."""

    def __init__(self, full):
        self.full = full
        self.count = 0
        self.entries = True  # what parameters were at first is looked up in the caller's frame

    def say(self, command):
        settings = "" if self.entries else "with print entry-values no -- "
        return gdb.execute(settings + command, to_string=True)

    def put(self, frame):
        frame.select()
        header = self.say("frame apply level %d -c echo" % frame.level())
        gdb.write("#%-2d %s\n" % (self.count, header.split(None, 1)[1].rstrip()))
        if self.full:
            gdb.write("".join("        %s\n" % line for line in self.say("info locals").splitlines()))
        self.count += 1


def is_first(frame):
    """Nothing is above it on a process's stack."""
    return frame.name() == "stack_main" or frame.pc() == 0


class Blocked:
    """The stack of a process that waits. If it is stowed, what was on it lies elsewhere: gdb unwinds it there, and what points
    into the stack is led there from frame to frame."""

    def __init__(self, stack):
        fiber = stack["fiber"]
        self.low = int(fiber["low"])
        self.top = self.low + int(fiber["size_bytes"])
        self.sp = int(fiber["sp"])
        if not self.low <= self.sp < self.top:
            raise Problem("its stack is damaged: the saved stack pointer 0x%x is outside" % self.sp)
        self.shift = int(stack["stowed"]) - self.sp if is_stowed(stack) else 0

    def moved(self, value):
        return value + self.shift if self.sp <= value < self.top else value

    def first(self):
        size = 8 * (len(SAVED) + 1)
        data = gdb.selected_inferior().read_memory(self.sp + self.shift, size)
        registers = dict(zip(SAVED, struct.unpack("<%dQ" % len(SAVED), bytes(data)[8:])))
        registers["rsp"] = self.sp + size + self.shift
        return self.lead(registers)

    def lead(self, registers):
        return {name: value if name in ("rsp", "rip") else self.moved(value) for name, value in registers.items()}

    def registers_of(self, frame):
        names = SAVED + ("rsp",)
        return self.lead({name: int(frame.read_register(name)) & (1 << 64) - 1 for name in names})

    def print(self, printer):
        printer.entries = self.shift == 0
        registers = self.first()
        with grafter:
            while registers is not None and printer.count < 1000:
                registers = self.step(grafter.graft(registers), printer)

    def step(self, frame, printer):
        """Prints a frame, those it is inlined into, and those that left by a jump. Returns the caller's registers, if any."""
        while frame is not None:
            printer.put(frame)
            older = frame.older()
            if is_first(frame) or older is None or older.pc() == 0:
                return None
            if frame.type() != gdb.INLINE_FRAME and older.type() != gdb.TAILCALL_FRAME:
                return self.registers_of(older)
            frame = older
        return None


def print_thread(thread, printer):
    thread.gdb.switch()
    frame = gdb.newest_frame()
    while frame is not None and frame.pc() != 0:
        printer.put(frame)
        if is_first(frame):
            break
        frame = frame.older()


def print_stack(node, proc, printer):
    thread = node.running.get(int(proc.address))
    stack = stack_of(proc)
    with Kept():
        if thread is not None:
            print_thread(thread, printer)
        elif stack is not None:
            Blocked(stack).print(printer)
        else:
            gdb.write("It has no stack: it waits for its next message, or its turn.\n")


# ---- symbols of modules


def sha256_of(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def has_symbols(path):
    return any(o.filename in (path, os.path.realpath(path)) for o in gdb.objfiles())


def candidates(gen, folder):
    yield gen["source_path"].string()
    if folder is not None:
        for name in sorted(os.listdir(folder)):
            yield os.path.join(folder, name)


def find_copy(gen, folder):
    wanted = gen["sha256"].string()
    return next((p for p in candidates(gen, folder) if sha256_of(p) == wanted), None)


def add_symbols(gen, folder):
    """gdb knows a module by the path of the node's copy. If that is gone, any file with the same bytes will do."""
    if has_symbols(gen["cache_path"].string()):
        return
    title = "%s %s" % (gen["name"].string(), gen["vsn"].string())
    path = find_copy(gen, folder)
    if path is None:
        gdb.write("%s: no file with its symbols; neither %s is there nor is %s the same; "
            "dream symbols FOLDER searches elsewhere\n"
            % (title, gen["cache_path"].string(), gen["source_path"].string()))
    elif not has_symbols(path):
        base = int(at(gen["handle"], "struct link_map")["l_addr"])
        gdb.execute("with confirm off -- add-symbol-file '%s' -o 0x%x" % (path, base), to_string=True)
        gdb.write("%s: symbols of %s\n" % (title, path))


def add_all_symbols(nodes, folder=None):
    for node in nodes:
        for gen in node.generations():
            add_symbols(gen, folder)


# ---- cores


def mend_block(inferior, file, offset, address, size):
    for at in range(0, size, PAGE):
        try:
            page = bytes(inferior.read_memory(address + at, min(PAGE, size - at)))
        except gdb.MemoryError:
            continue
        if page.strip(b"\0"):
            file.seek(offset + at)
            file.write(page)


def mend_segment(inferior, file, offset, address, size):
    """gdb leaves out what follows a page that cannot be read, as the guard below each stack."""
    broken = False
    for at in range(0, size, BLOCK):
        n = min(BLOCK, size - at)
        if not broken:
            try:
                inferior.read_memory(address + at, n)
                continue
            except gdb.MemoryError:
                broken = True
        mend_block(inferior, file, offset + at, address + at, n)


def mend_core(path):
    inferior = gdb.selected_inferior()
    with open(path, "r+b") as file:
        for kind, _, offset, address, _, size, _, _ in Elf(file).programs:
            if kind == Elf.LOAD:
                mend_segment(inferior, file, offset, address, size)


# ---- commands


class Command(gdb.Command):
    """A subcommand of dream: its arguments in a list, its problems as gdb's errors."""

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        known_types.clear()
        try:
            self.run(gdb.string_to_argv(argument))
        except Problem as problem:
            raise gdb.GdbError("dream: %s" % problem)
        except gdb.error as error:
            raise gdb.GdbError("dream: the node's memory is damaged or missing, or of another build: %s" % error)

    def usage(self):
        return Problem("usage: %s" % self.__doc__.splitlines()[0])


class Dream(gdb.Command):
    """Processes of a DREAM node: dream ps, dream bt, dream schedulers, dream symbols, dream core."""

    def __init__(self):
        super().__init__("dream", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Ps(Command):
    """dream ps [COUNT]
All processes of the node, or the first COUNT: pid, registered name, kind, state, messages that wait for it, and the
module's version and generation."""

    def __init__(self):
        super().__init__("dream ps", gdb.COMMAND_STACK)

    def run(self, argv):
        if len(argv) > 1 or (argv and not argv[0].isdigit()):
            raise self.usage()
        for node in all_nodes():
            self.print_node(node, int(argv[0]) if argv else None)

    @staticmethod
    def print_node(node, count):
        names, labels = node.named()
        rows = [["PID", "NAME"] + (["LABEL"] if labels else []) + ["KIND", "STATE", "MAILBOX", "MODULE"]]
        n_procs = 0
        for proc in node.procs(): # nobody else counts them
            n_procs += 1
            if count is None or len(rows) <= count:
                rows.append(row_of(node, proc, names, labels))
        print_table(rows)
        gdb.write("%s has %d processes\n" % (node.name(), n_procs))


class Bt(Command):
    """dream bt [-full] PID
The stack of a process, be it running, blocked or stowed; with -full and the local variables."""

    def __init__(self):
        super().__init__("dream bt", gdb.COMMAND_STACK)

    def run(self, argv):
        full = "-full" in argv
        rest = [a for a in argv if a != "-full"]
        if len(rest) != 1:
            raise self.usage()
        wanted = parse_pid(rest[0])
        nodes = all_nodes()
        add_all_symbols(nodes)
        found = [(node, proc) for node in nodes for proc in [node.find(wanted)] if proc is not None]
        if not found:
            raise Problem("no process %s; it may have ended. dream ps lists them" % rest[0])
        for node, proc in found:
            gdb.write("%s %s: %s\n" % (pid_of(proc), text_of(proc["label"]), state_of(node, proc)))
            print_stack(node, proc, Printer(full))


class Schedulers(Command):
    """dream schedulers
The schedulers of the node: the thread that serves each, what it does, what is ready there; and threads that were left
alone with a callback that does not end."""

    def __init__(self):
        super().__init__("dream schedulers", gdb.COMMAND_STACK)

    def run(self, argv):
        if argv:
            raise self.usage()
        for node in all_nodes():
            gdb.write("%s\n" % node.name())
            rows = [["SCHEDULER", "THREAD", "STATE", "READY", "TURNS"]]
            rows += [self.row(node, i) for i in range(int(node.sched()["n_locals"]))]
            print_table(rows)
            self.print_alone(node)

    @staticmethod
    def doing(node, thread, sleeps):
        if thread is not None and thread.proc:
            proc = pointer_to("struct node_proc", thread.proc).dereference()
            return "runs %s %s" % (pid_of(proc), text_of(proc["label"]))
        return "asleep" if sleeps else "between turns"

    def row(self, node, index):
        local = node.sched()["locals"][index]
        thread = next((t for t in node.threads if t.sched is not None and int(t.sched["local"]) == int(local.address)), None)
        sleeps = int(node.sched()["sleepers"]) >> index & 1
        levels = local["runqs"].type.range()[1] + 1
        ready = sum((int(local["runqs"][i]["tail"]) - int(local["runqs"][i]["head"])) & 0xFFFFFFFF for i in range(levels))
        ready += int(local["spill"]["count"]) + bool(int(local["handoff"])) + bool(int(local["direct"]))
        name = "-" if thread is None else "%d (LWP %d)" % (thread.num, thread.gdb.ptid[1])
        return [str(index), name, self.doing(node, thread, sleeps), str(ready), str(int(local["stats"]["turns"]))]

    def print_alone(self, node):
        gdb.write("%d ready for any of them\n" % int(node.sched()["n_global"]))
        for thread in node.threads:
            if thread.sched is not None and not int(thread.sched["local"]):
                what = "runs" if thread.proc else "waits for a scheduler"
                gdb.write("thread %d has no scheduler: %s\n"
                    % (thread.num, self.doing(node, thread, False) if thread.proc else what))


class Symbols(Command):
    """dream symbols [FOLDER]
Looks for the symbols of modules whose private copy is gone: where the node loaded them from, and in FOLDER."""

    def __init__(self):
        super().__init__("dream symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def run(self, argv):
        if len(argv) > 1:
            raise self.usage()
        if argv and not os.path.isdir(argv[0]):
            raise Problem("%s: no folder" % argv[0])
        add_all_symbols(all_nodes(), argv[0] if argv else None)


class Core(Command):
    """dream core FILE
Writes a core of the living node, which goes on afterwards. As generate-core-file, but with the stacks of all processes:
that one leaves out what follows a guard page."""

    def __init__(self):
        super().__init__("dream core", gdb.COMMAND_DATA, gdb.COMPLETE_FILENAME)

    def run(self, argv):
        if len(argv) != 1:
            raise self.usage()
        if not gdb.selected_inferior().pid or gdb.selected_inferior().connection.type == "core":
            raise Problem("only of a living node a core can be made; start gdb as: gdb -p PID")
        gdb.execute("generate-core-file %s" % argv[0], to_string=True)
        mend_core(argv[0])
        gdb.write("the core is in %s\n" % argv[0])


Dream()
for command in (Ps, Bt, Schedulers, Symbols, Core):
    command()
