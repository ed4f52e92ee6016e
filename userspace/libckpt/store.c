// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "store.h"
#include "words.h"

enum ckpt_result ckpt_dm_sentence(struct ckpt *c, int err, const char *what)
{
	const char *why;

	err = abs(err);
	switch (err) {
	case ENOSPC:
		why = "the store has no space left; delete checkpoints or let it grow with 'ckptctl store grow'";
		break;
	case EROFS:
		why = "the store is read-only, by option or after an error; the kernel's log (dmesg) says why";
		break;
	case EBUSY:
		why = "it is in use; the kernel's log (dmesg) says by what";
		break;
	case EEXIST:
		why = "there is one of that name already";
		break;
	case ENOENT:
		why = "the store does not know it (any more)";
		break;
	case EPERM:
	case EACCES:
		why = "the kernel does not permit it; root may do it";
		break;
	case ETIMEDOUT:
		why = "I/O did not come to an end in time; nothing was changed, try again when there is less of it";
		break;
	case EIO:
		why = "a device failed to read or to write; the kernel's log (dmesg) says which";
		break;
	case EBADMSG:
	case EILSEQ:
	case EUCLEAN:
		why = "something on the disk is damaged; the kernel's log (dmesg) says what and where";
		break;
	case EINTR:
		why = "it was interrupted; nothing was changed";
		break;
	case EOPNOTSUPP:
		why = "this module cannot do that; a newer one may";
		break;
	case ENOMEM:
		why = "there is not enough memory";
		break;
	default:
		return ckpt_fail(&c->error, ckpt_result_of_errno(err),
				 "cannot %s: %s; the kernel's log (dmesg) says more",
				 what, strerror(err));
	}
	return ckpt_fail(&c->error, ckpt_result_of_errno(err), "cannot %s: %s", what, why);
}

const struct ckpt_dm_device *ckpt_store_next(const struct ckpt_dm_devices *devices, size_t *i)
{
	while (*i < devices->count) {
		const struct ckpt_dm_device *d = &devices->device[(*i)++];

		if (!strcmp(d->target, CKPT_TARGET_STORE))
			return d;
	}
	return NULL;
}

static bool devno_of_path(const char *path, struct ckpt_devno *devno)
{
	struct stat st;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	*devno = (struct ckpt_devno){ major(st.st_rdev), minor(st.st_rdev) };
	return true;
}

bool ckpt_store_below(const struct ckpt_dm_device *dev, struct ckpt_devno *below)
{
	char first[256];

	if (sscanf(dev->params, "%u:%u", &below->major, &below->minor) == 2)
		return true;
	return sscanf(dev->params, "%255s", first) == 1 && devno_of_path(first, below);
}

static bool same_devno(struct ckpt_devno a, struct ckpt_devno b)
{
	return a.major == b.major && a.minor == b.minor;
}

/* Is @name one of the ways to name this store? */
static bool is_called(const struct ckpt_dm_device *d, const char *name)
{
	static const char prefix[] = "CKPT-store-";
	struct ckpt_devno named, below;

	if (!strcmp(d->name, name))
		return true;
	if (!strncmp(d->uuid, prefix, strlen(prefix)) &&
	    !strcasecmp(d->uuid + strlen(prefix), name))
		return true;
	return strchr(name, '/') && devno_of_path(name, &named) &&
	       (same_devno(named, d->devno) ||
		(ckpt_store_below(d, &below) && same_devno(named, below)));
}

static enum ckpt_result which_store(struct ckpt *c, const struct ckpt_dm_devices *devices)
{
	const struct ckpt_dm_device *d;
	char names[512] = "";
	size_t i = 0;

	while ((d = ckpt_store_next(devices, &i)))
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 *names ? ", " : "", d->name);
	if (!*names)
		return ckpt_fail(&c->error, CKPT_NOT_FOUND,
				 "no store is open; 'ckptctl store open DEVICE' opens one");
	return ckpt_fail(&c->error, CKPT_USAGE,
			 "several stores are open; choose with --store or CKPT_STORE one of: %s",
			 names);
}

enum ckpt_result ckpt_store_find(struct ckpt *c, const char *name, struct ckpt_store *s)
{
	const struct ckpt_dm_device *d, *only = NULL;
	size_t i = 0, count = 0;
	int err;

	memset(s, 0, sizeof(*s));
	s->c = c;
	err = ckpt_dm_scan(&s->devices);
	if (err)
		return ckpt_dm_sentence(c, err, "list the devices");

	while ((d = ckpt_store_next(&s->devices, &i))) {
		if (name ? is_called(d, name) : true) {
			only = d;
			count++;
		}
	}
	if (name && !only)
		ckpt_fail(&c->error, CKPT_NOT_FOUND,
			  "no open store is called '%s'; 'ckptctl store list' shows which there are",
			  name);
	else if (count != 1 && !name)
		which_store(c, &s->devices);
	else if (!ckpt_store_below(only, &s->below))
		ckpt_fail(&c->error, CKPT_FAILED, "the table of store %s makes no sense here",
			  only->name);
	else {
		s->dev = only;
		return CKPT_DONE;
	}
	ckpt_store_free(s);
	return c->error.result;
}

enum ckpt_result ckpt_store_load_status(struct ckpt_store *s)
{
	enum ckpt_result result;
	char *line;
	int err;

	err = ckpt_dm_status(s->dev->name, &line);
	if (err)
		return ckpt_dm_sentence(s->c, err, "ask for the store's status");
	result = ckpt_parse_store_status(line, &s->status, &s->c->error);
	free(line);
	if (!result && !s->status.known)
		result = ckpt_fail(&s->c->error, CKPT_FAILED,
				   "store %s is not active yet; 'dmsetup resume %s' makes it so",
				   s->dev->name, s->dev->name);
	return result;
}

/* What is answered in pages. */
struct question {
	const char *message;
	const char *what;		/* completes "cannot ..." */
	enum ckpt_result (*page)(void *arg, const char *text, char **cursor);
	void *arg;
	ckpt_at_fn at;			/* the cursors are sectors; or NULL */
	void *at_arg;
};

/* @page sets the cursor of the next one. */
static enum ckpt_result ask_page(struct ckpt_store *s, const struct question *q,
				 const char *cursor, char **next)
{
	char *text, *answer = NULL;
	enum ckpt_result result;
	int err = -ENOMEM;

	if (asprintf(&text, "%s%s%s", q->message, cursor ? " " : "", cursor ? cursor : "") >= 0) {
		err = ckpt_dm_ask(s->dev->name, text, &answer);
		free(text);
	}
	result = err ? ckpt_dm_sentence(s->c, err, q->what) : q->page(q->arg, answer, next);
	free(answer);
	return result;
}

static enum ckpt_result ask_pages(struct ckpt_store *s, const struct question *q)
{
	enum ckpt_result result = CKPT_DONE;
	char *cursor = NULL, *next;
	uint64_t sector;

	do {
		next = NULL;
		result = ask_page(s, q, cursor, &next);
		/* A cursor that stands still would be asked for ever. */
		if (!result && next && cursor && !strcmp(next, cursor))
			result = ckpt_fail(&s->c->error, CKPT_FAILED,
					   "the kernel's answer to '%s' does not end", q->message);
		if (!result && next && q->at && ckpt_word_number(next, &sector))
			q->at(q->at_arg, sector);
		free(cursor);
		cursor = next;
	} while (!result && cursor);
	free(cursor);
	return result;
}

static enum ckpt_result model_page(void *arg, const char *text, char **cursor)
{
	struct ckpt_store *s = arg;

	return ckpt_model_page(&s->model, text, cursor, &s->c->error);
}

enum ckpt_result ckpt_store_load(struct ckpt_store *s)
{
	enum ckpt_result result = ckpt_store_load_status(s);

	if (result)
		return result;
	ckpt_model_free(&s->model);
	result = ask_pages(s, &(struct question){
		.message = "list", .what = "ask the store what it holds",
		.page = model_page, .arg = s,
	});
	ckpt_model_finish(&s->model);
	return result;
}

void ckpt_store_free(struct ckpt_store *s)
{
	ckpt_model_free(&s->model);
	ckpt_dm_devices_free(&s->devices);
	s->dev = NULL;
}

enum ckpt_result ckpt_store_tell(struct ckpt_store *s, const char *what, char **answer,
				 const char *format, ...)
{
	char *message;
	va_list args;
	int err;

	va_start(args, format);
	err = vasprintf(&message, format, args);
	va_end(args);
	if (err < 0)
		return ckpt_dm_sentence(s->c, ENOMEM, what);

	err = ckpt_dm_tell(s->c, s->dev->name, message, answer);
	free(message);
	/* The kernel answers in lines. */
	if (!err && answer)
		(*answer)[strcspn(*answer, "\n")] = '\0';
	return err ? ckpt_dm_sentence(s->c, err, what) : CKPT_DONE;
}

struct estimate_call {
	struct ckpt_store *s;
	struct ckpt_estimate *sum;
};

static enum ckpt_result estimate_page(void *arg, const char *text, char **cursor)
{
	struct estimate_call *call = arg;

	return ckpt_parse_estimate(text, call->sum, cursor, &call->s->c->error);
}

enum ckpt_result ckpt_store_estimate(struct ckpt_store *s, const char *volume,
				     const char *checkpoint, struct ckpt_estimate *estimate,
				     ckpt_at_fn at, void *arg)
{
	struct estimate_call call = { s, estimate };
	char message[2 * CKPT_UUID_LEN + 16];

	*estimate = (struct ckpt_estimate){ 0 };
	snprintf(message, sizeof(message), "estimate %s@%s", volume, checkpoint);
	return ask_pages(s, &(struct question){
		.message = message, .what = "tell what deleting would free",
		.page = estimate_page, .arg = &call, .at = at, .at_arg = arg,
	});
}

bool ckpt_store_feature(const struct ckpt_dm_device *dev, const char *name, uint64_t *value)
{
	char *copy = strdup(dev->params), *rest = copy;
	struct ckpt_words words = { 0 };
	bool found = false;

	/* In front are the device and the number of words. */
	if (copy)
		ckpt_next_line(&rest, &words);
	for (size_t i = 2; i < words.count && !found; i++)
		found = !strcmp(words.word[i], name) &&
			(!value || (i + 1 < words.count &&
				    ckpt_word_number(words.word[i + 1], value)));
	free(copy);
	return found;
}

struct diff_call {
	struct ckpt_store *s;
	ckpt_range_fn range;
	void *arg;
	uint64_t start, length;		/* sectors: what the next range may go on with */
};

static enum ckpt_result end_range(struct diff_call *call)
{
	uint64_t length = call->length;

	call->length = 0;
	return length ? call->range(call->arg, call->start, length) : CKPT_DONE;
}

static enum ckpt_result add_range(void *arg, uint64_t sector, uint64_t sectors)
{
	struct diff_call *call = arg;
	enum ckpt_result result = CKPT_DONE;

	if (call->start + call->length != sector) {
		result = end_range(call);
		call->start = sector;
	}
	call->length += sectors;
	return result;
}

static enum ckpt_result diff_page(void *arg, const char *text, char **cursor)
{
	struct diff_call *call = arg;

	return ckpt_parse_diff(text, add_range, call, cursor, &call->s->c->error);
}

enum ckpt_result ckpt_store_diff(struct ckpt_store *s, const char *volume,
				 const char *from, const char *to,
				 ckpt_range_fn range, ckpt_at_fn at, void *arg)
{
	struct diff_call call = { s, range, arg, 0, 0 };
	enum ckpt_result result, last;
	char *message;

	if (asprintf(&message, "diff %s %s %s", volume, from, to) < 0)
		return ckpt_dm_sentence(s->c, ENOMEM, "compare");
	result = ask_pages(s, &(struct question){
		.message = message, .what = "compare",
		.page = diff_page, .arg = &call, .at = at, .at_arg = arg,
	});
	free(message);
	last = end_range(&call);
	return result ? result : last;
}
