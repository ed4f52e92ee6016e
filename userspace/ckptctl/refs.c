// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "refs.h"

static enum ckpt_result add(struct ckpt_store *s, struct refs *refs,
			    const struct ckpt_volume *v, const struct ckpt_checkpoint *cp)
{
	struct ckpt_part *grown;

	for (size_t i = 0; i < refs->count; i++)
		if (refs->ref[i].checkpoint == cp)
			return CKPT_DONE;
	grown = reallocarray(refs->ref, refs->count + 1, sizeof(*grown));
	if (!grown)
		return ckpt_dm_sentence(s->c, ENOMEM, "look the checkpoints up");
	refs->ref = grown;
	grown[refs->count++] = (struct ckpt_part){ v, cp };
	return CKPT_DONE;
}

/* All parts of the group called @name. */
static enum ckpt_result add_group(struct ckpt_store *s, struct refs *refs, const char *name)
{
	const struct ckpt_checkpoint *first = NULL;
	enum ckpt_result result = CKPT_DONE;

	for (size_t i = 0; !result && i < s->model.checkpoint_count; i++) {
		const struct ckpt_checkpoint *cp = &s->model.checkpoints[i];
		const struct ckpt_volume *v = ckpt_model_volume_of(&s->model, cp);

		if (!v || (strcmp(cp->name, name) && strcmp(cp->uuid, name)))
			continue;
		if (first && strcmp(first->uuid, cp->uuid))
			return ckpt_fail(&s->c->error, CKPT_USAGE,
					 "several checkpoints that were not taken together are called '%s'; write VOLUME@%s, or @UUID",
					 name, name);
		first = cp;
		result = add(s, refs, v, cp);
	}
	if (!result && !first)
		result = ckpt_fail(&s->c->error, CKPT_NOT_FOUND,
				   "store %s has no checkpoint '%s'; 'ckptctl checkpoint list' shows those it has",
				   s->dev->name, name);
	return result;
}

enum ckpt_result refs_parse(struct ckpt_store *s, char **arg, int count, struct refs *refs)
{
	const struct ckpt_checkpoint *cp;
	const struct ckpt_volume *v;
	enum ckpt_result result = CKPT_DONE;

	memset(refs, 0, sizeof(*refs));
	for (int i = 0; !result && i < count; i++) {
		if (arg[i][0] == '@' && arg[i][1] && !strchr(arg[i] + 1, '@')) {
			result = add_group(s, refs, arg[i] + 1);
			continue;
		}
		result = cli_checkpoint(s, arg[i], &v, &cp);
		if (!result)
			result = add(s, refs, v, cp);
	}
	return result;
}

enum ckpt_result refs_add_subtrees(struct ckpt_store *s, struct refs *refs)
{
	enum ckpt_result result = CKPT_DONE;
	size_t roots = refs->count;

	for (size_t i = 0; i < roots; i++)
		for (size_t j = 0; !result && j < s->model.checkpoint_count; j++) {
			const struct ckpt_checkpoint *cp = &s->model.checkpoints[j];
			const struct ckpt_part *root = &refs->ref[i];

			if (!strcmp(cp->volume, root->volume->uuid) &&
			    ckpt_model_sits_on(&s->model, cp->layer, root->checkpoint->layer))
				result = add(s, refs, root->volume, cp);
		}
	return result;
}

void refs_free(struct refs *refs)
{
	free(refs->ref);
	memset(refs, 0, sizeof(*refs));
}

void refs_names(const struct refs *refs, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < refs->count; i++) {
		size_t used = strlen(text);

		if (size - used < 2 * CKPT_NAME_BYTES + 8) {
			strcpy(text + used, ", ...");
			return;
		}
		sprintf(text + used, "%s%s@%s", i ? ", " : "", refs->ref[i].volume->name,
			refs->ref[i].checkpoint->name);
	}
}
