/* SPDX-License-Identifier: GPL-2.0-only */
/* The parameters of a request: which there may be, and of which type. */
#ifndef CKPTD_PARAMS_H
#define CKPTD_PARAMS_H

#include "server.h"

struct param {
	const char *name;		/* NULL ends a list */
	const char **text;		/* one of these two */
	bool *flag;
	bool is_needed;
};

/*
 * Texts stay the request's; what is not given is left as it was.  CKPT_USAGE if one is
 * missing, of another type, or not in the list.
 */
enum ckpt_result params_get(const struct request *r, const struct param *list,
			    struct ckpt_error *e);

#endif
