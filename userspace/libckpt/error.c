// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

enum ckpt_result ckpt_fail(struct ckpt_error *e, enum ckpt_result result,
			   const char *format, ...)
{
	/* The former text may be among the arguments. */
	char text[sizeof(e->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	e->result = result;
	memcpy(e->text, text, sizeof(text));
	return result;
}

enum ckpt_result ckpt_result_of_errno(int err)
{
	switch (err) {
	case 0:
		return CKPT_FAILED;
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return CKPT_NOT_FOUND;
	case EBUSY:
	case EEXIST:
		return CKPT_BUSY;
	case EPERM:
	case EACCES:
		return CKPT_PERMISSION;
	case ETIMEDOUT:
	case ETIME:
		return CKPT_TIMEOUT;
	case EBADMSG:
	case EILSEQ:
	case EUCLEAN:
		return CKPT_INTEGRITY;
	default:
		return CKPT_FAILED;
	}
}

enum ckpt_result ckpt_fail_errno(struct ckpt_error *e, int err,
				 const char *format, ...)
{
	char text[sizeof(e->text) / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	return ckpt_fail(e, ckpt_result_of_errno(err), "%s: %s", text,
			 err ? strerror(err) : "no reason was given");
}
