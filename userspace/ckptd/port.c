// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json_stream.h"
#include "port.h"
#include "qmp.h"
#include "reach.h"

struct port {
	struct qmp *qmp;
	char *agent;
	port_fn fn;
	void *arg;
};

static void end(struct port *p, bool is_shut)
{
	port_fn fn = p->fn;
	void *arg = p->arg;

	qmp_free(p->qmp);
	free(p->agent);
	free(p);
	fn(arg, is_shut);
}

/*
 * Is that QEMU's end of the socket?  "unix:PATH,server=on", and "disconnected:" before it if
 * nobody is connected.  Its label is whatever the one who started QEMU liked.
 */
static bool leads_to(struct json_object *chardev, const char *agent)
{
	const char *name = json_stream_text(chardev, "filename");
	size_t length = strlen(agent);

	name = name ? strstr(name, "unix:") : NULL;
	if (!name)
		return false;
	name += strlen("unix:");
	return !strncmp(name, agent, length) && (!name[length] || name[length] == ',');
}

bool port_is_shut(struct json_object *chardevs, const char *agent)
{
	size_t n = json_object_is_type(chardevs, json_type_array) ?
		   json_object_array_length(chardevs) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(chardevs, i), *open;

		if (leads_to(one, agent) && json_object_object_get_ex(one, "frontend-open", &open) &&
		    json_object_is_type(open, json_type_boolean))
			return !json_object_get_boolean(open);
	}
	return false;
}

static void on_chardevs(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct port *p = arg;

	end(p, !e && port_is_shut(value, p->agent));
}

static void on_event(void *arg, const char *name, struct json_object *data, uint64_t usec)
{
	(void)arg;
	(void)name;
	(void)data;
	(void)usec;
}

/* The question has failed before that, and it has ended. */
static void on_closed(void *arg, const struct ckpt_error *e)
{
	(void)arg;
	(void)e;
}

bool port_ask(sd_event *event, const struct vm_file *vm, port_fn fn, void *arg)
{
	static const struct qmp_handlers handlers = { on_event, on_closed };
	struct port *p = calloc(1, sizeof(*p));
	int monitor = reach(vm->qmp);

	if (!p)
		abort();
	*p = (struct port){ .fn = fn, .arg = arg, .agent = strdup(vm->agent) };
	if (!p->agent)
		abort();
	if (monitor >= 0)
		p->qmp = qmp_open(event, monitor, &handlers, p);
	if (p->qmp) {
		qmp_call(p->qmp, "query-chardev", NULL, -1, PORT_SECONDS, on_chardevs);
		return true;
	}
	free(p->agent);
	free(p);
	return false;
}
