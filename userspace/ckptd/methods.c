// SPDX-License-Identifier: GPL-2.0-only
/* Which methods there are. */
#include <string.h>

#include "operations.h"

static const struct {
	const char *name;
	void (*call)(struct request *r, struct daemon *daemon);
} methods[] = {
	{ "dm-ckpt.vm.Add", operation_add },
	{ "dm-ckpt.vm.Remove", operation_remove },
	{ "dm-ckpt.vm.List", operation_list },
	{ "dm-ckpt.vm.Show", operation_show },
	{ "dm-ckpt.vm.Start", operation_start },
	{ "dm-ckpt.vm.Stop", operation_stop },
	{ "dm-ckpt.vm.Progress", operation_progress },
	{ "dm-ckpt.vm.Cancel", operation_cancel },
	{ "dm-ckpt.vm.Checkpoint", operation_take },
	{ "dm-ckpt.vm.Tree", operation_tree },
	{ "dm-ckpt.vm.Apply", operation_apply },
	{ "dm-ckpt.vm.Delete", operation_delete },
	{ "dm-ckpt.vm.Rename", operation_rename },
};

void operation_any(struct request *r, void *daemon)
{
	struct ckpt_error e;

	for (unsigned int i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, request_method(r))) {
			methods[i].call(r, daemon);
			return;
		}
	ckpt_fail(&e, CKPT_USAGE, "ckptd has no method '%.80s'", request_method(r));
	request_failed(r, &e);
}
