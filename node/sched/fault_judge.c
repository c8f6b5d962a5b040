/* SPDX-License-Identifier: MIT */
/* Whose fault it is. A fault ends one process instead of the node if all of this holds:
 *
 *   1. The kernel raised the signal for an instruction of this thread, or the thread sent it to itself by raise() or abort().
 *   2. The thread runs a process, and the stack pointer lies in that process's stack or in the guard below it.
 *   3. The program counter lies in the text of a module; or in a function of a library that the module's text called; or at
 *      no code at all, and who jumped there lies in the text of a module.
 *   4. The frames can be followed outwards to the node's own code, and every library function on the way that module text
 *      called is one of `pure` below: it holds no lock and leaves nothing half done that others see. No frame belongs to
 *      the allocator or to what runs things once.
 *
 * The node calls modules only without a lock in its hand; that is why the search may stop at its first frame. What is not
 * certain is taken for the node's: better it ends with a report than waits for a lock that nobody gives back.
 *
 * Everything here but node_fault_learn() runs in the signal handler: no allocation, no lock. The unwinder finds its tables
 * without a lock (_dl_find_object, glibc 2.35); should it fault on a damaged stack, the handler jumps back to judge(). */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "sched/fault_local.h"

/* With the names that fortified callers use. qsort and its like call back; a sort that is left half done is the module's. */
static const char *const pure_names[] = {"memcpy", "memmove", "memset", "memcmp", "memchr", "memrchr",
	"rawmemchr", "memmem", "mempcpy", "memccpy", "bcopy", "bzero", "explicit_bzero", "strlen", "strnlen",
	"strcpy", "stpcpy", "strncpy", "stpncpy", "strcat", "strncat", "strcmp", "strncmp", "strcasecmp",
	"strncasecmp", "strcoll", "strxfrm", "strchr", "strrchr", "strchrnul", "strstr", "strcasestr",
	"strspn", "strcspn", "strpbrk", "strsep", "strtok_r", "strdup", "strndup", "strtol", "strtoul",
	"strtoll", "strtoull", "strtod", "strtof", "strtold", "strtoimax", "strtoumax", "atoi", "atol",
	"atoll", "atof", "snprintf", "vsnprintf", "sprintf", "vsprintf", "sscanf", "vsscanf",
	"__isoc99_sscanf", "__isoc99_vsscanf", "__isoc23_sscanf", "__isoc23_vsscanf", "__isoc23_strtol",
	"__isoc23_strtoul", "__isoc23_strtoll", "__isoc23_strtoull", "qsort", "qsort_r", "bsearch", "lfind",
	"lsearch", "wcslen", "wcscpy", "wmemcpy", "wmemset", "__memcpy_chk", "__memmove_chk", "__memset_chk",
	"__mempcpy_chk", "__strcpy_chk", "__stpcpy_chk", "__strncpy_chk", "__strcat_chk", "__strncat_chk",
	"__snprintf_chk", "__vsnprintf_chk", "__sprintf_chk", "__vsprintf_chk"};

/* A signal that these send is meant for their caller. The fortified ones end the program before they overflow a buffer. */
static const char *const ending_names[] = {"abort", "raise", "__assert_fail", "__assert_perror_fail",
	"__assert", "__memcpy_chk", "__memmove_chk", "__memset_chk", "__mempcpy_chk", "__strcpy_chk",
	"__stpcpy_chk", "__strncpy_chk", "__strcat_chk", "__strncat_chk", "__snprintf_chk", "__vsnprintf_chk",
	"__sprintf_chk", "__vsprintf_chk"};

/* Inside any of these a lock may be held, however it was called. */
static const char *const locking_names[] = {"malloc", "calloc", "realloc", "reallocarray", "free",
	"aligned_alloc", "memalign", "posix_memalign", "valloc", "pthread_once", "call_once",
	"dl_iterate_phdr", "__stack_chk_fail", "__cxa_guard_acquire"};

/* ---- sets of functions ---- */

static int compare(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *) a, y = *(const uintptr_t *) b;
	return (x > y) - (x < y);
}

static bool holds(const node_fault_set_t *set, uintptr_t function)
{
	uint32_t low = 0, high = set->n;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (set->at[middle] == function)
			return true;
		if (set->at[middle] < function)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Twice each: some functions begin with an entry of another one, whose tables cover both. */
static int learn(node_fault_set_t *set, const char *const *names, size_t n)
{
	set->at = g_try_new0(uintptr_t, 2 * n);
	if (set->at == NULL)
		return DREAM_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *at = dlsym(RTLD_DEFAULT, names[i]);
		void *whole = at != NULL ? _Unwind_FindEnclosingFunction(at + 1) : NULL;
		if (at != NULL)
			set->at[set->n++] = (uintptr_t) at;
		if (whole != NULL)
			set->at[set->n++] = (uintptr_t) whole;
	}
	qsort(set->at, set->n, sizeof(*set->at), compare);
	return DREAM_OK;
}

static const void *object_of(uintptr_t at)
{
	struct dl_find_object found;
	return _dl_find_object((void *) at, &found) == 0 ? found.dlfo_link_map : NULL;
}

static _Unwind_Reason_Code stop_at_once(struct _Unwind_Context *context, void *data)
{
	(void) context;
	(void) data;
	return _URC_NORMAL_STOP;
}

int node_fault_learn(node_fault_facts_t *facts)
{
	int r = learn(&facts->pure, pure_names, G_N_ELEMENTS(pure_names));
	if (r == DREAM_OK)
		r = learn(&facts->ending, ending_names, G_N_ELEMENTS(ending_names));
	if (r == DREAM_OK)
		r = learn(&facts->locking, locking_names, G_N_ELEMENTS(locking_names));
	facts->runtime = object_of((uintptr_t) node_fault_learn);
	(void) _Unwind_Backtrace(stop_at_once, NULL); /* its first call sets up tables */
	return r;
}

/* ---- following the frames ---- */

typedef struct {
	const node_fault_facts_t *facts; /* NULL: only look */
	node_t *node;
	node_fault_t *fault;
	uintptr_t begin; /* where the fault is; 0: at the first frame of a module */
	bool begun;
	bool over;            /* the node's code is reached: it is the module's fault */
	bool in_library;      /* the last frame seen was one of a library, */
	uintptr_t called;     /* in this function */
	uint32_t frames_left; /* a stack cannot hold more */
} walk_t;

static _Unwind_Reason_Code refuse(walk_t *walk, const char *why)
{
	walk->fault->not_ours = why;
	return _URC_NORMAL_STOP;
}

/* Whether a module may be taken out of the library function that it called. */
static bool may_leave(const walk_t *walk)
{
	const node_fault_t *fault = walk->fault;
	if (fault->code == SI_TKILL && fault->gen == NULL) /* the innermost: who sent the signal */
		return holds(&walk->facts->ending, walk->called);
	return holds(&walk->facts->pure, walk->called);
}

/* Which function the call before @pc, in a module, went to: by way of the table that the dynamic linker filled in, directly
 * or through a stub. 0: not seen. It knows more than the frames, where a function goes on in another by a jump. */
static uintptr_t call_target(const walk_t *walk, uintptr_t pc)
{
#if defined(__x86_64__)
	const uint8_t *call = (const uint8_t *) pc;
	int32_t distance;
	if (walk->node->hooks.code_at(walk->node, pc - 6) == NULL)
		return 0;
	memcpy(&distance, call - 4, sizeof(distance));
	if (call[-6] == 0xff && call[-5] == 0x15) /* call *slot(%rip) */
		return *(const uintptr_t *) (const void *) (call + distance);
	const uint8_t *stub = call + distance;
	if (call[-5] != 0xe8 || walk->node->hooks.code_at(walk->node, (uintptr_t) stub) == NULL ||
		walk->node->hooks.code_at(walk->node, (uintptr_t) stub + 12) == NULL)
		return 0;
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	if (memcmp(stub, endbr64, sizeof(endbr64)) == 0)
		stub += sizeof(endbr64);
	if (stub[0] == 0xf2) /* bnd */
		stub++;
	if (stub[0] != 0xff || stub[1] != 0x25) /* jmp *slot(%rip) */
		return 0;
	memcpy(&distance, stub + 2, sizeof(distance));
	return *(const uintptr_t *) (const void *) (stub + 6 + distance);
#else
	(void) walk;
	(void) pc;
	return 0;
#endif
}

static _Unwind_Reason_Code on_module(walk_t *walk, struct node_gen *gen, uintptr_t pc)
{
	uintptr_t target = walk->in_library ? call_target(walk, pc) : 0;
	if (target != 0)
		walk->called = target;
	if (walk->in_library && !may_leave(walk))
		return refuse(walk, "in a library function that may hold a lock");
	walk->in_library = false;
	if (walk->fault->gen == NULL)
		walk->fault->gen = gen;
	return _URC_NO_REASON;
}

static _Unwind_Reason_Code on_runtime(walk_t *walk)
{
	if (walk->in_library)
		return refuse(walk, "in a library that the node itself called");
	if (walk->fault->gen == NULL)
		return refuse(walk, "in the node's own code");
	walk->over = true;
	return _URC_NORMAL_STOP;
}

static _Unwind_Reason_Code on_library(walk_t *walk, uintptr_t function)
{
	if (function == 0)
		return refuse(walk, "in code of which nothing is known");
	if (holds(&walk->facts->locking, function))
		return refuse(walk, "in the allocator, or in something that is done once");
	walk->in_library = true;
	walk->called = function;
	return _URC_NO_REASON;
}

static void note(node_fault_t *fault, uintptr_t pc, uintptr_t function, bool exact)
{
	if (fault->n_frames < NODE_FAULT_FRAMES)
		fault->frames[fault->n_frames++] = (node_fault_frame_t){pc, function, exact};
}

/* What the unwinder shows before is the handler, or the function of the node that looks. */
static bool begins(const walk_t *walk, uintptr_t pc, uintptr_t at, bool exact)
{
	return walk->begin != 0 ? exact && pc == walk->begin
				: walk->node->hooks.code_at(walk->node, at) != NULL;
}

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *data)
{
	walk_t *walk = data;
	int exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &exact);
	uintptr_t at = exact ? pc : pc - 1; /* a call may be the last instruction of its function */
	if (!walk->begun && !begins(walk, pc, at, exact != 0))
		return _URC_NO_REASON;
	walk->begun = true;
	uintptr_t function = (uintptr_t) _Unwind_GetRegionStart(context);
	note(walk->fault, pc, function, exact != 0);
	if (walk->frames_left-- == 0)
		return refuse(walk, "on a stack without an end");
	if (walk->facts == NULL && walk->begin != 0)
		return walk->fault->n_frames < NODE_FAULT_FRAMES ? _URC_NO_REASON : _URC_NORMAL_STOP;
	struct node_gen *gen = walk->node->hooks.code_at(walk->node, at);
	if (walk->facts == NULL)
		return gen != NULL ? _URC_NO_REASON : _URC_NORMAL_STOP;
	if (gen != NULL)
		return on_module(walk, gen, pc);
	return object_of(at) == walk->facts->runtime ? on_runtime(walk) : on_library(walk, function);
}

/* ---- the registers ---- */

uintptr_t node_fault_pc(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t) context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t) context->uc_mcontext.pc;
#else
	return (uintptr_t) context & 0;
#endif
}

uintptr_t node_fault_sp(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t) context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (uintptr_t) context->uc_mcontext.sp;
#else
	return (uintptr_t) context & 0;
#endif
}

/* Puts @context into the call that led to no code. The stack is readable at its pointer. */
static void step_back(ucontext_t *context)
{
#if defined(__x86_64__)
	greg_t *regs = context->uc_mcontext.gregs;
	regs[REG_RIP] = *(greg_t *) regs[REG_RSP] - 1;
	regs[REG_RSP] += 8;
#elif defined(__aarch64__)
	context->uc_mcontext.pc = context->uc_mcontext.regs[30] - 4;
#else
	(void) context;
#endif
}

/* ---- the judgement ---- */

static bool is_at_no_code(const node_fault_t *fault)
{
	if (fault->number != SIGSEGV && fault->number != SIGBUS && fault->number != SIGILL)
		return false;
	return fault->address == fault->pc && fault->number != SIGILL ? true : object_of(fault->pc) == NULL;
}

static bool is_on_stack(const node_stack_t *stack, uintptr_t sp, size_t guard_bytes)
{
	uintptr_t low = (uintptr_t) stack->fiber.low;
	return sp >= low - guard_bytes && sp < low + stack->fiber.size_bytes;
}

/* Point 1 and 2. */
static const char *look_around(const node_sched_thread_t *t, const node_fault_t *fault)
{
	bool sent = fault->code <= 0;
	if (sent && !(fault->code == SI_TKILL && fault->from_pid == getpid()))
		return "sent from outside";
	if (t->ctx->tag != NODE_CTX_PROCESS || t->running == NULL)
		return "outside of any process";
	if (!is_on_stack(t->running, fault->sp, (size_t) sysconf(_SC_PAGESIZE)))
		return "not on the stack of the process";
	return t->all->node->hooks.code_at == NULL ? "in a node without modules" : NULL;
}

static void follow(walk_t *walk)
{
	(void) _Unwind_Backtrace(step, walk);
	if (!walk->over && walk->fault->not_ours == NULL)
		walk->fault->not_ours = "on a stack that cannot be followed";
}

void node_fault_judge(node_sched_thread_t *t, node_fault_t *fault, ucontext_t *context)
{
	node_fault_room_t *room = t->faults;
	const node_stack_t *stack = t->running;
	fault->not_ours = look_around(t, fault);
	if (fault->not_ours != NULL)
		return;
	uintptr_t low = (uintptr_t) stack->fiber.low;
	size_t page = (size_t) sysconf(_SC_PAGESIZE);
	fault->overflow = fault->number == SIGSEGV && fault->address >= low - page && fault->address < low;
	walk_t walk = {.facts = t->all->faults,
		.node = t->all->node,
		.fault = fault,
		.begin = fault->pc,
		.frames_left = (uint32_t) (stack->fiber.size_bytes / sizeof(uintptr_t))};
	if (is_at_no_code(fault) && is_on_stack(stack, fault->sp, 0)) {
		note(fault, fault->pc, 0, true);
		step_back(context);
		walk.begin = node_fault_pc(context);
	}
	if (sigsetjmp(room->escape, 0) == 0) {
		room->walking = true;
		follow(&walk);
	} else {
		fault->not_ours = "on a stack that is damaged";
	}
	room->walking = false;
}

void node_fault_trace(node_t *node, node_fault_t *fault, const ucontext_t *context)
{
	walk_t walk = {.node = node,
		.fault = fault,
		.begin = context != NULL ? node_fault_pc(context) : 0,
		.frames_left = UINT32_MAX};
	const char *why = fault->not_ours;
	fault->n_frames = 0;
	(void) _Unwind_Backtrace(step, &walk);
	fault->not_ours = why;
}
