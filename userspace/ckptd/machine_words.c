// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's command line for a machine. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folders.h"
#include "machine.h"

struct words {
	char **word;
	size_t count;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *format, ...)
{
	va_list args;

	w->word = reallocarray(w->word, w->count + 2, sizeof(*w->word));
	if (!w->word)
		abort();
	va_start(args, format);
	if (vasprintf(&w->word[w->count], format, args) < 0)
		abort();
	va_end(args);
	w->word[++w->count] = NULL;
}

/* A comma within a value is written twice. */
static void escape(const char *path, char to[2 * PATH_MAX])
{
	for (; *path; path++) {
		if (*path == ',')
			*to++ = ',';
		*to++ = *path;
	}
	*to = '\0';
}

/*
 * What the guest has flushed is in the volume, and nothing of it in a cache of the host; a
 * full store pauses the guest in place of telling it of a broken disk.
 */
static void add_disk(struct words *w, size_t i, const char *path)
{
	char escaped[2 * PATH_MAX];

	escape(path, escaped);
	add(w, "-blockdev");
	add(w, "driver=host_device,node-name=disk%zu,filename=%s,cache.direct=on,aio=native,discard=unmap",
	    i, escaped);
	add(w, "-device");
	add(w, "virtio-blk-pci,drive=disk%zu,id=vdisk%zu,werror=stop,rerror=stop,bootindex=%zu", i,
	    i, i + 1);
}

static void add_socket(struct words *w, const char *option, const char *prefix, const char *path)
{
	char escaped[2 * PATH_MAX];

	escape(path, escaped);
	add(w, "%s", option);
	add(w, "%s%s,server=on,wait=off", prefix, escaped);
}

void machine_pid_file(const struct vm_file *f, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.pid", folder_run(), f->name);
}

char **machine_words(const struct vm_file *f, char path[VM_DISKS_MAX][PATH_MAX], bool incoming)
{
	char pid_file[PATH_MAX];
	struct words w = { 0 };

	machine_pid_file(f, pid_file);
	add(&w, "%s", f->qemu);
	add(&w, "-name");
	add(&w, "%s", f->name);
	add(&w, "-daemonize");
	add(&w, "-pidfile");
	add(&w, "%s", pid_file);
	add_socket(&w, "-qmp", "unix:", f->qmp);
	add(&w, "-device");
	add(&w, "virtio-serial-pci,id=ckpt-serial");
	add_socket(&w, "-chardev", "socket,id=ckpt-agent,path=", f->agent);
	add(&w, "-device");
	add(&w, "virtserialport,bus=ckpt-serial.0,chardev=ckpt-agent,name=org.qemu.guest_agent.0");
	add(&w, "-device");
	add(&w, "vmgenid,guid=auto,id=ckpt-generation");
	for (size_t i = 0; i < f->volumes.count; i++)
		add_disk(&w, i, path[i]);
	if (incoming) {
		add(&w, "-incoming");
		add(&w, "defer");
		add(&w, "-S");
		/*
		 * In the background stderr is /dev/null, but for one with a log: that is the
		 * pipe to us.  There has to be something to log, which is what only user
		 * emulation does.
		 */
		add(&w, "-d");
		add(&w, "strace");
		add(&w, "-D");
		add(&w, "/proc/self/fd/2");
	}
	for (size_t i = 0; i < f->args.count; i++)
		add(&w, "%s", f->args.word[i]);
	return w.word;
}

void machine_words_free(char **words)
{
	for (char **w = words; *w; w++)
		free(*w);
	free(words);
}
