/* SPDX-License-Identifier: MIT */
/* What is said of a fault. The report of one that ends the node is written inside the handler, so it allocates nothing, takes
 * no lock, formats by itself, and gives up on a descriptor that takes nothing. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sched/fault_local.h"

/* ---- text ---- */

typedef struct {
	char *at;
	char *end; /* room for the NUL stays */
} out_t;

static void put(out_t *out, const char *text)
{
	while (text != NULL && *text != '\0' && out->at < out->end)
		*out->at++ = *text++;
	*out->at = '\0';
}

static void put_number(out_t *out, uint64_t number, unsigned base)
{
	char digits[24];
	char *at = digits + sizeof(digits) - 1;
	*at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	put(out, at);
}

static void put_hex(out_t *out, uint64_t number)
{
	put(out, "0x");
	put_number(out, number, 16);
}

static void put_line(out_t *out, const char *what, const char *value)
{
	put(out, "  ");
	put(out, what);
	for (size_t n = strlen(what); n < 10; n++)
		put(out, " ");
	put(out, value);
}

/* ---- what happened ---- */

const char *node_fault_signal_name(int number)
{
	switch (number) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGFPE:
		return "SIGFPE";
	case SIGILL:
		return "SIGILL";
	case SIGTRAP:
		return "SIGTRAP";
	case SIGABRT:
		return "SIGABRT";
	default:
		return "signal";
	}
}

static const char *explain_address(const node_fault_t *fault)
{
	if (fault->number == SIGBUS)
		return fault->code == BUS_ADRALN ? " is not aligned"
						 : " has no memory behind it (a file that is too short?)";
	if (fault->code == SEGV_ACCERR)
		return " does not allow this";
	return fault->code == SEGV_MAPERR ? " is not mapped" : " is none at all";
}

static const char *explain_number(const node_fault_t *fault)
{
	if (fault->number == SIGFPE)
		return fault->code == FPE_INTDIV ? "a division by zero" : "an arithmetic fault";
	if (fault->number == SIGILL)
		return "an instruction that the processor does not have";
	if (fault->number == SIGTRAP)
		return "a trap instruction";
	return fault->number == SIGABRT ? "abort(), or an assertion that does not hold" : "";
}

void node_fault_explain(const node_fault_t *fault, char *buffer, size_t size_bytes)
{
	out_t out = {buffer, buffer + size_bytes - 1};
	if (fault->details != NULL) {
		put(&out, fault->details);
	} else if (fault->overflow) {
		put(&out, "the stack of the process is used up");
	} else if (fault->code <= 0 && fault->code != SI_TKILL) {
		put(&out, "sent by process ");
		put_number(&out, (uint64_t) fault->from_pid, 10);
	} else if (fault->code > 0 && (fault->number == SIGSEGV || fault->number == SIGBUS)) {
		bool known = fault->code != SI_KERNEL;
		put(&out, known ? "address " : "an address that");
		if (known)
			put_hex(&out, fault->address);
		put(&out, explain_address(fault));
	} else {
		put(&out, explain_number(fault));
	}
}

/* ---- the report ---- */

static void put_process(out_t *out, const node_proc_t *proc)
{
	if (proc == NULL)
		return;
	uint64_t id = __atomic_load_n(&proc->id, __ATOMIC_RELAXED);
	put_line(out, "running", "process <");
	put_number(out, (uint32_t) id, 10);
	put(out, ".");
	put_number(out, id >> 32, 10);
	put(out, "> ");
	put(out, __atomic_load_n(&proc->label, __ATOMIC_RELAXED));
	put(out, "\n");
}

static void put_thread(out_t *out)
{
	char name[16] = "";
	(void) prctl(PR_GET_NAME, name);
	put_line(out, "thread", name);
	put(out, " (");
	put_number(out, (uint64_t) gettid(), 10);
	put(out, ") of operating-system process ");
	put_number(out, (uint64_t) getpid(), 10);
	put(out, "\n");
}

static const char *file_of(const struct link_map *object)
{
	return object->l_name != NULL && object->l_name[0] != '\0' ? object->l_name : "/proc/self/exe";
}

/* "file+0x123 function+0x45": the first is what addr2line wants, for line numbers. */
static void put_frame(out_t *out, const node_t *node, uint32_t index, const node_fault_frame_t *frame)
{
	struct dl_find_object found;
	char name[200];
	uint64_t offset;
	uintptr_t at = frame->exact ? frame->pc : frame->pc - 1;
	put(out, "  #");
	put_number(out, index, 10);
	put(out, index < 10 ? "  " : " ");
	put_hex(out, frame->pc);
	if (_dl_find_object((void *) at, &found) == 0) {
		const struct link_map *object = found.dlfo_link_map;
		put(out, "  ");
		put(out, file_of(object));
		put(out, "+");
		put_hex(out, at - object->l_addr);
		if (node != NULL && node->hooks.code_symbol != NULL &&
			node->hooks.code_symbol(
				file_of(object), at - object->l_addr, name, sizeof(name), &offset)) {
			put(out, "  ");
			put(out, name);
			put(out, "+");
			put_hex(out, offset);
		}
	}
	put(out, "\n");
}

static void put_registers(out_t *out, const node_fault_t *fault, const ucontext_t *context)
{
	put_line(out, "pc", "");
	put_hex(out, fault->pc);
	put(out, "  sp ");
	put_hex(out, fault->sp);
#if defined(__x86_64__)
	static const struct {
		const char *name;
		int index;
	} others[] = {{"  rax ", REG_RAX}, {"  rbx ", REG_RBX}, {"  rcx ", REG_RCX}, {"  rdx ", REG_RDX},
		{"  rsi ", REG_RSI}, {"  rdi ", REG_RDI}, {"  rbp ", REG_RBP}, {"  r8 ", REG_R8},
		{"  r9 ", REG_R9}, {"  r10 ", REG_R10}, {"  r11 ", REG_R11}, {"  r12 ", REG_R12},
		{"  r13 ", REG_R13}, {"  r14 ", REG_R14}, {"  r15 ", REG_R15}};
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		put(out, others[i].name);
		put_hex(out, (uint64_t) context->uc_mcontext.gregs[others[i].index]);
	}
#else
	(void) context;
#endif
	put(out, "\n");
}

static void compose(out_t *out, const node_fault_t *fault, const node_t *node, const node_sched_thread_t *t,
	const ucontext_t *context)
{
	char details[160];
	node_fault_explain(fault, details, sizeof(details));
	put(out, "dreamd: crash: ");
	put(out, node_fault_signal_name(fault->number));
	put(out, ", ");
	put(out, details);
	put(out, ", ");
	put(out, fault->not_ours);
	put(out, "; the node ends\n");
	if (node != NULL) {
		put_line(out, "node", node->name);
		put(out, "\n");
	}
	put_thread(out);
	put_process(out, t != NULL ? t->ctx->proc : NULL);
	put_registers(out, fault, context);
	for (uint32_t i = 0; i < fault->n_frames; i++)
		put_frame(out, node, i, &fault->frames[i]);
}

static bool write_all(int fd, const char *text, size_t size_bytes)
{
	while (size_bytes > 0) {
		struct pollfd p = {fd, POLLOUT, 0};
		if (poll(&p, 1, 1000) <= 0)
			return false;
		ssize_t n = write(fd, text, size_bytes);
		if (n <= 0)
			return false;
		text += n;
		size_bytes -= (size_t) n;
	}
	return true;
}

static void write_file(const char *path, const char *text, size_t size_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool done = fd >= 0 && write_all(fd, text, size_bytes);
	char line[512];
	out_t out = {line, line + sizeof(line) - 1};
	put(&out, done ? "dreamd: the report is in " : "dreamd: the report cannot be written to ");
	put(&out, path);
	put(&out, "\n");
	(void) write_all(STDERR_FILENO, line, (size_t) (out.at - line));
	if (fd >= 0)
		close(fd);
}

void node_fault_report(
	const node_fault_t *fault, node_t *node, const node_sched_thread_t *t, const ucontext_t *context)
{
	char text[8192];
	out_t out = {text, text + sizeof(text) - 1};
	compose(&out, fault, node, t, context);
	(void) write_all(STDERR_FILENO, text, (size_t) (out.at - text));
	if (node != NULL && node->sched != NULL && node->sched->faults != NULL)
		write_file(node->sched->faults->report_path, text, (size_t) (out.at - text));
}
