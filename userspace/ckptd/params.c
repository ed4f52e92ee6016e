// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "params.h"

static const struct param *find(const struct param *list, const char *name)
{
	for (; list->name; list++)
		if (!strcmp(list->name, name))
			return list;
	return NULL;
}

static enum ckpt_result set(const struct param *p, struct json_object *value,
			    struct ckpt_error *e)
{
	enum json_type wanted = p->text ? json_type_string : json_type_boolean;

	/* A text with a NUL would be cut off unseen. */
	if (!json_object_is_type(value, wanted) ||
	    (p->text && strlen(json_object_get_string(value)) !=
			(size_t)json_object_get_string_len(value)))
		return ckpt_fail(e, CKPT_USAGE, "parameter '%s' has to be %s", p->name,
				 p->text ? "a text" : "true or false");
	if (p->text)
		*p->text = json_object_get_string(value);
	else
		*p->flag = json_object_get_boolean(value);
	return CKPT_DONE;
}

enum ckpt_result params_get(const struct request *r, const struct param *list,
			    struct ckpt_error *e)
{
	struct json_object *parameters = request_parameters(r), *found;
	enum ckpt_result result = CKPT_DONE;

	json_object_object_foreach(parameters, key, value) {
		const struct param *p = find(list, key);

		if (!p)
			return ckpt_fail(e, CKPT_USAGE, "%.80s takes no parameter '%.80s'",
					 request_method(r), key);
		if (value)
			result = set(p, value, e);
		if (result)
			return result;
	}
	for (; list->name; list++)
		if (list->is_needed && (!json_object_object_get_ex(parameters, list->name, &found) ||
					!found))
			return ckpt_fail(e, CKPT_USAGE, "%.80s wants parameter '%s'",
					 request_method(r), list->name);
	return CKPT_DONE;
}
