// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "durable.h"
#include "folders.h"
#include "vm_file.h"

static const char *const policies[] = {
	[VM_STANDARD] = "standard", [VM_PRODUCTION] = "production",
	[VM_PRODUCTION_ONLY] = "production-only", [VM_DISABLED] = "disabled",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum ckpt_result vm_check_name(const char *name, struct ckpt_error *e)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (!*name || strlen(name) >= VM_NAME_BYTES || name[strspn(name, allowed)] ||
	    *name == '.' || *name == '-')
		return ckpt_fail(e, CKPT_USAGE,
				 "a machine cannot be called '%.80s': 1 to %d of the letters a to z, digits, '.', '_' and '-', and neither '.' nor '-' first",
				 name, VM_NAME_BYTES - 1);
	return CKPT_DONE;
}

const char *vm_policy_name(enum vm_policy policy)
{
	return policy < COUNT_OF(policies) ? policies[policy] : NULL;
}

enum ckpt_result vm_policy_parse(const char *text, enum vm_policy *policy, struct ckpt_error *e)
{
	for (unsigned int i = 0; i < COUNT_OF(policies); i++)
		if (!strcmp(policies[i], text)) {
			*policy = (enum vm_policy)i;
			return CKPT_DONE;
		}
	return ckpt_fail(e, CKPT_USAGE,
			 "there is no policy '%.80s'; there are standard, production, production-only and disabled",
			 text);
}

void vm_file_folder(char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/vm", folder_config());
}

void vm_file_path(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/vm/%s.conf", folder_config(), name);
}

void vm_file_default(struct vm_file *f, const char *name)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->directory, sizeof(f->directory), "%s/vm/%s", folder_state(), name);
	snprintf(f->qmp, sizeof(f->qmp), "%s/%s.qmp", folder_run(), name);
	snprintf(f->agent, sizeof(f->agent), "%s/%s.agent", folder_run(), name);
	f->freeze_seconds = 30;
	strcpy(f->qemu, "qemu-system-x86_64");
}

static enum ckpt_result add_word(struct vm_words *words, const char *text, size_t length,
				 const char *key, size_t limit, struct ckpt_error *e)
{
	if (words->count >= limit)
		return ckpt_fail(e, CKPT_USAGE, "there are more than %zu of '%s'", limit, key);
	words->word[words->count] = strndup(text, length);
	if (!words->word[words->count])
		return ckpt_fail_errno(e, ENOMEM, "'%s' cannot be kept", key);
	words->count++;
	return CKPT_DONE;
}

/* Words end at blanks, unless these stand between quotation marks. */
static enum ckpt_result add_args(struct vm_words *words, const char *text, struct ckpt_error *e)
{
	char word[VM_FILE_MAX];
	enum ckpt_result result;

	for (;;) {
		bool is_quoted = false;
		size_t n = 0;

		text += strspn(text, " \t");
		if (!*text)
			return CKPT_DONE;
		for (; *text && (is_quoted || !strchr(" \t", *text)); text++) {
			if (*text == '"')
				is_quoted = !is_quoted;
			else if (n < sizeof(word) - 1)
				word[n++] = *text;
		}
		if (is_quoted)
			return ckpt_fail(e, CKPT_USAGE,
					 "a quotation mark in 'arg' has no other one that ends it");
		result = add_word(words, word, n, "arg", VM_WORDS_MAX, e);
		if (result)
			return result;
	}
}

static enum ckpt_result set_path(char *to, size_t size, const char *key, const char *value,
				 struct ckpt_error *e)
{
	if (*value != '/' || strlen(value) >= size)
		return ckpt_fail(e, CKPT_USAGE,
				 "'%s' wants a path that begins with '/' and has at most %zu bytes, not '%.80s'",
				 key, size - 1, value);
	strcpy(to, value);
	return CKPT_DONE;
}

static enum ckpt_result set_config(struct vm_file *f, const char *value, struct ckpt_error *e)
{
	char path[PATH_MAX];
	enum ckpt_result result = set_path(path, sizeof(path), "config", value, e);

	if (!result && path[strlen(path) - 1] == '/')
		result = ckpt_fail(e, CKPT_USAGE, "'config' wants a file, and '%.200s' is a folder",
				   path);
	return result ? result :
	       add_word(&f->config, value, strlen(value), "config", VM_DISKS_MAX, e);
}

static enum ckpt_result set_volume(struct vm_file *f, const char *value, struct ckpt_error *e)
{
	enum ckpt_result result = ckpt_check_name(value, "volume", e);

	for (size_t i = 0; !result && i < f->volumes.count; i++)
		if (!strcmp(f->volumes.word[i], value))
			result = ckpt_fail(e, CKPT_USAGE, "volume %s is there twice; name it once", value);
	return result ? result :
	       add_word(&f->volumes, value, strlen(value), "volume", VM_DISKS_MAX, e);
}

static enum ckpt_result set_store(struct vm_file *f, const char *value, struct ckpt_error *e)
{
	if (strlen(value) >= sizeof(f->store))
		return ckpt_fail(e, CKPT_USAGE, "'store' wants at most %zu bytes",
				 sizeof(f->store) - 1);
	strcpy(f->store, value);
	return CKPT_DONE;
}

static enum ckpt_result set_seconds(unsigned int *seconds, const char *key, const char *value,
				    struct ckpt_error *e)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long number = digits < 6 ? strtoul(value, NULL, 10) : 0;

	if (value[digits] || !number || number > VM_FREEZE_SECONDS_MAX)
		return ckpt_fail(e, CKPT_USAGE, "'%s' wants a number of seconds, 1 to %u, not '%.80s'",
				 key, VM_FREEZE_SECONDS_MAX, value);
	*seconds = (unsigned int)number;
	return CKPT_DONE;
}

enum ckpt_result vm_file_set(struct vm_file *f, const char *key, const char *value,
			     struct ckpt_error *e)
{
	for (const unsigned char *p = (const unsigned char *)value; *p; p++)
		if (*p < ' ' && *p != '\t')
			return ckpt_fail(e, CKPT_USAGE, "'%.80s' has a control character in its value",
					 key);
	if (!*value)
		return ckpt_fail(e, CKPT_USAGE, "'%.80s' has no value; leave it away instead", key);
	if (!strcmp(key, "store"))
		return set_store(f, value, e);
	if (!strcmp(key, "volume"))
		return set_volume(f, value, e);
	if (!strcmp(key, "policy"))
		return vm_policy_parse(value, &f->policy, e);
	if (!strcmp(key, "qmp"))
		return set_path(f->qmp, sizeof(f->qmp), key, value, e);
	if (!strcmp(key, "agent"))
		return set_path(f->agent, sizeof(f->agent), key, value, e);
	if (!strcmp(key, "freeze_seconds"))
		return set_seconds(&f->freeze_seconds, key, value, e);
	if (!strcmp(key, "directory"))
		return set_path(f->directory, sizeof(f->directory), key, value, e);
	if (!strcmp(key, "config"))
		return set_config(f, value, e);
	if (!strcmp(key, "arg"))
		return add_args(&f->args, value, e);
	if (!strcmp(key, "qemu") && strlen(value) < sizeof(f->qemu)) {
		strcpy(f->qemu, value);
		return CKPT_DONE;
	}
	return ckpt_fail(e, CKPT_USAGE,
			 "there is no '%.80s'; there are store, volume, policy, qmp, agent, freeze_seconds, directory, config, qemu and arg",
			 key);
}

/* What is libvirt's has one client, and that is libvirt. */
static bool is_libvirts(const char *path)
{
	static const char *const folders[] = {
		"/var/lib/libvirt/", "/run/libvirt/", "/var/run/libvirt/",
	};

	for (unsigned int i = 0; i < COUNT_OF(folders); i++)
		if (!strncmp(path, folders[i], strlen(folders[i])))
			return true;
	return false;
}

enum ckpt_result vm_file_check(const struct vm_file *f, struct ckpt_error *e)
{
	enum ckpt_result result = vm_check_name(f->name, e);

	if (result)
		return result;
	if (!f->volumes.count)
		return ckpt_fail(e, CKPT_USAGE, "machine %s has no volume; 'volume = NAME' names one",
				 f->name);
	if (is_libvirts(f->qmp))
		return ckpt_fail(e, CKPT_USAGE,
				 "%s is libvirt's own monitor, which takes no second client; give the machine another one ('-qmp unix:...' in its <qemu:commandline>) and name that as 'qmp'",
				 f->qmp);
	return CKPT_DONE;
}

/* The line without the blanks around it. */
static char *strip(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static enum ckpt_result parse_line(struct vm_file *f, char *line, struct ckpt_error *e)
{
	char *key = strip(line), *value;

	if (!*key || *key == '#')
		return CKPT_DONE;
	value = strchr(key, '=');
	if (!value)
		return ckpt_fail(e, CKPT_USAGE, "'%.80s' is no 'key = value'", key);
	*value++ = '\0';
	return vm_file_set(f, strip(key), strip(value), e);
}

enum ckpt_result vm_file_parse(struct vm_file *f, const char *name, const char *path,
			       const char *text, size_t length, struct ckpt_error *e)
{
	enum ckpt_result result = CKPT_DONE;
	char *copy, *next;
	unsigned int number = 1;

	vm_file_default(f, name);
	if (length > VM_FILE_MAX || memchr(text, '\0', length))
		return ckpt_fail(e, CKPT_USAGE,
				 "%s is no description of a machine: it has a NUL, or more than %u bytes",
				 path, VM_FILE_MAX);
	copy = strndup(text, length);
	if (!copy)
		return ckpt_fail_errno(e, ENOMEM, "%s cannot be read", path);
	for (char *line = copy; line; line = next, number++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		result = parse_line(f, line, e);
		if (result)
			break;
	}
	free(copy);
	if (result)
		return ckpt_fail(e, result, "%.300s, line %u: %.600s", path, number, e->text);
	result = vm_file_check(f, e);
	return result ? ckpt_fail(e, result, "%.300s: %.600s", path, e->text) : CKPT_DONE;
}

enum ckpt_result vm_file_read(struct vm_file *f, const char *name, struct ckpt_error *e)
{
	enum ckpt_result result;
	char path[PATH_MAX];
	size_t length;
	char *text;

	memset(f, 0, sizeof(*f));
	result = vm_check_name(name, e);
	if (result)
		return result;
	vm_file_path(name, path);
	result = durable_read(path, VM_FILE_MAX, &text, &length, e);
	if (result)
		return result;
	result = vm_file_parse(f, name, path, text, length, e);
	free(text);
	return result;
}

static void put_words(FILE *to, const char *key, const struct vm_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		fprintf(to, "%s = %s\n", key, words->word[i]);
}

/* One line for each word would be as good, but an option and its value belong together. */
static void put_args(FILE *to, const struct vm_words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->word[i];
		bool begins = !i || *word == '-';

		if (begins)
			fprintf(to, "%sarg =", i ? "\n" : "");
		fprintf(to, *word && !strpbrk(word, " \t") ? " %s" : " \"%s\"", word);
	}
	if (words->count)
		fputc('\n', to);
}

enum ckpt_result vm_file_write(const struct vm_file *f, struct ckpt_error *e)
{
	char folder[PATH_MAX], path[PATH_MAX], *text = NULL;
	enum ckpt_result result = vm_file_check(f, e);
	size_t size;
	FILE *to;

	if (result)
		return result;
	to = open_memstream(&text, &size);
	if (!to)
		return ckpt_fail_errno(e, ENOMEM, "the description of %s cannot be written", f->name);
	if (*f->store)
		fprintf(to, "store = %s\n", f->store);
	put_words(to, "volume", &f->volumes);
	fprintf(to, "policy = %s\nqmp = %s\nagent = %s\nfreeze_seconds = %u\ndirectory = %s\n",
		vm_policy_name(f->policy), f->qmp, f->agent, f->freeze_seconds, f->directory);
	put_words(to, "config", &f->config);
	fprintf(to, "qemu = %s\n", f->qemu);
	put_args(to, &f->args);
	if (fclose(to)) {
		free(text);
		return ckpt_fail_errno(e, ENOMEM, "the description of %s cannot be written", f->name);
	}
	vm_file_folder(folder);
	vm_file_path(f->name, path);
	result = durable_folder(folder, 0755, e);
	if (!result)
		result = durable_write(path, text, size, 0644, true, e);
	free(text);
	return result == CKPT_BUSY ?
	       ckpt_fail(e, CKPT_BUSY, "there is a machine called %s already", f->name) : result;
}

enum ckpt_result vm_file_remove(const char *name, struct ckpt_error *e)
{
	char path[PATH_MAX];

	vm_file_path(name, path);
	return durable_unlink(path, e);
}

static void free_words(struct vm_words *words)
{
	while (words->count)
		free(words->word[--words->count]);
}

void vm_file_free(struct vm_file *f)
{
	free_words(&f->volumes);
	free_words(&f->config);
	free_words(&f->args);
}
