// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going back to a checkpoint.  Each step leads to the next:
 *
 *	the image is read through, the present state is saved	nothing has changed
 *	INTENT_GOING	QEMU is killed, and the disks go back in one transaction
 *	INTENT_BACK	another QEMU is started, and given the memory
 *	INTENT_LOADED	its guest runs
 *
 * Without memory it ends with the disks.  A daemon that is killed up to INTENT_GOING while the
 * machine still runs has changed nothing.  Later the next one does it once more from there:
 * disks that have gone back do so again, and a QEMU whose guest never ran is thrown away.  From
 * INTENT_LOADED on the guest may have run, and is only told to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "back.h"
#include "intent.h"
#include "machine.h"
#include "operations.h"
#include "params.h"
#include "points.h"
#include "port.h"
#include "qmp.h"
#include "recover.h"
#include "restore.h"
#include "take.h"

#define AGAIN_US	500000u
#define AGAIN_MAX	60u		/* times; for a QEMU that is just about to end */

struct back {
	struct job job;			/* first */
	struct disks disks;
	struct taking saving;		/* the present state; name NULL: that is lost */
	struct manifest m;		/* where to */
	struct intent intent;
	struct said said;		/* by the QEMU that is given the memory */
	struct restore *restore;
	struct guard *guard;		/* while the guest's clock is set */
	struct qmp *qmp;		/* while it is seen whose QEMU it is */
	char note[400];			/* what is not as usual, though it has gone back; or "" */
	sd_event_source *again;
	unsigned int tries;
	bool is_noted;			/* there is an intent on disk */
	bool has_ended, are_back;	/* the machine, its disks */
	bool is_late;			/* a killed daemon has begun it */
	struct ckpt_error why;		/* while a QEMU that was of no use is ended */
};

static void free_back(struct job *job)
{
	struct back *b = (struct back *)job;

	sd_event_source_disable_unref(b->again);
	guard_free(b->guard);
	qmp_free(b->qmp);
	said_end(&b->said);
	disks_close(&b->disks);
	free(b);
}

static enum ckpt_result disks_failed(struct back *b)
{
	b->job.error = b->disks.c.error;
	return b->job.error.result;
}

static bool has_memory(const struct back *b)
{
	return b->m.has_memory && !b->intent.disks_only;
}

static void image_path(const struct back *b, char path[PATH_MAX])
{
	manifest_path(b->job.vm.directory, b->m.id, MANIFEST_WHOLE, TAKE_IMAGE, path);
}

static struct json_object *answer(const struct back *b)
{
	struct json_object *object = json_object_new_object();
	const char *state = !has_memory(b) ? "off" : b->intent.paused ? "paused" : "running";

	json_object_object_add(object, "name", json_object_new_string(b->m.name));
	json_object_object_add(object, "kind", json_object_new_string(b->m.kind));
	json_object_object_add(object, "state", json_object_new_string(state));
	json_object_object_add(object, "note", *b->note ? json_object_new_string(b->note) : NULL);
	return object;
}

/* How the machine is left is part of what went wrong. */
static void say_state(struct back *b)
{
	struct ckpt_error why = b->job.error;

	if (b->are_back)
		ckpt_fail(&b->job.error, why.result,
			  "machine %s is off, and its disks have gone back to %s, but: %s",
			  b->job.vm.name, b->m.name, why.text);
	else if (b->has_ended)
		ckpt_fail(&b->job.error, why.result,
			  "machine %s is off, and its disks are as they were: %s",
			  b->job.vm.name, why.text);
}

static void end(struct back *b, enum ckpt_result result)
{
	struct ckpt_error e;

	b->job.cancel = NULL;
	if (result)
		say_state(b);
	if (b->is_noted && !(result && b->is_late && !b->are_back) &&
	    intent_clear(b->job.vm.directory, &e))
		fprintf(stderr, SD_WARNING "%s\n", e.text);
	if (b->is_late && result)
		fprintf(stderr, SD_WARNING "going back was not finished: %s\n", b->job.error.text);
	job_end(&b->job, result, result ? NULL : answer(b));
}

static enum ckpt_result note(struct back *b, enum intent_stage stage, enum point p)
{
	enum ckpt_result result;

	b->intent.stage = stage;
	result = intent_write(b->job.vm.directory, &b->intent, &b->job.error);
	b->is_noted |= !result;
	if (!result)
		point(p);
	return result;
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct back *b = arg;

	job_progress(&b->job, done, total);
}

static void cancel(struct job *job)
{
	struct back *b = (struct back *)job;

	restore_cancel(b->restore);
}

/* Something of restore.h's is at work, or @what could not be begun. */
static enum ckpt_result is_at(struct back *b, struct restore *restore, const char *what)
{
	b->restore = restore;
	b->job.cancel = restore ? cancel : NULL;
	if (restore)
		return CKPT_DONE;
	return ckpt_fail_errno(&b->job.error, errno, "the memory of machine %s cannot be %s",
			       b->job.vm.name, what);
}

/* ---- memory ---- */

static void on_failed_ended(struct job *job, enum ckpt_result result)
{
	struct back *b = (struct back *)job;
	const char *words = said_words(&b->said);

	if (result)
		fprintf(stderr, SD_WARNING "%s\n", job->error.text);
	job->error = b->why;
	if (*words)
		ckpt_fail(&job->error, b->why.result, "%.400s (%s)", b->why.text, words);
	end(b, b->why.result);
}

static enum ckpt_result on_loaded(void *arg, struct ckpt_error *e)
{
	struct back *b = arg;
	enum ckpt_result result = note(b, INTENT_LOADED, POINT_LOADED);

	b->job.cancel = NULL;
	*e = b->job.error;
	return result;
}

/* The guest runs, whatever the agent says to that. */
static void on_clock(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct back *b = arg;

	if (result)
		snprintf(b->note, sizeof(b->note), "the guest's clock stands where it stood: %.330s",
			 e->text);
	end(b, CKPT_DONE);
}

static void set_clock(struct back *b)
{
	static const struct guard_handlers handlers = { .ended = on_clock };
	struct ckpt_error e;

	b->guard = agent_set_time(b->job.daemon->event, b->job.vm.agent, &handlers, b);
	if (b->guard)
		return;
	on_clock(b, ckpt_fail_errno(&e, errno, "the process that asks the guest agent cannot be started"),
		 &e);
}

static void on_port(void *arg, bool is_shut)
{
	struct back *b = arg;
	struct ckpt_error e;

	if (!is_shut) {
		set_clock(b);
		return;
	}
	ckpt_fail(&e, CKPT_NOT_FOUND, PORT_NO_AGENT);
	on_clock(b, e.result, &e);
}

static void on_restored(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct back *b = arg;

	b->restore = NULL;
	b->job.cancel = NULL;
	if (result) {
		b->why = *e;
		machine_end(&b->job, MACHINE_KILL, on_failed_ended);
		return;
	}
	point(POINT_RESUMED);
	if (b->intent.paused)
		end(b, CKPT_DONE);
	else if (!port_ask(b->job.daemon->event, &b->job.vm, on_port, b))
		set_clock(b);
}

static void on_started(struct job *job, enum ckpt_result result)
{
	static const struct restore_ops ops = {
		.progress = progress, .loaded = on_loaded, .done = on_restored,
	};
	struct back *b = (struct back *)job;
	char path[PATH_MAX];
	int monitor = -1;

	if (!result) {
		point(POINT_WAITING);
		monitor = machine_monitor(&job->vm);
		if (monitor < 0)
			result = machine_unreachable(&job->vm, errno, &job->error);
	}
	if (!result) {
		image_path(b, path);
		result = is_at(b, restore_start(job->daemon->event, monitor, path,
						!b->intent.paused, &ops, b), "given back");
	}
	if (!result)
		return;
	b->why = job->error;
	machine_end(job, MACHINE_KILL, on_failed_ended);
}

/* ---- disks ---- */

static enum ckpt_result reopen(struct back *b)
{
	disks_close(&b->disks);
	return disks_open(&b->disks, &b->job.vm) ? disks_failed(b) : CKPT_DONE;
}

static void go_back(struct back *b)
{
	enum ckpt_result result = CKPT_DONE;

	if (disks_apply(&b->disks, &b->m))
		result = disks_failed(b);
	b->are_back = !result;
	if (!result)
		point(POINT_BACK);
	if (!result && has_memory(b))
		result = note(b, INTENT_BACK, POINT_RETURNED);
	if (result || !has_memory(b))
		end(b, result);
	else
		machine_start(&b->job, &b->disks, &b->said, on_started);
}

static void on_off(struct job *job, enum ckpt_result result);

static int on_again(sd_event_source *source, uint64_t usec, void *arg)
{
	struct back *b = arg;

	(void)source;
	(void)usec;
	b->again = sd_event_source_disable_unref(b->again);
	machine_end(&b->job, MACHINE_KILL, on_off);
	return 0;
}

/*
 * A QEMU that the killed daemon was just starting, or that ends as nobody feeds it any more,
 * may have the disks open for a moment.
 */
static bool waits(struct back *b)
{
	return b->is_late && b->tries++ < AGAIN_MAX &&
	       sd_event_add_time_relative(b->job.daemon->event, &b->again, CLOCK_MONOTONIC, AGAIN_US,
					  0, on_again, b) >= 0;
}

/* It is off, whether it ran before or not. */
static void on_off(struct job *job, enum ckpt_result result)
{
	struct back *b = (struct back *)job;

	b->has_ended = !result;
	if (!result)
		point(POINT_OFF);
	/* Who has the disks open has changed. */
	if (!result)
		result = reopen(b);
	if (!result && machine_is_off(&b->disks, &job->vm)) {
		if (waits(b))
			return;
		result = disks_failed(b);
	}
	if (result)
		end(b, result);
	else
		go_back(b);
}

/* ---- before that ---- */

/* What it holds is kept, or nobody wants it. */
static void on_saved(struct taking *t, enum ckpt_result result)
{
	struct back *b = (struct back *)t->job;

	if (!result)
		result = note(b, INTENT_GOING, POINT_MEANT);
	if (result)
		end(b, result);
	else
		machine_end(t->job, MACHINE_KILL, on_off);
}

static void on_greeted(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct back *b = arg;
	enum ckpt_result result = CKPT_DONE;

	/* It may just have ended by itself. */
	if (!value && machine_runs(&b->job.vm))
		result = ckpt_fail(&b->job.error, e->result,
				   "%s; nothing was changed", e->text);
	qmp_free(b->qmp);
	b->qmp = NULL;
	on_saved(&b->saving, result);
}

/* The command has failed before, which is the end of this client. */
static void on_monitor_closed(void *arg, const struct ckpt_error *e)
{
	(void)arg;
	(void)e;
}

/* A QEMU whose monitor another program holds is that program's: it is not ended. */
static enum ckpt_result ask_whose(struct back *b)
{
	static const struct qmp_handlers handlers = { .closed = on_monitor_closed };
	int monitor = machine_monitor(&b->job.vm);

	if (monitor >= 0)
		b->qmp = qmp_open(b->job.daemon->event, monitor, &handlers, b);
	if (!b->qmp)
		return machine_unreachable(&b->job.vm, errno, &b->job.error);
	qmp_call(b->qmp, "query-status", NULL, -1, RESTORE_ANSWER_SECONDS, on_greeted);
	return CKPT_DONE;
}

static void save(struct back *b)
{
	enum ckpt_result result = reopen(b);

	if (!result && b->saving.name) {
		take_start(&b->saving);
		return;
	}
	if (!result && machine_runs(&b->job.vm)) {
		result = ask_whose(b);
		if (!result)
			return;
	}
	on_saved(&b->saving, result);
}

static void on_verified(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct back *b = arg;

	b->restore = NULL;
	b->job.cancel = NULL;
	if (!result) {
		save(b);
		return;
	}
	ckpt_fail(&b->job.error, result,
		  "%s; nothing was changed ('--disks-only' goes back without it)", e->text);
	end(b, result);
}

static enum ckpt_result find(struct back *b, const char *name)
{
	struct ckpt_error *e = &b->job.error;
	const struct manifest *m;
	struct manifests list;
	enum ckpt_result result = manifest_list(b->job.vm.directory, &list, e);

	if (result)
		return result;
	m = manifest_find(&list, name);
	if (m)
		b->m = *m;
	else
		result = ckpt_fail(e, CKPT_NOT_FOUND,
				   "machine %s has no checkpoint '%.112s'; 'ckptctl vm tree %s' shows those it has",
				   b->job.vm.name, name, b->job.vm.name);
	manifest_list_free(&list);
	if (!result && !disks_has(&b->disks, &b->m))
		result = ckpt_fail(e, CKPT_NOT_FOUND,
				   "checkpoint %s has lost disks in the store; it cannot be gone back to",
				   b->m.name);
	return result;
}

/* Whatever would make it fail half way, as far as that can be told. */
static enum ckpt_result may_go(struct back *b)
{
	struct ckpt_error *e = &b->job.error;

	strcpy(b->intent.checkpoint, b->m.id);
	if (b->intent.paused && !has_memory(b))
		return ckpt_fail(e, CKPT_USAGE,
				 "without memory machine %s is off when it has gone back: there is nothing to be paused",
				 b->job.vm.name);
	if (has_memory(b) && !b->job.vm.args.count)
		return ckpt_fail(e, CKPT_USAGE,
				 "how machine %s is started is not known: its description has no 'arg'; '--disks-only' goes back without its memory",
				 b->job.vm.name);
	b->intent.paused |= b->m.is_paused;
	return b->saving.name ? take_may(&b->saving) : CKPT_DONE;
}

static enum ckpt_result verify(struct back *b)
{
	static const struct restore_ops ops = { .progress = progress, .done = on_verified };
	char path[PATH_MAX];

	image_path(b, path);
	return is_at(b, restore_verify(b->job.daemon->event, path, &ops, b), "looked at");
}

static struct back *new_back(void)
{
	struct back *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->job.what = "apply";
	b->job.free = free_back;
	b->saving.job = &b->job;
	b->saving.disks = &b->disks;
	b->saving.done = on_saved;
	return b;
}

static enum ckpt_result open_disks(struct back *b)
{
	if (disks_open(&b->disks, &b->job.vm))
		return disks_failed(b);
	return recover_checkpoints(&b->disks, &b->job.vm, &b->job.error);
}

void operation_apply(struct request *r, struct daemon *daemon)
{
	const char *vm, *checkpoint;
	struct back *b = new_back();
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true },
		{ .name = "checkpoint", .text = &checkpoint, .is_needed = true },
		{ .name = "save_current", .text = &b->saving.name },
		{ .name = "disks_only", .flag = &b->intent.disks_only },
		{ .name = "paused", .flag = &b->intent.paused }, { 0 },
	};
	enum ckpt_result result;
	struct ckpt_error e;

	if (params_get(r, list, &e) || job_begin(&b->job, daemon, vm, r, &e)) {
		request_failed(r, &e);
		free(b);
		return;
	}
	result = open_disks(b);
	if (!result)
		result = find(b, checkpoint);
	if (!result)
		result = may_go(b);
	if (!result && has_memory(b))
		result = verify(b);
	else if (!result)
		save(b);
	if (result)
		end(b, result);
}

/* ---- what a killed daemon was at ---- */

/* Whatever became of it: the guest may have run, and nothing is taken from it. */
static void on_resumed(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct back *b = arg;

	b->restore = NULL;
	b->job.error = *e;
	end(b, result);
}

/* Only told to run, which does no harm if it does. */
static void resume(struct back *b)
{
	static const struct restore_ops ops = { .done = on_resumed };
	enum ckpt_result result = CKPT_DONE;
	int monitor = -1;

	if (!b->intent.paused) {
		monitor = machine_monitor(&b->job.vm);
		if (monitor < 0)
			result = machine_unreachable(&b->job.vm, errno, &b->job.error);
		else
			result = is_at(b, restore_resume(b->job.daemon->event, monitor, &ops, b),
				       "given back");
		b->job.cancel = NULL;
	}
	if (result || b->intent.paused)
		end(b, result);
}

/* It is not to be gone on with, at no later start either. */
static void give_up(struct back *b, enum ckpt_result result)
{
	struct ckpt_error e;

	if (intent_clear(b->job.vm.directory, &e))
		fprintf(stderr, SD_WARNING "%s\n", e.text);
	b->is_noted = false;
	end(b, result);
}

static void once_more(struct back *b)
{
	enum ckpt_result result = open_disks(b);

	if (result)
		end(b, result);
	else if (find(b, b->intent.checkpoint))
		give_up(b, b->job.error.result);
	else
		machine_end(&b->job, MACHINE_KILL, on_off);
}

static void finish(struct back *b)
{
	bool runs = machine_runs(&b->job.vm);

	if (b->intent.stage == INTENT_GOING && runs)
		give_up(b, ckpt_fail(&b->job.error, CKPT_FAILED,
				     "machine %s runs as before, and nothing was changed",
				     b->job.vm.name));
	else if (b->intent.stage == INTENT_LOADED && runs)
		resume(b);
	else if (b->intent.stage == INTENT_LOADED)
		give_up(b, CKPT_DONE);
	else
		once_more(b);
}

void back_finish(struct daemon *daemon, const char *name)
{
	struct ckpt_error e = { 0 };
	struct back *b = new_back();

	if (job_begin(&b->job, daemon, name, NULL, &e)) {
		free(b);
		return;
	}
	if (!intent_read(b->job.vm.directory, &b->intent, &e)) {
		b->is_noted = b->is_late = true;
		finish(b);
		return;
	}
	if (e.result != CKPT_NOT_FOUND)
		fprintf(stderr, SD_WARNING "machine %s: %s\n", name, e.text);
	job_end(&b->job, CKPT_DONE, NULL);
}
