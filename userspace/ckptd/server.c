// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "frame.h"
#include "server.h"

#define SECOND 1000000ull

struct peer {
	struct server *server;
	struct peer *next, **from;
	sd_event_source *io, *idle;
	int fd;
	struct frame in;
	char *out;			/* what is to be sent */
	size_t out_used, out_size;
	struct request *request;	/* the one that is being answered */
	bool is_closing;		/* when all is sent */
};

struct server {
	sd_event *event;
	sd_event_source *io;
	int fd;
	char path[108];			/* to be removed at the end; "": not ours */
	struct peer *peers;
	unsigned int peer_count;
	unsigned int request_count;
	server_fn call;
	void *arg;
};

struct request {
	struct server *server;
	struct peer *peer;		/* NULL: gone */
	char *method;
	struct json_object *root, *parameters;
	bool wants_more, wants_none;
};

static void peer_free(struct peer *p)
{
	if (p->request)
		p->request->peer = NULL;
	*p->from = p->next;
	if (p->next)
		p->next->from = p->from;
	p->server->peer_count--;
	sd_event_source_disable_unref(p->io);
	sd_event_source_disable_unref(p->idle);
	close(p->fd);
	frame_free(&p->in);
	free(p->out);
	free(p);
}

/*
 * What is to be waited for.  The time that a peer has starts once more, unless it is to
 * end what it has begun.
 */
static int watch(struct peer *p)
{
	uint32_t events = 0;

	if (p->out_used)
		events |= EPOLLOUT;
	if (!p->is_closing && !p->request && !frame_first(&p->in))
		events |= EPOLLIN;
	if (!frame_is_partial(&p->in))
		sd_event_source_set_time_relative(p->idle, SERVER_IDLE_SECONDS * SECOND);
	/* Who waits for an answer may take as long as that takes. */
	sd_event_source_set_enabled(p->idle, p->request && !p->out_used ? SD_EVENT_OFF :
				    SD_EVENT_ONESHOT);
	return sd_event_source_set_io_events(p->io, events);
}

static bool enqueue(struct peer *p, const char *text, size_t length)
{
	size_t wanted = p->out_used + length;
	char *grown;

	if (wanted > SERVER_OUT_MAX)
		return false;
	if (wanted > p->out_size) {
		grown = realloc(p->out, wanted * 2);
		if (!grown)
			return false;
		p->out = grown;
		p->out_size = wanted * 2;
	}
	memcpy(p->out + p->out_used, text, length);
	p->out_used = wanted;
	return true;
}

/* False: the peer is gone. */
static bool flush(struct peer *p)
{
	while (p->out_used) {
		ssize_t n = send(p->fd, p->out, p->out_used, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		p->out_used -= (size_t)n;
		memmove(p->out, p->out + n, p->out_used);
	}
	free(p->out);
	p->out = NULL;
	p->out_size = 0;
	return !p->is_closing;
}

/* Takes @reply over.  False: it does not fit, or there is no memory. */
static bool put(struct peer *p, struct json_object *reply)
{
	const char *text = json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE);
	bool fits = text && enqueue(p, text, strlen(text) + 1);

	json_object_put(reply);
	return fits;
}

static struct json_object *failure(const struct ckpt_error *e)
{
	struct json_object *root = json_object_new_object();
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "message", json_object_new_string(e->text));
	json_object_object_add(parameters, "result", json_object_new_int((int)e->result));
	json_object_object_add(root, "error", json_object_new_string("dm-ckpt.vm.Failed"));
	json_object_object_add(root, "parameters", parameters);
	return root;
}

/* A last word to somebody whose bytes make no sense. */
static void dismiss(struct peer *p, const char *why)
{
	struct ckpt_error e;

	ckpt_fail(&e, CKPT_USAGE, "%s", why);
	p->is_closing = true;
	put(p, failure(&e));
}

static void request_free(struct request *r)
{
	r->server->request_count--;
	if (r->peer)
		r->peer->request = NULL;
	json_object_put(r->root);
	free(r->method);
	free(r);
}

static bool flag(struct json_object *root, const char *key)
{
	struct json_object *found;

	return json_object_object_get_ex(root, key, &found) && json_object_get_boolean(found);
}

/* NULL if that is no request; then @why says so. */
static struct request *parse(struct peer *p, const char *text, const char **why)
{
	struct json_tokener *tokener = json_tokener_new_ex(SERVER_DEPTH_MAX);
	struct json_object *root = NULL, *method = NULL, *parameters = NULL;
	struct request *r = calloc(1, sizeof(*r));

	*why = "this is no JSON";
	if (tokener) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		root = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
		json_tokener_free(tokener);
	}
	if (root)
		*why = "a request is an object with \"method\", which is a text, and perhaps \"parameters\", which are an object";
	if (r && json_object_is_type(root, json_type_object) &&
	    json_object_object_get_ex(root, "method", &method) &&
	    json_object_is_type(method, json_type_string)) {
		if (!json_object_object_get_ex(root, "parameters", &parameters) || !parameters) {
			parameters = json_object_new_object();
			json_object_object_add(root, "parameters", parameters);
		}
		r->method = strdup(json_object_get_string(method));
	}
	if (!r || !r->method || !json_object_is_type(parameters, json_type_object)) {
		json_object_put(root);
		free(r ? r->method : NULL);
		free(r);
		return NULL;
	}
	r->server = p->server;
	r->peer = p;
	r->root = root;
	r->parameters = parameters;
	r->wants_more = flag(root, "more");
	r->wants_none = flag(root, "oneway");
	return r;
}

/* What has come, as far as it can be dealt with now. */
static void work(struct peer *p)
{
	const char *text, *why;
	struct request *r;

	while (!p->is_closing && !p->request && (text = frame_first(&p->in))) {
		r = parse(p, text, &why);
		frame_drop(&p->in);
		if (!r) {
			dismiss(p, why);
			break;
		}
		p->request = r;
		p->server->request_count++;
		p->server->call(r, p->server->arg);
	}
	if (!p->is_closing && !p->request && frame_is_stuck(&p->in))
		dismiss(p, "this request is too long");
}

static void serve(struct peer *p)
{
	work(p);
	if (!flush(p) || watch(p) < 0)
		peer_free(p);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct peer *p = arg;
	size_t size;
	char *room;
	ssize_t n;

	(void)source;
	if (events & EPOLLIN) {
		room = frame_room(&p->in, &size);
		n = room ? recv(fd, room, size, MSG_DONTWAIT) : 0;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) {
			peer_free(p);
			return 0;
		}
		frame_filled(&p->in, (size_t)n);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		peer_free(p);
		return 0;
	}
	serve(p);
	return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	peer_free(arg);
	return 0;
}

/* Root's, or that of whoever runs the daemon. */
static bool is_allowed(int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) &&
	       (!cred.uid || cred.uid == geteuid());
}

static void refuse(int fd)
{
	struct ckpt_error e;
	struct json_object *reply;
	const char *text;

	ckpt_fail(&e, CKPT_BUSY, "there are %u connections to ckptd already; try again",
		  SERVER_PEERS_MAX);
	reply = failure(&e);
	text = json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN);
	if (send(fd, text, strlen(text) + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;	/* it does not even listen */
	json_object_put(reply);
	close(fd);
}

static int on_connect(sd_event_source *source, int listener, uint32_t events, void *arg)
{
	struct server *server = arg;
	struct peer *p;
	int fd;

	(void)source;
	(void)events;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return 0;
	if (!is_allowed(fd)) {
		close(fd);
		return 0;
	}
	p = server->peer_count < SERVER_PEERS_MAX ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		refuse(fd);
		return 0;
	}
	p->server = server;
	p->fd = fd;
	p->next = server->peers;
	p->from = &server->peers;
	if (p->next)
		p->next->from = &p->next;
	server->peers = p;
	server->peer_count++;
	if (sd_event_add_io(server->event, &p->io, fd, EPOLLIN, on_io, p) < 0 ||
	    sd_event_add_time_relative(server->event, &p->idle, CLOCK_MONOTONIC,
				       SERVER_IDLE_SECONDS * SECOND, SECOND, on_idle, p) < 0)
		peer_free(p);
	return 0;
}

static enum ckpt_result make_socket(struct server *server, const char *path,
				    struct ckpt_error *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int test;

	if (strlen(path) >= sizeof(address.sun_path))
		return ckpt_fail_errno(e, ENAMETOOLONG, "the socket %s cannot be made", path);
	strcpy(address.sun_path, path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	test = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->fd < 0 || test < 0) {
		if (test >= 0)
			close(test);
		return ckpt_fail_errno(e, errno, "the socket %s cannot be made", path);
	}
	if (!connect(test, (struct sockaddr *)&address, sizeof(address)) || errno == EAGAIN) {
		close(test);
		return ckpt_fail(e, CKPT_BUSY, "another ckptd listens on %s already", path);
	}
	close(test);
	/* One that was killed has left it. */
	unlink(path);
	fchmod(server->fd, 0600);
	if (bind(server->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    chmod(path, 0600) || listen(server->fd, 128))
		return ckpt_fail_errno(e, errno, "the socket %s cannot be made", path);
	strcpy(server->path, path);
	return CKPT_DONE;
}

enum ckpt_result server_new(struct server **result, sd_event *event, int fd, const char *path,
			    server_fn call, void *arg, struct ckpt_error *e)
{
	struct server *server = calloc(1, sizeof(*server));
	int err;

	*result = server;
	if (!server)
		return ckpt_fail_errno(e, ENOMEM, "no socket can be made");
	server->event = sd_event_ref(event);
	server->call = call;
	server->arg = arg;
	server->fd = fd;
	if (fd < 0 && make_socket(server, path, e)) {
		server_free(server);
		*result = NULL;
		return e->result;
	}
	err = sd_event_add_io(event, &server->io, server->fd, EPOLLIN, on_connect, server);
	if (err >= 0)
		return CKPT_DONE;
	server_free(server);
	*result = NULL;
	return ckpt_fail_errno(e, -err, "the socket cannot be listened on");
}

void server_stop(struct server *server)
{
	struct peer *next;

	server->io = sd_event_source_disable_unref(server->io);
	for (struct peer *p = server->peers; p; p = next) {
		next = p->next;
		p->is_closing = true;
		if (!p->request && !p->out_used)
			peer_free(p);
		else
			watch(p);
	}
}

bool server_is_busy(const struct server *server)
{
	if (server->request_count)
		return true;
	for (const struct peer *p = server->peers; p; p = p->next)
		if (p->out_used)
			return true;
	return false;
}

void server_free(struct server *server)
{
	while (server->peers)
		peer_free(server->peers);
	sd_event_source_disable_unref(server->io);
	if (server->fd >= 0)
		close(server->fd);
	if (*server->path)
		unlink(server->path);
	sd_event_unref(server->event);
	free(server);
}

const char *request_method(const struct request *r)
{
	return r->method;
}

struct json_object *request_parameters(const struct request *r)
{
	return r->parameters;
}

static struct json_object *success(struct json_object *parameters)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "parameters",
			       parameters ? parameters : json_object_new_object());
	return root;
}

void request_progress(struct request *r, struct json_object *parameters)
{
	struct json_object *reply;

	if (!r->peer || !r->wants_more || r->peer->out_used) {
		json_object_put(parameters);
		return;
	}
	reply = success(parameters);
	json_object_object_add(reply, "continues", json_object_new_boolean(true));
	put(r->peer, reply);
	sd_event_source_set_io_events(r->peer->io, EPOLLOUT);
}

/* Answer, and let what has come meanwhile be looked at once the loop is there again. */
static void answer(struct request *r, struct json_object *reply)
{
	struct peer *p = r->peer;

	if (!p || r->wants_none)
		json_object_put(reply);
	else if (!put(p, reply))
		dismiss(p, "the answer is too long");
	request_free(r);
	if (p)
		sd_event_source_set_io_events(p->io, EPOLLOUT);
}

void request_done(struct request *r, struct json_object *parameters)
{
	answer(r, success(parameters));
}

void request_failed(struct request *r, const struct ckpt_error *e)
{
	answer(r, failure(e));
}
