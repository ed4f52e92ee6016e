/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where this host finds things: the kernel knows an origin by its content and
 * not by its path, so the path of each base is kept in a small file for each
 * store, CKPT_CONFDIR/<store uuid>.json (by default below /etc/dm-ckpt), and
 * with it the name that the store's device had last.
 *
 * The truth is on disk: without the file nothing is lost, paths just have to be
 * given again.
 */
#ifndef LIBCKPT_PATHS_H
#define LIBCKPT_PATHS_H

#include <limits.h>
#include <stddef.h>

#include "error.h"

/*
 * CKPT_NOT_FOUND (without a sentence worth showing) when nothing is known;
 * CKPT_FAILED when the file cannot be read.
 */
enum ckpt_result ckpt_paths_origin(const char *store, const char *base,
				   char path[PATH_MAX], struct ckpt_error *e);
enum ckpt_result ckpt_paths_name(const char *store, char *name, size_t size,
				 struct ckpt_error *e);

/* Written to a new file that then takes the old one's place. */
enum ckpt_result ckpt_paths_set_origin(const char *store, const char *base,
				       const char *path, struct ckpt_error *e);
enum ckpt_result ckpt_paths_set_name(const char *store, const char *name,
				     struct ckpt_error *e);

/* Forget the bases for which @exists says no. */
enum ckpt_result ckpt_paths_prune(const char *store,
				  int (*exists)(void *arg, const char *base), void *arg,
				  struct ckpt_error *e);

#endif
