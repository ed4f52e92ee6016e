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

/*
 * The answer to @message, page for page.  @page sets the cursor of the next
 * one.
 */
static enum ckpt_result ask_pages(struct ckpt_store *s, const char *message,
				  enum ckpt_result (*page)(void *arg, const char *text,
							   char **cursor),
				  void *arg)
{
	enum ckpt_result result = CKPT_DONE;
	char *cursor = NULL, *next = NULL, *text = NULL, *answer;
	int err;

	do {
		if (asprintf(&text, "%s%s%s", message, cursor ? " " : "",
			     cursor ? cursor : "") < 0) {
			err = -ENOMEM;
			text = NULL;
			answer = NULL;
		} else {
			err = ckpt_dm_ask(s->dev->name, text, &answer);
		}
		if (err)
			result = ckpt_dm_sentence(s->c, err, "ask the store what it holds");
		else
			result = page(arg, answer, &next);
		/* A cursor that stands still would be asked for ever. */
		if (!result && next && cursor && !strcmp(next, cursor))
			result = ckpt_fail(&s->c->error, CKPT_FAILED,
					   "the kernel's answer to '%s' does not end", message);
		free(answer);
		free(text);
		free(cursor);
		cursor = next;
		next = NULL;
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
	result = ask_pages(s, "list", model_page, s);
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

enum ckpt_result ckpt_store_estimate(struct ckpt_store *s, const char *volume,
				     const char *checkpoint, struct ckpt_estimate *estimate)
{
	char message[2 * CKPT_UUID_LEN + 16], *answer, *rest;
	struct ckpt_words words = { 0 };
	bool good;
	int err;

	snprintf(message, sizeof(message), "estimate %s@%s", volume, checkpoint);
	err = ckpt_dm_ask(s->dev->name, message, &answer);
	if (err)
		return ckpt_dm_sentence(s->c, err, "tell what deleting would free");
	rest = answer;
	good = ckpt_next_line(&rest, &words) && words.count >= 2 &&
	       ckpt_word_number(words.word[0], &estimate->freed) &&
	       ckpt_word_number(words.word[1], &estimate->copied);
	free(answer);
	return good ? CKPT_DONE :
	       ckpt_fail(&s->c->error, CKPT_FAILED,
			 "the kernel's answer to 'estimate' makes no sense here; are the module and ckptctl of the same release?");
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
};

static enum ckpt_result diff_page(void *arg, const char *text, char **cursor)
{
	struct diff_call *call = arg;

	return ckpt_parse_diff(text, call->range, call->arg, cursor, &call->s->c->error);
}

enum ckpt_result ckpt_store_diff(struct ckpt_store *s, const char *volume,
				 const char *from, const char *to,
				 ckpt_range_fn range, void *arg)
{
	struct diff_call call = { s, range, arg };
	enum ckpt_result result;
	char *message;

	if (asprintf(&message, "diff %s %s %s", volume, from, to) < 0)
		return ckpt_dm_sentence(s->c, ENOMEM, "compare");
	result = ask_pages(s, message, diff_page, &call);
	free(message);
	return result;
}
