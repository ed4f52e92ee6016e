/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How things fail: one result, which is also the exit code of ckptctl, and one
 * sentence that says what is wrong and what would be right.
 */
#ifndef LIBCKPT_ERROR_H
#define LIBCKPT_ERROR_H

enum ckpt_result {
	CKPT_DONE	= 0,
	CKPT_FAILED	= 1,
	CKPT_USAGE	= 2,	/* what was asked for makes no sense */
	CKPT_NOT_FOUND	= 3,
	CKPT_BUSY	= 4,	/* in use, or exists already */
	CKPT_PERMISSION	= 5,
	CKPT_NO_DAEMON	= 6,
	CKPT_TIMEOUT	= 7,
	CKPT_INTEGRITY	= 8,	/* what stands on the disk is wrong */
};

struct ckpt_error {
	enum ckpt_result result;
	char text[1024];	/* one sentence, without a full stop or newline */
};

/* Record a failure and return @result.  The latest one wins. */
enum ckpt_result ckpt_fail(struct ckpt_error *e, enum ckpt_result result,
			   const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same for a system call's @err (positive errno): its result is derived,
 * and ": <text of the errno>" is added to the sentence.
 */
enum ckpt_result ckpt_fail_errno(struct ckpt_error *e, int err,
				 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum ckpt_result ckpt_result_of_errno(int err);

#endif
