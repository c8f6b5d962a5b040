/* SPDX-License-Identifier: MIT */
/* Faults. Each scheduler has a stack of its own for signals, so that a process that has overflowed its stack can still be
 * handled. The handler leaves the process's stack by changing what the thread returns to: it goes on in the scheduler as if
 * the process had switched back. No callback pays for that: the handler finds out by itself where the thread was. */
#include "sched/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "sched/fault_local.h"
#include "term/cbor.h"

#define SIGNAL_STACK_BYTES                                                                                   \
	((size_t) 256 << 10) /* the unwinder takes some 4 KiB, AVX-512 registers as much; sanitizers more */
#define REPORT_SECONDS 10    /* then the report is given up */

static const int fault_signals[NODE_FAULT_SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};

int node_fault_number(uint32_t index)
{
	return fault_signals[index];
}

/* ---- the handler ---- */

/* Ends the program by the signal itself, so that whoever started it sees which one, and a core is written. */
G_GNUC_NORETURN static void end_program(int number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigaction(number, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void) syscall(SYS_tgkill, getpid(), gettid(), number);
	_exit(128 + number);
}

/* Whatever the report hangs on, it does not hang for ever. */
static void limit_report(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void) alarm(REPORT_SECONDS);
}

void node_fault_note(node_fault_t *fault, int number, const siginfo_t *info, const ucontext_t *context)
{
	memset(fault, 0, sizeof(*fault));
	fault->what = node_fault_signal_name(number);
	fault->number = number;
	fault->code = info->si_code;
	if (info->si_code > 0)
		fault->address = (uintptr_t) info->si_addr;
	else
		fault->from_pid = info->si_pid;
	fault->pc = node_fault_pc(context);
	fault->sp = node_fault_sp(context);
}

/* The kernel knows 64 signals; behind those its context has no room. */
static void set_mask(ucontext_t *context, const sigset_t *mask)
{
	memcpy(&context->uc_sigmask, mask, 8);
}

void node_fault_leave_process(node_sched_thread_t *t, int outcome, ucontext_t *context)
{
	node_stack_t *stack = t->running;
	stack->outcome = (int16_t) outcome;
	set_mask(context, &t->faults->mask);
	node_switch_escape(stack->back, context);
}

static void on_fault(int number, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	node_ctx_t *ctx = node_ctx_borrow();
	node_sched_thread_t *t = ctx->thread;
	node_fault_room_t *room = t != NULL ? t->faults : NULL;
	node_fault_t own;
	if (room != NULL && room->walking)
		siglongjmp(room->escape, 1);
	if (ctx->in_fault++ > 0) /* a fault in the report */
		end_program(number);
	node_fault_t *fault = room != NULL ? &room->fault : &own;
	node_fault_note(fault, number, info, context);
	fault->not_ours = "outside of any process";
	if (room != NULL)
		node_fault_judge(t, fault, context);
	if (fault->not_ours == NULL) {
		ctx->in_fault = 0;
		node_fault_leave_process(t, NODE_STACK_FAULT, context);
		return;
	}
	limit_report();
	node_fault_trace(ctx->node, fault, context);
	node_fault_report(fault, ctx->node, t, context);
	end_program(number);
}

/* ---- after it ---- */

static void put_reason(node_cbor_writer_t *w, const char *what, const char *where)
{
	node_cbor_put_array(w, 3);
	node_cbor_put_text(w, "crash");
	node_cbor_put_text(w, what);
	node_cbor_put_text(w, where);
}

static dream_msg_t *reason_new(const char *what, const char *where)
{
	node_cbor_writer_t w;
	dream_msg_t *reason = NULL;
	node_cbor_init(&w);
	put_reason(&w, what, where);
	return node_cbor_finish(&w, &reason) == DREAM_OK ? reason : node_msg_text("crash");
}

/* The innermost frame of the module. */
static const node_fault_frame_t *blamed(node_t *node, const node_fault_t *fault)
{
	for (uint32_t i = 0; i < fault->n_frames; i++) {
		const node_fault_frame_t *frame = &fault->frames[i];
		if (node->hooks.code_at(node, frame->exact ? frame->pc : frame->pc - 1) != NULL)
			return frame;
	}
	return &fault->frames[0];
}

void node_fault_describe(node_t *node, const node_fault_t *fault, GString *text)
{
	char where[300];
	for (uint32_t i = 0; i < fault->n_frames && text->len < NODE_LOG_LINE_MAX; i++) {
		node->hooks.code_describe(
			node, fault->frames[i].pc, fault->frames[i].exact, where, sizeof(where));
		g_string_append_printf(text, "%s%s", i > 0 ? " < " : "", where);
	}
}

static void log_crash(node_proc_t *proc, const node_fault_t *fault, const char *details, const char *stack)
{
	char pid[300], name[NODE_NAME_MAX + 1];
	node_names_of(proc->node, node_proc_pid(proc), name);
	const node_fault_frame_t *frame = blamed(proc->node, fault);
	uint64_t n = proc->node->hooks.code_taint(proc->node, frame->exact ? frame->pc : frame->pc - 1);
	node_log(proc->node, DREAM_LOG_ERROR,
		"crash of process %s (%s%s%s): %s%s%s; its module is tainted, crash %" G_GUINT64_FORMAT
		"; stack: %s",
		node_proc_pid_text(proc->node, node_proc_pid(proc), pid),
		proc->label != NULL ? proc->label : "?", name[0] != '\0' ? ", " : "", name, fault->what,
		details[0] != '\0' ? ", " : "", details, n, stack);
}

void node_fault_bury(node_proc_t *proc)
{
	const node_sched_thread_t *t = node_ctx_borrow()->thread;
	const node_fault_t *fault = &t->faults->fault;
	node_t *node = t->all->node;
	char where[300], details[120];
	const node_fault_frame_t *frame = blamed(node, fault);
	GString *text = g_string_new(NULL);
	node->hooks.code_describe(node, frame->pc, frame->exact, where, sizeof(where));
	node_fault_explain(fault, details, sizeof(details));
	node_fault_describe(node, fault, text);
	log_crash(proc, fault, details, text->str);
	g_string_free(text, TRUE);
	node_proc_set_exit_take(proc, reason_new(fault->what, where));
	node_proc_die(proc);
}

/* ---- crashes without a signal ---- */

/* Goes on in the scheduler, which has stack enough to describe what happened. */
G_GNUC_NORETURN static void end_self(const node_ctx_t *ctx, const char *what, const char *details, int number)
{
	node_sched_thread_t *t = ctx->thread;
	if (t->faults == NULL)
		node_proc_exit_take(ctx->proc, reason_new(what, ""));
	node_fault_t *fault = &t->faults->fault;
	memset(fault, 0, sizeof(*fault));
	fault->what = what;
	fault->details = details;
	fault->number = number;
	node_fault_trace(ctx->node, fault, NULL);
	t->running->outcome = NODE_STACK_FAULT;
	node_switch_to(&t->running->fiber, t->running->back);
	abort();
}

void node_fault_exit(uintptr_t caller)
{
	const node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->tag != NODE_CTX_PROCESS || ctx->node->hooks.code_at == NULL ||
		ctx->node->hooks.code_at(ctx->node, caller - 1) == NULL)
		return;
	end_self(ctx, "exit", "exit() would end the whole node; a process ends by dream_exit()", 0);
}

void node_fault_overflow(void)
{
	const node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->node->hooks.code_at == NULL)
		node_proc_exit_take(ctx->proc, reason_new("SIGSEGV", ""));
	end_self(ctx, "SIGSEGV", "the stack of the process is used up", SIGSEGV);
}

/* ---- life ---- */

void node_fault_install(node_fault_before_t *ret_before)
{
	struct sigaction action = {
		.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	sigemptyset(&action.sa_mask);
	for (uint32_t i = 0; i < NODE_FAULT_SIGNALS; i++)
		sigaction(fault_signals[i], &action, ret_before != NULL ? &ret_before->actions[i] : NULL);
}

void node_fault_uninstall(const node_fault_before_t *before)
{
	for (uint32_t i = 0; i < NODE_FAULT_SIGNALS; i++)
		sigaction(fault_signals[i], &before->actions[i], NULL);
}

int node_fault_open(node_sched_t *all, const char *crash_dir)
{
	node_fault_facts_t *facts = g_try_new0(node_fault_facts_t, 1);
	if (facts == NULL)
		return DREAM_ENOMEM;
	all->faults = facts;
	g_autofree char *dir =
		crash_dir != NULL ? g_canonicalize_filename(crash_dir, NULL) : g_get_current_dir();
	g_autofree char *name = g_strdup_printf("dreamd-crash-%d.txt", (int) getpid());
	facts->report_path = g_build_filename(dir, name, NULL);
	return node_fault_learn(facts);
}

static void free_room(node_fault_room_t *room)
{
	if (room != NULL)
		munmap(room->mapping, SIGNAL_STACK_BYTES);
}

void node_fault_close(node_sched_t *all)
{
	if (all->faults == NULL)
		return;
	free_room(all->faults->spare);
	g_free(all->faults->pure.at);
	g_free(all->faults->ending.at);
	g_free(all->faults->locking.at);
	g_free(all->faults->report_path);
	g_free(all->faults);
}

/* A guard, the signal stack, and above it the room. */
static node_fault_room_t *room_new(void)
{
	char *mapping = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (mapping == MAP_FAILED)
		return NULL;
	(void) mprotect(mapping, (size_t) sysconf(_SC_PAGESIZE), PROT_NONE);
	uintptr_t top = (uintptr_t) mapping + SIGNAL_STACK_BYTES - sizeof(node_fault_room_t);
	node_fault_room_t *room = (node_fault_room_t *) (top & ~(uintptr_t) 63);
	room->mapping = mapping;
	return room;
}

void node_fault_enter(node_sched_thread_t *t)
{
	node_fault_room_t *room = t->all->driven ? g_steal_pointer(&t->all->faults->spare) : NULL;
	if (room == NULL)
		room = room_new();
	t->faults = room;
	if (room == NULL)
		return;
	size_t guard = (size_t) sysconf(_SC_PAGESIZE);
	stack_t stack = {.ss_sp = (char *) room->mapping + guard,
		.ss_size = (size_t) ((char *) room - (char *) room->mapping) - guard};
	pthread_sigmask(SIG_SETMASK, NULL, &room->mask);
	sigaltstack(&stack, &room->before);
}

void node_fault_leave(node_sched_thread_t *t)
{
	node_fault_room_t *room = g_steal_pointer(&t->faults);
	if (room == NULL)
		return;
	sigaltstack(&room->before, NULL);
	if (t->all->driven && t->all->faults->spare == NULL)
		t->all->faults->spare = room;
	else
		free_room(room);
}
