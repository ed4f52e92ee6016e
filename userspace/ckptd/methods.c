// SPDX-License-Identifier: GPL-2.0-only
/* Which methods there are. */
#include <string.h>

#include "operations.h"
#include "rescue.h"

static const struct {
	const char *name;
	void (*call)(struct request *r, struct daemon *daemon);
	bool is_change;		/* nothing half-made is to be in its way */
} methods[] = {
	{ "dm-ckpt.vm.Add", operation_add, false },
	{ "dm-ckpt.vm.Remove", operation_remove, false },
	{ "dm-ckpt.vm.List", operation_list, false },
	{ "dm-ckpt.vm.Show", operation_show, false },
	{ "dm-ckpt.vm.Start", operation_start, true },
	{ "dm-ckpt.vm.Stop", operation_stop, false },
	{ "dm-ckpt.vm.Progress", operation_progress, false },
	{ "dm-ckpt.vm.Cancel", operation_cancel, false },
	{ "dm-ckpt.vm.Checkpoint", operation_take, true },
	{ "dm-ckpt.vm.Tree", operation_tree, false },
	{ "dm-ckpt.vm.Apply", operation_apply, true },
	{ "dm-ckpt.vm.Delete", operation_delete, true },
	{ "dm-ckpt.vm.Rename", operation_rename, true },
};

void operation_any(struct request *r, void *daemon)
{
	struct ckpt_error e;

	for (unsigned int i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, request_method(r))) {
			if (!methods[i].is_change || !rescue_first(r, daemon, methods[i].call))
				methods[i].call(r, daemon);
			return;
		}
	ckpt_fail(&e, CKPT_USAGE, "ckptd has no method '%.80s'", request_method(r));
	request_failed(r, &e);
}
