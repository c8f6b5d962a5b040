/* SPDX-License-Identifier: MIT */
/* echo: a TCP server to copy. What a client sends it gets back; a connection that is silent for too long is closed.
 *
 *     supervisor echo_sup
 *       server echo_listener   owns the listening socket; tells acceptors which it is
 *       process echo_acceptor  two of them: accept, start a process for the connection, give it the socket
 *     processes echo_conn      one for each connection; they belong to nobody and end with their connection
 */
#include <dream/dream.h>

#define ECHO_ENV(F) F(text, host) F(u16, port) F(u32, idle_ms)
#define ECHO_SOCKET(F) F(ref, socket)
#define ECHO_INFO(F) F(ref, socket) F(u16, port)
DREAM_TYPE(echo_env, ECHO_ENV);
DREAM_TYPE(echo_socket, ECHO_SOCKET);
DREAM_TYPE(echo_info, ECHO_INFO);
DREAM_STATE(echo_listener_state, ECHO_INFO, 1);

#define BUFFER_BYTES 16384u
#define HANDOVER_MS 5000
#define PAUSE_MS 100 /* before another attempt, when there are as many sockets as there may be */

/* ---- the listening socket ---- */

static int listener_init(const dream_msg_t *args, void **ret_state)
{
	echo_listener_state_t *s = *ret_state;
	echo_env_t env;
	char host[DREAM_TCP_HOST_BYTES];
	dream_tcp_info_t info = {DREAM_SIZED(dream_tcp_info_t)};
	(void) args;
	int r = dream_env(&echo_env_type, &env);
	if (r < 0)
		return r;
	snprintf(host, sizeof(host), "%.*s", (int) env.host.size_bytes, env.host.data);
	dream_tcp_listen_t how = {DREAM_SIZED(dream_tcp_listen_t), .host = host, .port = env.port};
	r = dream_tcp_listen(&how, &s->socket);
	if (r == DREAM_OK)
		r = dream_tcp_info(s->socket, &info);
	if (r < 0)
		return r; /* the supervisor's start fails with it, and says so */
	s->port = info.local_port;
	dream_log(DREAM_LOG_NOTICE, "listening on %s port %u", info.local_host, info.local_port);
	return DREAM_OK;
}

static dream_next_t on_info(echo_listener_state_t *s, const dream_unit_t *nothing, echo_info_t *reply)
{
	(void) nothing;
	reply->socket = s->socket;
	reply->port = s->port;
	return DREAM_REPLY;
}
DREAM_ON_CALL(on_info, "info", echo_listener_state, dream_unit, echo_info);

DREAM_SERVER(
	echo_listener, echo_listener_state, .init = listener_init, .calls = DREAM_HANDLERS(&on_info_handler));

/* ---- one connection ---- */

static int32_t is_socket(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "socket");
}

/* The first message names the socket, which is ours by then. Returning ends the process and closes it. */
static int conn_main(const dream_msg_t *args)
{
	dream_msg_t *msg;
	echo_socket_t conn;
	echo_env_t env;
	uint64_t size;
	(void) args;
	int r = dream_env(&echo_env_type, &env);
	if (r == DREAM_OK)
		r = dream_receive(is_socket, NULL, HANDOVER_MS, &msg);
	if (r == DREAM_OK)
		r = dream_msg_decode(msg, "socket", &echo_socket_type, &conn);
	char *buffer = dream_alloc(BUFFER_BYTES);
	if (r < 0 || buffer == NULL)
		return r < 0 ? r : DREAM_ENOMEM;
	while ((r = dream_tcp_recv(conn.socket, buffer, BUFFER_BYTES, 1, env.idle_ms, &size)) == DREAM_OK)
		if ((r = dream_tcp_send(conn.socket, buffer, size, env.idle_ms, NULL)) < 0)
			break;
	/* That clients leave, are cut off or fall silent is not our failure. */
	return r == DREAM_ECLOSED || r == DREAM_ECONNRESET || r == DREAM_ETIMEDOUT ? DREAM_OK : r;
}
DREAM_PROCESS(echo_conn, conn_main);

/* ---- accepting ---- */

static int serve(dream_ref_t socket)
{
	const dream_spawn_t how = {DREAM_SIZED(dream_spawn_t), .kind = "echo_conn"};
	echo_socket_t conn = {socket};
	dream_pid_t pid;
	int r = dream_spawn(&how, &pid, NULL);
	if (r == DREAM_OK)
		r = dream_tcp_give(socket, pid);
	if (r == DREAM_OK)
		return dream_send(dream_to(pid), "socket", &echo_socket_type, &conn);
	(void) dream_tcp_close(socket);
	return r == DREAM_ENOPROC ? DREAM_OK : r; /* it was killed at once */
}

static int acceptor_main(const dream_msg_t *args)
{
	echo_info_t listener;
	dream_unit_t nothing = {0};
	dream_ref_t conn;
	dream_msg_t *msg;
	(void) args;
	int r = dream_call(dream_to_name("echo_listener"), "info", &dream_unit_type, &nothing,
		&echo_info_type, &listener, DREAM_CALL_TIMEOUT_MS);
	while (r == DREAM_OK) {
		r = dream_tcp_accept(listener.socket, DREAM_INFINITY, &conn);
		if (r == DREAM_OK)
			r = serve(conn);
		if (r == DREAM_ELIMIT) { /* connections wait in the backlog meanwhile */
			dream_log(DREAM_LOG_WARNING, "no room for another connection");
			if (dream_receive(is_socket, NULL, PAUSE_MS, &msg) == DREAM_ETIMEDOUT)
				r = DREAM_OK;
		}
	}
	/* The listener is gone. We may know before the supervisor does, which is about to stop us and start all anew. */
	(void) dream_receive(is_socket, NULL, HANDOVER_MS, &msg);
	return r;
}
DREAM_PROCESS(echo_acceptor, acceptor_main);

/* ---- the whole ---- */

static const dream_child_t listener_child = {
	DREAM_SIZED(dream_child_t), .kind = "echo_listener", .name = "echo_listener"};
static const dream_child_t first_acceptor = {
	DREAM_SIZED(dream_child_t), .id = "first", .kind = "echo_acceptor"};
static const dream_child_t second_acceptor = {
	DREAM_SIZED(dream_child_t), .id = "second", .kind = "echo_acceptor"};
DREAM_SUPERVISOR(echo_sup, .strategy = DREAM_REST_FOR_ONE, .intensity = 10,
	.children = DREAM_CHILDREN(&listener_child, &first_acceptor, &second_acceptor));
DREAM_APPLICATION(echo, .description = "gives back what it gets", .root = "echo_sup",
	.env = "{\"host\": \"127.0.0.1\", \"port\": 0, \"idle_ms\": 60000}");

DREAM_MODULE("echo", "1.0.0", &echo_app_kind, &echo_sup_kind, &echo_listener_kind, &echo_acceptor_kind,
	&echo_conn_kind);
