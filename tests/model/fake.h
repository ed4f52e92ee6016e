/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the two halves of the emulation: devices (fake.c) and the store
 * (fake-store.c).
 */
#ifndef MODEL_FAKE_H
#define MODEL_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MAX_ARGS	40

/* Files in the folder. */
char *fake_path(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define PATH(...)	fake_path((char[512]){ 0 }, 512, __VA_ARGS__)

bool fake_exists(const char *path);
/* A sparse copy, as long as the original or @size bytes. */
int fake_copy(const char *from, const char *to, off_t size);

/* Messages, with the gate closed. */
int fake_command(char **arg, unsigned int n);
char *fake_list(void);

/* Devices: is there one on this file?  Files and volumes that got another name. */
bool fake_active(const char *file);
void fake_moved(const char *from, const char *to);
void fake_renamed(const char *from, const char *to);
unsigned int fake_split(char *s, char **arg);

/* No I/O between them. */
void fake_close_gate(void);
void fake_open_gate(void);

/* Shall this fault happen now? */
bool fake_inject(const char *what);
extern char fake_leak[256];	/* the newest checkpoint */

#endif
