/* SPDX-License-Identifier: GPL-2.0-only */
/* The tests of ckptctl and libckpt, by what they test. */
#ifndef CTL_TESTS_H
#define CTL_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

extern const struct CMUnitTest ctl_units_tests[];
extern const size_t ctl_units_count;
extern const struct CMUnitTest ctl_model_tests[];
extern const size_t ctl_model_count;
extern const struct CMUnitTest ctl_tree_tests[];
extern const size_t ctl_tree_count;
extern const struct CMUnitTest ctl_host_tests[];
extern const size_t ctl_host_count;
extern const struct CMUnitTest ctl_command_tests[];
extern const size_t ctl_command_count;
extern const struct CMUnitTest ctl_merge_tests[];
extern const size_t ctl_merge_count;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A store's list with all there can be: see ctl_model.c. */
extern const char ctl_list[];

#endif
