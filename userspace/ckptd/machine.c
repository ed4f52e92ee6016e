// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "libckpt/device.h"
#include "machine.h"
#include "qmp.h"
#include "reach.h"

int machine_monitor(const struct vm_file *f)
{
	return reach(f->qmp);
}

enum ckpt_result machine_unreachable(const struct vm_file *f, int err, struct ckpt_error *e)
{
	if (err == EAGAIN)
		return ckpt_fail(e, CKPT_BUSY, "QEMU's monitor takes nobody else: " QMP_OWNED);
	return ckpt_fail_errno(e, err, "the monitor of machine %s cannot be reached", f->name);
}

bool machine_runs(const struct vm_file *f)
{
	int fd = machine_monitor(f);
	/* Others may wait there already; and what cannot be told is not "off". */
	bool runs = fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED);

	if (fd >= 0)
		close(fd);
	return runs;
}

enum ckpt_result machine_is_off(struct disks *d, const struct vm_file *f)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct ckpt_dm_device *device = ckpt_volume_device(&d->s, d->volume[i]);

		if (device && device->open_count)
			return ckpt_fail(&d->c.error, CKPT_BUSY,
					 "machine %s does not answer at %s, but its disk %s is open: is that its monitor?",
					 f->name, f->qmp, device->name);
	}
	return CKPT_DONE;
}
