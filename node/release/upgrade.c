/* SPDX-License-Identifier: MIT */
/* The upgrade of one module, in the calling process:
 *
 *   load    the new generation is mapped beside the current one; nothing refers to it
 *   check   every process of the module tries its code_change on a copy, between two messages
 *   flip    one atomic store makes the new generation current: what starts from now on starts on it
 *   carry   every process goes over between two messages; the old state is kept
 *   commit  the old states are given up
 *
 * Up to the flip a failure leaves no trace. After it the pointer is flipped back and the processes that went over go
 * back in place. Nobody is suspended: a call that arrives meanwhile waits for one migration at most. */
#include "release/upgrade.h"

#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "otp/call.h"
#include "term/cbor.h"
#include "term/notation.h"

#define STRAGGLERS_SHOWN 5u
#define NODE_UPGRADE_NAME "node_upgrade"

/* An operator who loses the connection or gives up must not leave an upgrade half done, so it runs in a process of
 * its own, which nobody is linked to; who asked for it waits for its answer. */
typedef struct {
	char *name;
	char *path;
	int64_t deadline_ms;
	GHashTable *waiting; /* of the round that runs: goes with the process */
} job_t;

static void job_free(job_t *job)
{
	if (job->waiting != NULL)
		g_hash_table_unref(job->waiting);
	g_free(job->name);
	g_free(job->path);
	g_free(job);
}

/* A round of requests to many processes at once. */
typedef struct {
	node_proc_t *proc;
	int32_t op;
	void *data;
	int64_t deadline_ns;
	GHashTable *waiting; /* guint64 * ref -> dream_pid_t * */
	uint32_t n_done;
	node_diag_t *diag; /* the first failure */
	int result;
} round_t;

static bool of_module(const node_gen_t *gen, const char *module)
{
	return gen != NULL && strcmp(gen->name, module) == 0;
}

/* Plain functions end in the version they began in; everything else can be asked to change. */
static bool is_plain(const node_proc_t *member)
{
	return (__atomic_load_n(&member->flags, __ATOMIC_RELAXED) & NODE_PROC_PLAIN) != 0;
}

static int ask(round_t *round, dream_pid_t pid)
{
	uint64_t ref;
	int r = node_call_sys_request(round->proc, pid, round->op, round->data, &ref);
	if (r < 0)
		return node_diag_set(round->diag, r, "out of memory");
	g_hash_table_insert(round->waiting, g_memdup2(&ref, sizeof(ref)), g_memdup2(&pid, sizeof(pid)));
	return DREAM_OK;
}

/* A text as it is, anything else (the reason of a crash) in notation. */
static void put_text(GString *out, const dream_msg_t *msg)
{
	const char *text;
	uint64_t size;
	if (msg == NULL)
		return;
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	if (node_cbor_get_text(&r, &text, &size) == DREAM_OK)
		g_string_append_len(out, text, (gssize) size);
	else
		node_notation_print(out, msg->data, msg->size_bytes, 400);
}

static void note_answer(round_t *round, const node_sig_t *sig)
{
	dream_pid_t *pid = g_hash_table_lookup(round->waiting, &sig->ref);
	if (pid == NULL)
		return;
	char text[300];
	bool gone = sig->code == DREAM_EDOWN || sig->code == DREAM_ENOPROC || sig->code == DREAM_EINIT;
	if (sig->code < 0 && !gone && round->result == DREAM_OK) {
		GString *why = g_string_new(NULL);
		put_text(why, sig->msg);
		node_proc_t *member = node_proctab_find(round->proc->node, pid->id);
		const char *label = member != NULL ? __atomic_load_n(&member->label, __ATOMIC_RELAXED) : NULL;
		round->result =
			node_diag_set(round->diag, sig->code, "%s %s: %s", label != NULL ? label : "process",
				node_proc_pid_text(round->proc->node, *pid, text), why->str);
		g_string_free(why, TRUE);
	}
	round->n_done += sig->code == DREAM_OK;
	g_hash_table_remove(round->waiting, &sig->ref);
}

static void take_answers(round_t *round)
{
	node_sig_t *sig;
	while ((sig = node_proc_next_take(round->proc)) != NULL) {
		if (sig->kind == NODE_SIG_REPLY)
			note_answer(round, sig);
		node_sig_free(sig);
	}
	if (node_proc_exiting(round->proc))
		node_proc_leave(round->proc);
}

/* Those that did not come to a message boundary, by name: the operator will want to know what they do. */
static int name_stragglers(round_t *round)
{
	GHashTableIter iter;
	gpointer ref, pid;
	char text[300];
	uint32_t shown = 0;
	GString *names = g_string_new(NULL);
	g_hash_table_iter_init(&iter, round->waiting);
	while (g_hash_table_iter_next(&iter, &ref, &pid)) {
		node_proc_forget(round->proc, *(guint64 *) ref);
		node_proc_t *member = node_proctab_find(round->proc->node, ((dream_pid_t *) pid)->id);
		const char *label = member != NULL ? __atomic_load_n(&member->label, __ATOMIC_RELAXED) : "";
		if (shown++ < STRAGGLERS_SHOWN)
			g_string_append_printf(names, "%s%s %s", shown > 1 ? ", " : "",
				label != NULL ? label : "",
				node_proc_pid_text(round->proc->node, *(dream_pid_t *) pid, text));
	}
	node_diag_set(round->diag, DREAM_ETIMEDOUT,
		"inside a callback whose end did not come in time: %s%s (%u in all)", names->str,
		shown > STRAGGLERS_SHOWN ? ", …" : "", g_hash_table_size(round->waiting));
	g_string_free(names, TRUE);
	return DREAM_ETIMEDOUT;
}

static int await_all(round_t *round)
{
	int r = DREAM_OK;
	take_answers(round);
	while (g_hash_table_size(round->waiting) > 0 && r == DREAM_OK) {
		r = node_proc_wait(round->proc, round->deadline_ns);
		take_answers(round);
	}
	if (g_hash_table_size(round->waiting) > 0 && round->result == DREAM_OK)
		round->result = name_stragglers(round);
	return round->result;
}

/* Asks every process for which @wanted holds. */
static int run_round(
	round_t *round, bool (*wanted)(const node_proc_t *member, const void *arg), const void *arg)
{
	uint32_t pos = 0;
	int r = DREAM_OK;
	node_proc_t *member;
	job_t *job = round->proc->self;
	job->waiting = round->waiting = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	round->n_done = 0;
	round->result = DREAM_OK;
	while (r == DREAM_OK && (member = node_proctab_next(round->proc->node, &pos)) != NULL) {
		dream_pid_t pid = node_proc_pid(member);
		if (pid.id != 0 && member != round->proc && wanted(member, arg))
			r = ask(round, pid);
	}
	int result = await_all(round);
	job->waiting = NULL;
	g_hash_table_unref(round->waiting);
	return r < 0 ? r : result;
}

static const node_gen_t *gen_of(const node_proc_t *member)
{
	return __atomic_load_n(&member->gen, __ATOMIC_ACQUIRE);
}

static bool runs_module(const node_proc_t *member, const void *module)
{
	return of_module(gen_of(member), module) && !is_plain(member);
}

static bool is_elsewhere(const node_proc_t *member, const void *gen)
{
	const node_gen_t *want = gen;
	return runs_module(member, want->name) && gen_of(member) != want;
}

static uint32_t count_plain(node_t *node, const char *module)
{
	uint32_t pos = 0;
	uint32_t n = 0;
	node_proc_t *member;
	while ((member = node_proctab_next(node, &pos)) != NULL)
		n += of_module(gen_of(member), module) && is_plain(member);
	return n;
}

/* ---- the steps ---- */

typedef struct {
	node_proc_t *proc;
	const char *path;
	node_gen_t *from;
	node_gen_t *to;
	int64_t deadline_ns;
	node_upgrade_report_t *report;
	node_diag_t *diag;
} upgrade_t;

static int check_file(const upgrade_t *up)
{
	if (strcmp(up->to->name, up->from->name) != 0)
		return node_diag_set(up->diag, DREAM_EMODULE, "%s: holds module %s, not %s", up->path,
			up->to->name, up->from->name);
	if (strcmp(up->to->sha256, up->from->sha256) == 0)
		return node_diag_set(up->diag, DREAM_EALREADY, "%s: %s %s is what runs already", up->path,
			up->from->name, up->from->vsn);
	return DREAM_OK;
}

static round_t new_round(const upgrade_t *up, int32_t op, void *data)
{
	return (round_t){
		.proc = up->proc, .op = op, .data = data, .deadline_ns = up->deadline_ns, .diag = up->diag};
}

static int check_states(upgrade_t *up)
{
	int64_t before_ns = node_clock_now(up->proc->node);
	round_t round = new_round(up, NODE_SYS_UPGRADE_CHECK, up->to);
	int r = run_round(&round, runs_module, up->from->name);
	up->report->check_ns = node_clock_now(up->proc->node) - before_ns;
	up->report->n_changed = round.n_done;
	return r;
}

/* Processes that were started on the old code while we looked are found by looking again, until a look finds none. */
static int carry_over(upgrade_t *up)
{
	int r = DREAM_OK;
	uint32_t changed = 1;
	while (r == DREAM_OK && changed > 0) {
		round_t round = new_round(up, NODE_SYS_UPGRADE, NULL);
		r = run_round(&round, is_elsewhere, up->to);
		changed = round.n_done;
	}
	return r;
}

static void commit(upgrade_t *up)
{
	node_diag_t ignored;
	round_t round = new_round(up, NODE_SYS_UPGRADE_COMMIT, NULL);
	round.diag = &ignored;
	round.deadline_ns = node_call_deadline(up->proc->node, NODE_UPGRADE_DEADLINE_MS);
	(void) run_round(
		&round, runs_module, up->to->name); /* who is busy gives it up with the next upgrade */
	node_app_follow(up->proc->node, up->to);
}

static void go_back(upgrade_t *up)
{
	node_diag_t why;
	node_code_unref(node_code_make_current(up->proc->node->code, up->from));
	round_t round = new_round(up, NODE_SYS_UPGRADE_BACK, NULL);
	round.diag = &why;
	round.deadline_ns = node_call_deadline(up->proc->node, NODE_UPGRADE_DEADLINE_MS);
	/* All are asked, also who has not left: a straggler may have the request to go over still before it. */
	if (run_round(&round, runs_module, up->from->name) < 0)
		node_log(up->proc->node, DREAM_LOG_ERROR, "upgrade of %s: going back: %s", up->from->name,
			why.text);
}

static int switch_over(upgrade_t *up)
{
	int64_t before_ns = node_clock_now(up->proc->node);
	node_code_unref(node_code_make_current(up->proc->node->code, up->to));
	int r = carry_over(up);
	up->report->switch_ns = node_clock_now(up->proc->node) - before_ns;
	if (r < 0) {
		go_back(up);
		return r;
	}
	commit(up);
	up->report->n_staying = count_plain(up->proc->node, up->from->name);
	return DREAM_OK;
}

static int run_upgrade(upgrade_t *up)
{
	node_t *node = up->proc->node;
	int r = node_code_load(node->code, up->path, &up->to, up->diag);
	if (r < 0)
		return r;
	g_strlcpy(up->report->module, up->to->name, sizeof(up->report->module));
	g_strlcpy(up->report->from_vsn, up->from->vsn, sizeof(up->report->from_vsn));
	g_strlcpy(up->report->to_vsn, up->to->vsn, sizeof(up->report->to_vsn));
	r = check_file(up);
	if (r == DREAM_OK)
		r = check_states(up);
	if (r == DREAM_OK)
		r = switch_over(up);
	node_log(node, r < 0 ? DREAM_LOG_ERROR : DREAM_LOG_NOTICE, "upgrade of %s from %s to %s: %s",
		up->from->name, up->from->vsn, up->to->vsn, r < 0 ? up->diag->text : "done");
	node_code_unref(up->to);
	return r;
}

static int upgrade_here(node_proc_t *proc, const char *name, const char *path, int64_t deadline_ms,
	node_upgrade_report_t *ret_report, node_diag_t *diag)
{
	node_t *node = proc->node;
	node_gen_t *from = node_code_current_ref(node->code, name);
	if (from == NULL)
		return node_diag_set(
			diag, DREAM_ENOENT, "no module \"%s\" is loaded; 'apps' lists what is", name);
	upgrade_t up = {.proc = proc,
		.path = path,
		.from = from,
		.deadline_ns = node_call_deadline(node, deadline_ms),
		.report = ret_report,
		.diag = diag};
	int r = run_upgrade(&up);
	node_code_unref(from);
	return r;
}

/* ---- the process that does it ---- */

static int runner_run(node_proc_t *proc)
{
	const job_t *job = proc->self;
	node_upgrade_report_t report = {.module = ""};
	node_diag_t diag = {.text = ""};
	node_cbor_writer_t w;
	dream_msg_t *answer = NULL;
	node_sig_t *sig = node_proc_next_take(proc);
	if (sig == NULL)
		return node_proc_exiting(proc) ? NODE_RUN_EXIT : NODE_RUN_IDLE;
	proc->current = sig;
	int r = upgrade_here(proc, job->name, job->path, job->deadline_ms, &report, &diag);
	proc->current = NULL;
	node_cbor_init(&w);
	if (r < 0)
		node_cbor_put_text(&w, diag.text);
	else
		node_cbor_put_bytes(&w, &report, sizeof(report));
	(void) node_cbor_finish(&w, &answer);
	node_proc_answer_take(proc->node, sig, r, answer);
	return NODE_RUN_EXIT;
}

static void runner_fini(node_proc_t *proc)
{
	job_free(proc->self);
	proc->self = NULL;
}

static const node_proc_ops_t runner_ops = {"upgrade", runner_run, runner_fini};

/* The name is the lock that makes it one at a time: it goes away with the process, however that ends. */
static int spawn_runner(node_t *node, job_t *job, dream_pid_t *ret_pid, node_diag_t *diag)
{
	node_spawn_t spawn = {.ops = &runner_ops,
		.self = job,
		.label = "upgrade",
		.name = NODE_UPGRADE_NAME,
		.flags = NODE_PROC_SYSTEM};
	int r = node_proc_spawn(node, &spawn, ret_pid);
	if (r == DREAM_OK)
		return r;
	job_free(job);
	if (r == DREAM_EEXIST)
		return node_diag_set(diag, DREAM_EBUSY, "another upgrade is running; wait for its end");
	return node_diag_set(diag, r, "the upgrade cannot start: %s", node_diag_code_text(r));
}

static int take_failure(const node_proc_t *proc, int r, node_diag_t *diag)
{
	const dream_msg_t *reason = node_proc_reason_borrow(proc);
	if (reason == NULL)
		return node_diag_set(diag, r, "%s", node_diag_code_text(r));
	GString *why = g_string_new(NULL);
	put_text(why, reason);
	node_diag_set(diag, r, "%s", why->str);
	g_string_free(why, TRUE);
	return r;
}

int node_upgrade_module(node_proc_t *proc, const char *name, const char *path, int64_t deadline_ms,
	node_upgrade_report_t *ret_report, node_diag_t *diag)
{
	dream_pid_t runner;
	dream_msg_t *answer;
	const uint8_t *data;
	uint64_t size;
	job_t *job = g_new0(job_t, 1);
	*job = (job_t){.name = g_strdup(name), .path = g_strdup(path), .deadline_ms = deadline_ms};
	int r = spawn_runner(proc->node, job, &runner, diag);
	if (r < 0)
		return r;
	r = node_call_sys_take(proc, runner, 0, NULL, NULL, DREAM_INFINITY, &answer);
	if (r < 0)
		return take_failure(proc, r, diag);
	node_cbor_reader_t reader = node_cbor_read_msg(answer);
	if (node_cbor_get_bytes(&reader, &data, &size) == DREAM_OK && size == sizeof(*ret_report))
		memcpy(ret_report, data, size);
	node_msg_unref(answer);
	return DREAM_OK;
}
