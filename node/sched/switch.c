/* SPDX-License-Identifier: MIT */
/* The switch saves the registers that the C ABI lets a callee keep, and the floating-point control words. It
 * leaves by a jump: a `ret` to another stack's return address is always mispredicted (7.7 ns against 2.6).
 * DREAM_PORTABLE_SWITCH chooses the way of other machines, for trying it out. */
#include "sched/switch.h"

#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(DREAM_VALGRIND)
#include <valgrind/memcheck.h>
#endif

void node_switch_raw(void **save_sp, void *load_sp);
#if !defined(DREAM_PORTABLE_SWITCH)
void node_switch_first(void);
void node_switch_land(void);
#endif

#if defined(__x86_64__) && !defined(DREAM_PORTABLE_SWITCH)
__asm__(".text\n"
	".globl node_switch_raw\n"
	".hidden node_switch_raw\n"
	".type node_switch_raw, @function\n"
	"node_switch_raw:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	subq $8, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movl (%rsp), %eax\n"
	"	andl $-64, %eax\n" /* what has happened is the caller's to lose; any division leaves a trace there */
	"	movl %eax, (%rsp)\n"
	"	movzwl 4(%rsp), %ecx\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	cmpl (%rsp), %eax\n" /* loading control words costs more than comparing them, and they hardly differ */
	"	jne 1f\n"
	"	cmpw 4(%rsp), %cx\n"
	"	je 2f\n"
	"1:	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"2:	addq $8, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	popq %rcx\n"
	"	jmp *%rcx\n"
	".size node_switch_raw, .-node_switch_raw\n"
	/* The second half alone, out of a signal handler; whatever ran before left its mark on the floating-point unit. */
	".globl node_switch_land\n"
	".hidden node_switch_land\n"
	".type node_switch_land, @function\n"
	"node_switch_land:\n"
	"	fninit\n"
	"	jmp 1b\n"
	".size node_switch_land, .-node_switch_land\n"
	/* A new fiber starts here with its entry in r12 and the argument in r13. */
	".globl node_switch_first\n"
	".hidden node_switch_first\n"
	".type node_switch_first, @function\n"
	"node_switch_first:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %r13, %rdi\n"
	"	pushq $0\n" /* no return address: unwinders stop here */
	"	jmp *%r12\n"
	".size node_switch_first, .-node_switch_first\n");

static void prepare(node_fiber_t *fiber, void (*entry)(void *arg), void *arg)
{
	uintptr_t top = ((uintptr_t) fiber->low + fiber->size_bytes) & ~(uintptr_t) 15;
	uint64_t *sp = (uint64_t *) top;
	*--sp = 0; /* aligns the stack as at a call: node_switch_first pushes one word, entry sees 16n + 8 */
	*--sp = 0;
	*--sp = (uint64_t) (uintptr_t) node_switch_first;
	*--sp = 0;                                /* rbp */
	*--sp = 0;                                /* rbx */
	*--sp = (uint64_t) (uintptr_t) entry;     /* r12 */
	*--sp = (uint64_t) (uintptr_t) arg;       /* r13 */
	*--sp = 0;                                /* r14 */
	*--sp = 0;                                /* r15 */
	*--sp = (uint64_t) 0x037f << 32 | 0x1f80; /* the ABI's control words at process start */
	fiber->sp = sp;
}

static void land(node_fiber_t *to, ucontext_t *context)
{
	greg_t *regs = context->uc_mcontext.gregs;
	regs[REG_RIP] = (greg_t) (uintptr_t) node_switch_land;
	regs[REG_RSP] = (greg_t) (uintptr_t) to->sp;
	regs[REG_EFL] &= ~(greg_t) 0x40500; /* direction, single step, alignment check */
}
#elif defined(__aarch64__) && !defined(DREAM_PORTABLE_SWITCH)
__asm__(".text\n"
	".globl node_switch_raw\n"
	".hidden node_switch_raw\n"
	".type node_switch_raw, %function\n"
	"node_switch_raw:\n"
	"	sub sp, sp, #176\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mrs x9, fpcr\n"
	"	str x9, [sp, #160]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"1:	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	ldr x9, [sp, #160]\n"
	"	msr fpcr, x9\n"
	"	add sp, sp, #176\n"
	"	br x30\n"
	".size node_switch_raw, .-node_switch_raw\n"
	".globl node_switch_land\n"
	".hidden node_switch_land\n"
	".type node_switch_land, %function\n"
	"node_switch_land:\n"
	"	b 1b\n"
	".size node_switch_land, .-node_switch_land\n"
	".globl node_switch_first\n"
	".hidden node_switch_first\n"
	".type node_switch_first, %function\n"
	"node_switch_first:\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, x20\n"
	"	br x19\n"
	".size node_switch_first, .-node_switch_first\n");

static void prepare(node_fiber_t *fiber, void (*entry)(void *arg), void *arg)
{
	uintptr_t top = ((uintptr_t) fiber->low + fiber->size_bytes) & ~(uintptr_t) 15;
	uint64_t *sp = (uint64_t *) (top - 176);
	memset(sp, 0, 176);
	sp[0] = (uint64_t) (uintptr_t) entry;              /* x19 */
	sp[1] = (uint64_t) (uintptr_t) arg;                /* x20 */
	sp[11] = (uint64_t) (uintptr_t) node_switch_first; /* x30 */
	fiber->sp = sp;
}

static void land(node_fiber_t *to, ucontext_t *context)
{
	context->uc_mcontext.pc = (uint64_t) (uintptr_t) node_switch_land;
	context->uc_mcontext.sp = (uint64_t) (uintptr_t) to->sp;
}
#else
/* Any other machine: twenty times as slow, since swapcontext(3) asks the kernel for the signal mask. Where a fiber goes
 * on lies on its own stack; for a new one at the top. */

void node_switch_raw(void **save_sp, void *load_sp)
{
	ucontext_t here;
	*save_sp = &here;
	swapcontext(&here, load_sp);
}

/* makecontext(3) passes ints: a pointer goes as two. */
static void first(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
	uint64_t entry = (uint64_t) entry_high << 32 | entry_low;
	uint64_t arg = (uint64_t) arg_high << 32 | arg_low;
	((void (*)(void *))(uintptr_t) entry)((void *) (uintptr_t) arg);
}

static void prepare(node_fiber_t *fiber, void (*entry)(void *arg), void *arg)
{
	uintptr_t top = ((uintptr_t) fiber->low + fiber->size_bytes - sizeof(ucontext_t)) & ~(uintptr_t) 63;
	uint64_t entry_bits = (uintptr_t) entry;
	uint64_t arg_bits = (uintptr_t) arg;
	ucontext_t *start = (ucontext_t *) top;
	getcontext(start);
	start->uc_link = NULL;
	start->uc_stack.ss_sp = (void *) (uintptr_t) fiber->low;
	start->uc_stack.ss_size = (size_t) (top - (uintptr_t) fiber->low);
	makecontext(start, (void (*)(void)) first, 4, (unsigned) (entry_bits >> 32), (unsigned) entry_bits,
		(unsigned) (arg_bits >> 32), (unsigned) arg_bits);
	fiber->sp = start;
}

static void land(node_fiber_t *to, ucontext_t *context)
{
	(void) context;
	setcontext(to->sp); /* with the signal mask that it had */
}
#endif

void node_switch_init_thread(node_fiber_t *fiber)
{
	memset(fiber, 0, sizeof(*fiber));
#if defined(__SANITIZE_ADDRESS__)
	pthread_attr_t attr;
	void *low;
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &low, &fiber->size_bytes);
		fiber->low = low;
		pthread_attr_destroy(&attr);
	}
#endif
#if defined(__SANITIZE_THREAD__)
	fiber->tsan = __tsan_get_current_fiber();
#endif
}

void node_switch_init(node_fiber_t *fiber, void *low, size_t size_bytes, void (*entry)(void *arg), void *arg)
{
	memset(fiber, 0, sizeof(*fiber));
	fiber->low = low;
	fiber->size_bytes = size_bytes;
#if defined(DREAM_VALGRIND)
	fiber->valgrind = VALGRIND_STACK_REGISTER(low, (char *) low + size_bytes);
#endif
	node_switch_reset(fiber, entry, arg);
}

void node_switch_reset(node_fiber_t *fiber, void (*entry)(void *arg), void *arg)
{
#if defined(__SANITIZE_ADDRESS__)
	/* frames that never returned left their red zones behind */
	__asan_unpoison_memory_region(fiber->low, fiber->size_bytes);
	fiber->fake_stack = NULL;
#endif
#if defined(__SANITIZE_THREAD__)
	if (fiber->tsan != NULL)
		__tsan_destroy_fiber(fiber->tsan);
	fiber->tsan = __tsan_create_fiber(0);
#endif
#if defined(DREAM_VALGRIND)
	(void) VALGRIND_MAKE_MEM_UNDEFINED(fiber->low, fiber->size_bytes);
#endif
	prepare(fiber, entry, arg);
}

void node_switch_fini(node_fiber_t *fiber)
{
#if defined(__SANITIZE_THREAD__)
	if (fiber->tsan != NULL && fiber->low != NULL)
		__tsan_destroy_fiber(fiber->tsan);
#endif
#if defined(DREAM_VALGRIND)
	if (fiber->low != NULL)
		VALGRIND_STACK_DEREGISTER(fiber->valgrind);
#endif
	fiber->tsan = NULL;
#if defined(__SANITIZE_ADDRESS__)
	/* the next user of these addresses must not find the red zones of frames that never returned */
	if (fiber->low != NULL)
		__asan_unpoison_memory_region(fiber->low, fiber->size_bytes);
#endif
}

void node_switch_entered(node_fiber_t *fiber)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(fiber->fake_stack, NULL, NULL);
#endif
	(void) fiber;
}

void node_switch_to(node_fiber_t *from, node_fiber_t *to)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->size_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	node_switch_raw(&from->sp, to->sp);
	node_switch_entered(from);
}

void node_switch_escape(node_fiber_t *to, void *context)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(NULL, to->low, to->size_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	land(to, context);
}
