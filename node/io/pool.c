/* SPDX-License-Identifier: MIT */
/* A job belongs to the queue, then to the thread that runs it; afterwards to the process that waits, if it still does.
 * The function works on a copy of its argument: the process's own memory may be gone before the function ends.
 *
 * The pool outlives the node as long as a function runs that could not be waited for: each thread holds a reference. */
#include "io/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/await.h"
#include "io/local.h"

#define QUEUED 0u
#define RUNNING 1u
#define DONE 2u
#define STACK_BYTES ((size_t) 1 << 20)
#define WHAT_MAX 200

typedef struct job {
	struct job *next; /* in the queue, or in the list of those that run */
	struct job *prev;
	struct node_pool *pool;
	struct job_await *waiter; /* NULL: nobody wants the result */
	int32_t (*fn)(void *arg);
	void (*drop)(void *arg);
	void *keep;
	void (*release)(void *keep);
	uint64_t arg_bytes;
	uint32_t state;
	int32_t result;
	struct timespec begun;
	char what[WHAT_MAX];
	jmp_buf out; /* of node_pool_leave() */
	_Alignas(16) unsigned char arg[];
} job_t;

typedef struct job_await {
	node_await_t await; /* first */
	job_t *job;
} job_await_t;

typedef struct {
	job_t *first, *last;
	uint32_t count;
} job_list_t;

typedef struct node_pool {
	pthread_mutex_t lock; /* all below */
	pthread_cond_t more;  /* something for the threads to do */
	pthread_cond_t less;  /* a thread has ended, or its function */
	node_io_options_t options;
	node_t *node; /* NULL: closed, and nothing of the node may be touched */
	uint32_t refs;
	uint32_t n_threads;
	uint32_t n_idle;
	bool stopping;
	job_list_t queue;
	job_list_t running;
} node_pool_t;

static void append(job_list_t *list, job_t *job)
{
	job->next = NULL;
	job->prev = list->last;
	if (list->last != NULL)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
	list->count++;
}

static void take_out(job_list_t *list, job_t *job)
{
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		list->first = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	else
		list->last = job->prev;
	list->count--;
}

static void unref_pool(node_pool_t *pool)
{
	pthread_mutex_lock(&pool->lock);
	bool last = --pool->refs == 0;
	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return;
	pthread_cond_destroy(&pool->more);
	pthread_cond_destroy(&pool->less);
	pthread_mutex_destroy(&pool->lock);
	g_free(pool);
}

/* ---- jobs ---- */

static void free_job(job_t *job)
{
	if (job->release != NULL)
		job->release(job->keep);
	node_mem_free(job);
}

/* For a job whose result nobody takes. */
static void drop_job(job_t *job)
{
	if (job->drop != NULL)
		job->drop(job->arg);
	free_job(job);
}

static job_t *job_new(node_pool_t *pool, const node_pool_call_t *call)
{
	job_t *job = node_mem_alloc(sizeof(*job) + call->arg_bytes);
	if (job == NULL)
		return NULL;
	memset(job, 0, sizeof(*job));
	job->pool = pool;
	job->fn = call->fn;
	job->drop = call->drop;
	job->keep = call->keep;
	job->release = call->release;
	job->arg_bytes = call->arg_bytes;
	g_strlcpy(job->what, call->what, sizeof(job->what));
	if (call->arg_bytes > 0)
		memcpy(job->arg, call->arg, call->arg_bytes);
	return job;
}

/* ---- threads ---- */

void node_pool_leave(void)
{
	job_t *job = node_ctx_borrow()->job;
	if (job == NULL)
		abort(); /* dream_exit() on a thread of the module's own, which has nothing to end */
	longjmp(job->out, 1);
}

void node_pool_log(int32_t level, const char *text)
{
	job_t *job = node_ctx_borrow()->job;
	if (job == NULL) /* a thread of the module's own: there is no node that it belongs to */
		return;
	pthread_mutex_lock(&job->pool->lock);
	if (job->pool->node != NULL)
		node_log(job->pool->node, level, "blocking %s: %s", job->what, text);
	pthread_mutex_unlock(&job->pool->lock);
}

int64_t node_pool_now_ns(void)
{
	node_pool_t *pool = ((job_t *) node_ctx_borrow()->job)->pool;
	pthread_mutex_lock(&pool->lock);
	int64_t now_ns = pool->node != NULL ? node_clock_now(pool->node) : 0;
	pthread_mutex_unlock(&pool->lock);
	return now_ns;
}

static void run_function(job_t *job)
{
	node_ctx_t *ctx = node_ctx_borrow();
	ctx->tag = NODE_CTX_BLOCKING;
	ctx->job = job;
	if (setjmp(job->out) == 0)
		job->result = job->fn(job->arg);
	else
		job->result = DREAM_EPERM;
	ctx->tag = NODE_CTX_NONE;
	ctx->job = NULL;
}

/* With the lock held. Returns the job if nobody wants it. */
static job_t *complete(node_pool_t *pool, job_t *job)
{
	take_out(&pool->running, job);
	job->state = DONE;
	pthread_cond_broadcast(&pool->less);
	node_sig_t *answer = job->waiter != NULL ? node_await_take(&job->waiter->await, DREAM_OK) : NULL;
	if (answer != NULL)
		(void) node_proc_deliver_take(pool->node, answer); /* its process frees the job */
	return job->waiter == NULL ? job : NULL;
}

/* With the lock held, which is let go meanwhile. */
static void run_job(node_pool_t *pool, job_t *job)
{
	take_out(&pool->queue, job);
	append(&pool->running, job);
	job->state = RUNNING;
	clock_gettime(CLOCK_MONOTONIC, &job->begun);
	pthread_mutex_unlock(&pool->lock);
	run_function(job);
	pthread_mutex_lock(&pool->lock);
	job_t *unwanted = complete(pool, job);
	bool closed = pool->node == NULL;
	pthread_mutex_unlock(&pool->lock);
	if (unwanted != NULL && closed)
		node_mem_free(unwanted); /* what it kept went with the node */
	else if (unwanted != NULL)
		drop_job(unwanted);
	pthread_mutex_lock(&pool->lock);
}

static struct timespec after_ms(int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * NODE_MS;
	if (t.tv_nsec >= 1000 * NODE_MS) {
		t.tv_sec++;
		t.tv_nsec -= 1000 * NODE_MS;
	}
	return t;
}

/* With the lock held. False: nothing came in time. */
static bool wait_for_job(node_pool_t *pool)
{
	struct timespec end = after_ms(pool->options.blocking_idle_ms);
	int r = 0;
	pool->n_idle++;
	while (pool->queue.first == NULL && !pool->stopping && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&pool->more, &pool->lock, &end);
	pool->n_idle--;
	return pool->queue.first != NULL && !pool->stopping;
}

static void *thread_main(void *arg)
{
	node_pool_t *pool = arg;
	pthread_setname_np(pthread_self(), "blocking");
	pthread_mutex_lock(&pool->lock);
	while (wait_for_job(pool))
		run_job(pool, pool->queue.first);
	pool->n_threads--;
	pthread_cond_broadcast(&pool->less);
	pthread_mutex_unlock(&pool->lock);
	node_msg_drop_cache();
	unref_pool(pool);
	return NULL;
}

/* With the lock held. */
static bool add_thread(node_pool_t *pool)
{
	pthread_attr_t attr;
	pthread_t thread;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	bool made = pthread_create(&thread, &attr, thread_main, pool) == 0;
	pthread_attr_destroy(&attr);
	pool->n_threads += made;
	pool->refs += made;
	return made;
}

/* ---- queueing ---- */

/* With the lock held. A thread that runs nothing, be it idle or just beginning, counts for one job in the queue. */
static int enqueue(node_pool_t *pool, job_t *job)
{
	uint32_t n_free = pool->n_threads - pool->running.count;
	if (pool->stopping)
		return DREAM_ECLOSED;
	bool may_grow = n_free <= pool->queue.count && pool->n_threads < pool->options.blocking_threads;
	if (!may_grow && pool->queue.count >= pool->options.blocking_queue + n_free)
		return DREAM_EBUSY;
	if (may_grow && !add_thread(pool) && pool->n_threads == 0)
		return DREAM_ELIMIT;
	append(&pool->queue, job);
	pthread_cond_signal(&pool->more);
	return DREAM_OK;
}

/* The process does not wait any more. A job that is still in our hands afterwards is @ret_job. */
static void give_up(job_await_t *waiter, job_t **ret_job)
{
	job_t *job = waiter->job;
	node_pool_t *pool = job->pool;
	pthread_mutex_lock(&pool->lock);
	job->waiter = NULL;
	node_await_end(&waiter->await);
	if (job->state == QUEUED)
		take_out(&pool->queue, job);
	*ret_job = job->state == RUNNING ? NULL : job;
	pthread_mutex_unlock(&pool->lock);
}

/* The process ends while it waits. */
static void on_drop(node_await_t *await)
{
	job_t *job;
	give_up((job_await_t *) await, &job);
	if (job != NULL && job->state == DONE)
		drop_job(job);
	else if (job != NULL)
		free_job(job);
}

static int start(node_proc_t *proc, job_await_t *waiter, const node_pool_call_t *call)
{
	node_pool_t *pool = proc->node->io->pool;
	job_t *job = call->arg_bytes <= NODE_POOL_ARG_MAX ? job_new(pool, call) : NULL;
	if (job == NULL) {
		if (call->release != NULL)
			call->release(call->keep);
		return call->arg_bytes <= NODE_POOL_ARG_MAX ? DREAM_ENOMEM : DREAM_EINVAL;
	}
	int r = node_await_begin(&waiter->await, proc, on_drop);
	waiter->job = job;
	job->waiter = waiter;
	pthread_mutex_lock(&pool->lock);
	if (r == DREAM_OK)
		r = enqueue(pool, job);
	pthread_mutex_unlock(&pool->lock);
	if (r < 0) {
		node_await_end(&waiter->await);
		free_job(job);
	}
	return r;
}

int node_pool_run(node_proc_t *proc, const node_pool_call_t *call, int64_t timeout_ms, int32_t *ret_result)
{
	job_await_t waiter;
	int64_t deadline_ns = node_await_deadline(proc->node, timeout_ms);
	int r = start(proc, &waiter, call);
	if (r < 0)
		return r;
	r = node_await_run(&waiter.await, deadline_ns);
	job_t *job;
	give_up(&waiter, &job);
	if (job == NULL) /* it runs on; its thread frees it */
		return DREAM_ETIMEDOUT;
	if (job->state == DONE) { /* maybe in the last moment */
		r = DREAM_OK;
		if (ret_result != NULL)
			*ret_result = job->result;
		if (job->arg_bytes > 0)
			memcpy(call->arg, job->arg, job->arg_bytes);
	}
	free_job(job);
	return r;
}

node_pool_counts_t node_pool_counts(node_t *node)
{
	node_pool_t *pool = node->io->pool;
	pthread_mutex_lock(&pool->lock);
	node_pool_counts_t counts = {pool->n_threads, pool->n_idle, pool->queue.count};
	pthread_mutex_unlock(&pool->lock);
	return counts;
}

/* ---- life ---- */

int node_pool_open(node_io_t *io)
{
	node_pool_t *pool = g_try_new0(node_pool_t, 1);
	pthread_condattr_t attr;
	if (pool == NULL)
		return DREAM_ENOMEM;
	pool->node = io->node;
	pool->options = io->options;
	pool->refs = 1;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->more, &attr);
	pthread_cond_init(&pool->less, &attr);
	pthread_condattr_destroy(&attr);
	io->pool = pool;
	return DREAM_OK;
}

static void name_left(node_pool_t *pool)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (job_t *job = pool->running.first; job != NULL; job = job->next)
		node_log(pool->node, DREAM_LOG_WARNING,
			"stopping: the blocking function %s runs for %d s; it is left behind", job->what,
			(int) (now.tv_sec - job->begun.tv_sec));
}

void node_pool_stop(node_io_t *io)
{
	node_pool_t *pool = io->pool;
	if (pool == NULL)
		return;
	struct timespec end = after_ms(pool->options.stop_ms);
	int r = 0;
	pthread_mutex_lock(&pool->lock);
	bool first = !pool->stopping;
	pool->stopping = true;
	pthread_cond_broadcast(&pool->more);
	while (first && pool->n_threads > 0 && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&pool->less, &pool->lock, &end);
	if (first)
		name_left(pool);
	pthread_mutex_unlock(&pool->lock);
}

void node_pool_close(node_io_t *io)
{
	node_pool_t *pool = io->pool;
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->node = NULL;
	pthread_mutex_unlock(&pool->lock);
	unref_pool(pool);
	io->pool = NULL;
}
