/* SPDX-License-Identifier: GPL-2.0-only */
/* Asking ckptd. */
#ifndef CKPTCTL_VM_CLIENT_H
#define CKPTCTL_VM_CLIENT_H

#include <json-c/json.h>

#include "cli.h"

/*
 * Call a method of dm-ckpt.vm and wait for the answer, an object that becomes the
 * caller's (*@answer may be NULL).  @parameters are taken over.  @progress (may be NULL)
 * is called for what ckptd tells meanwhile.  CKPT_NO_DAEMON if nobody is there; what ckptd
 * refuses has ckptd's own sentence.
 */
enum ckpt_result vm_call(struct cli *cli, const char *method, struct json_object *parameters,
			 void (*progress)(void *arg, struct json_object *now), void *arg,
			 struct json_object **answer);

/* Members of an answer: "", 0 or false if they are not there, or of another type. */
const char *vm_text(struct json_object *object, const char *key);
uint64_t vm_number(struct json_object *object, const char *key);
bool vm_flag(struct json_object *object, const char *key);
/* Never NULL; an empty one if it is not there. */
size_t vm_array(struct json_object *object, const char *key, struct json_object **array);

#endif
