/* SPDX-License-Identifier: MIT */
/* exit() as modules find it: the dynamic linker looks in the executable first. A module that calls it, or a library linked
 * into it that gives up this way, ends its process and not the node. Whoever else calls it gets what it wants. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched/fault.h"

#define OVERRIDE __attribute__((visibility("default"), noreturn, noinline))

typedef void (*exit_fn_t)(int status);

/* The C library's own; without it there is nothing to be tidied up. */
DREAM_NORETURN static void go_on(const char *name, int status)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	if (symbol != NULL) {
		exit_fn_t fn;
		_Static_assert(sizeof(fn) == sizeof(symbol), "functions are found as pointers to data");
		__builtin_memcpy(&fn, &symbol, sizeof(fn));
		fn(status);
	}
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

OVERRIDE void exit(int status)
{
	node_fault_exit((uintptr_t) __builtin_return_address(0));
	go_on("exit", status);
}

OVERRIDE void quick_exit(int status)
{
	node_fault_exit((uintptr_t) __builtin_return_address(0));
	go_on("quick_exit", status);
}

/* Called in signal handlers too: nothing is looked up. */
OVERRIDE void _exit(int status)
{
	node_fault_exit((uintptr_t) __builtin_return_address(0));
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

OVERRIDE void _Exit(int status)
{
	node_fault_exit((uintptr_t) __builtin_return_address(0));
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}
