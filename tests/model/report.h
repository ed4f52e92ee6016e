/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_REPORT_H
#define MODEL_REPORT_H

#include "model.h"

void op_print(const char *prefix, const struct op *op);
/* The last operations on this sector, of any volume. */
void sector_history(uint64_t sector);
/* What to type to run the same again. */
const char *command_line(void);

#endif
