// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "vm_file.h"
#include "vms.h"

static const char suffix[] = ".conf";

static int is_description(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > strlen(suffix) && *entry->d_name != '.' &&
	       !strcmp(entry->d_name + length - strlen(suffix), suffix);
}

void vms_each(void (*fn)(const char *name, void *arg), void *arg)
{
	struct dirent **entry;
	char folder[PATH_MAX];
	int count;

	vm_file_folder(folder);
	count = scandir(folder, &entry, is_description, alphasort);
	for (int i = 0; i < count; i++) {
		entry[i]->d_name[strlen(entry[i]->d_name) - strlen(suffix)] = '\0';
		fn(entry[i]->d_name, arg);
		free(entry[i]);
	}
	if (count >= 0)
		free(entry);
}
