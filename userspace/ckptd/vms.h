/* SPDX-License-Identifier: GPL-2.0-only */
/* Which machines there are: those that have a description. */
#ifndef CKPTD_VMS_H
#define CKPTD_VMS_H

/* In the order of their names. */
void vms_each(void (*fn)(const char *name, void *arg), void *arg);

#endif
