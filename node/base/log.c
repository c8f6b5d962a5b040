/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <pthread.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"

struct node_log {
	node_t *node;
	int fd;
	int32_t level; /* atomic */
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t writer; /* with an fd */
	bool closing;
	uint64_t newest;  /* seq of the newest line, 0 for none */
	uint64_t written; /* seq up to which lines were written or dropped */
	uint64_t dropped;
	node_log_line_t ring[NODE_LOG_RING];
};

static const char *const level_names[] = {"debug", "info", "notice", "warning", "error"};

const char *node_log_level_name(int32_t level)
{
	return level >= 0 && level <= DREAM_LOG_ERROR ? level_names[level] : NULL;
}

int node_log_level_parse(const char *name, int32_t *ret_level)
{
	for (int32_t i = 0; i <= DREAM_LOG_ERROR; i++)
		if (strcmp(name, level_names[i]) == 0) {
			*ret_level = i;
			return DREAM_OK;
		}
	return DREAM_EINVAL;
}

static void format_line(const node_log_line_t *line, char *out, size_t cap)
{
	time_t seconds = (time_t) (line->wall_ns / 1000000000);
	struct tm utc;
	char when[32];
	gmtime_r(&seconds, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, cap, "%s.%03dZ %-7s %s\n", when, (int) (line->wall_ns / 1000000 % 1000),
		node_log_level_name(line->level), line->text);
}

/* Gives up on a descriptor that takes nothing for a second: the ring still has the line. */
static bool write_bounded(int fd, const char *text, size_t size)
{
	while (size > 0) {
		struct pollfd p = {fd, POLLOUT, 0};
		if (poll(&p, 1, 1000) <= 0)
			return false;
		ssize_t n = write(fd, text, size);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			text += n;
			size -= (size_t) n;
		}
	}
	return true;
}

/* False: the descriptor takes nothing. */
static bool write_next(node_log_t *log)
{
	char text[NODE_LOG_LINE_MAX + 64];
	uint64_t dropped = log->dropped;
	node_log_line_t *line = &log->ring[++log->written % NODE_LOG_RING];
	format_line(line, text, sizeof(text));
	log->dropped = 0;
	pthread_mutex_unlock(&log->lock);
	bool taken = true;
	if (dropped > 0) {
		char note[64];
		int n = snprintf(note, sizeof(note),
			"(%" PRIu64 " lines dropped: the log's reader is too slow)\n", dropped);
		taken = write_bounded(log->fd, note, (size_t) n);
	}
	taken = taken && write_bounded(log->fd, text, strlen(text));
	pthread_mutex_lock(&log->lock);
	return taken;
}

static void *writer_main(void *data)
{
	node_log_t *log = data;
	node_ctx_borrow()->node = log->node;
	pthread_mutex_lock(&log->lock);
	for (;;) {
		while (log->written == log->newest && !log->closing)
			pthread_cond_wait(&log->more, &log->lock);
		if (log->written == log->newest)
			break;
		if (!write_next(log) && log->closing)
			break; /* the other lines would fare no better, each after a second */
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

int node_log_open(node_t *node, int fd, int32_t level, node_log_t **ret_log)
{
	node_log_t *log = node_mem_map(sizeof(node_log_t)); /* more than a megabyte, seldom used whole */
	if (log == NULL)
		return DREAM_ENOMEM;
	log->node = node;
	log->fd = fd;
	log->level = level;
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->more, NULL);
	if (fd >= 0 && pthread_create(&log->writer, NULL, writer_main, log) != 0) {
		node_mem_unmap(log, sizeof(node_log_t));
		return DREAM_ENOMEM;
	}
	node->log = log;
	*ret_log = log;
	return DREAM_OK;
}

void node_log_close(node_log_t *log)
{
	if (log == NULL)
		return;
	if (log->fd >= 0) {
		pthread_mutex_lock(&log->lock);
		log->closing = true;
		pthread_cond_signal(&log->more);
		pthread_mutex_unlock(&log->lock);
		pthread_join(log->writer, NULL);
	}
	pthread_mutex_destroy(&log->lock);
	pthread_cond_destroy(&log->more);
	log->node->log = NULL;
	node_mem_unmap(log, sizeof(node_log_t));
}

static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			*text = '?';
}

void node_log(node_t *node, int32_t level, const char *format, ...)
{
	node_log_t *log = node->log;
	if (log == NULL || level < __atomic_load_n(&log->level, __ATOMIC_RELAXED))
		return;
	char text[NODE_LOG_LINE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clean(text);

	pthread_mutex_lock(&log->lock);
	if (log->fd >= 0 && log->newest - log->written >= NODE_LOG_RING) {
		log->written++;
		log->dropped++;
	}
	node_log_line_t *line = &log->ring[++log->newest % NODE_LOG_RING];
	line->seq = log->newest;
	line->wall_ns = node->clock->wall_ns(node->clock);
	line->level = level;
	g_strlcpy(line->text, text, sizeof(line->text));
	pthread_cond_signal(&log->more);
	pthread_mutex_unlock(&log->lock);
}

uint32_t node_log_tail(
	node_log_t *log, uint64_t after, int32_t level, node_log_line_t *ret_lines, uint32_t cap)
{
	uint32_t n = 0;
	pthread_mutex_lock(&log->lock);
	uint64_t oldest = log->newest > NODE_LOG_RING ? log->newest - NODE_LOG_RING + 1 : 1;
	uint64_t seq = log->newest;
	uint64_t first = seq + 1;
	while (n < cap && seq >= oldest && seq > after) {
		if (log->ring[seq % NODE_LOG_RING].level >= level)
			n++;
		first = seq--;
	}
	n = 0;
	for (seq = first; seq <= log->newest && n < cap; seq++)
		if (log->ring[seq % NODE_LOG_RING].level >= level)
			ret_lines[n++] = log->ring[seq % NODE_LOG_RING];
	pthread_mutex_unlock(&log->lock);
	return n;
}

void node_log_set_level(node_log_t *log, int32_t level)
{
	__atomic_store_n(&log->level, level, __ATOMIC_RELAXED);
}
