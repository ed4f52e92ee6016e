// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "repair_plan.h"

void repair_say(const struct repair_plan *plan, const char *format, ...)
{
	char text[1400];
	va_list args;

	if (!plan->repair->report)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	plan->repair->report(plan->repair->arg, text);
}

static enum ckpt_result no_memory(struct repair_plan *plan)
{
	return ckpt_fail(plan->e, CKPT_FAILED, "there is not enough memory");
}

static const char *call(const struct repair_plan *plan, const struct ckpt_item *item, char *text,
			size_t bytes)
{
	const struct ckpt_item *volume = ckpt_image_item(plan->image, item->volume);

	if (item->type != CKPT_RECORD_CHECKPOINT)
		snprintf(text, bytes, "volume %s", item->name);
	else if (volume && volume->type == CKPT_RECORD_VOLUME)
		snprintf(text, bytes, "checkpoint %s@%s", volume->name, item->name);
	else
		snprintf(text, bytes, "checkpoint %s of a volume that is lost", item->name);
	return text;
}

/* ---- what can be read ---- */

/* The ranges of an item that cannot be known, told of if they become zeros. */
static enum ckpt_result look_through(struct repair_plan *plan, const struct ckpt_item *item,
				     const char *name, uint64_t *lost)
{
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_extent_at x;

	*lost = 0;
	for (uint64_t sector = 0; sector < item->sectors && !result; sector += x.sectors) {
		result = ckpt_image_extent(plan->image, item, sector, &x, plan->e);
		if (result != CKPT_INTEGRITY)
			continue;
		*lost += x.sectors;
		if (!plan->repair->partial)
			break;
		repair_say(plan, "%s: sectors %" PRIu64 " to %" PRIu64 " are lost: %s", name, sector,
			   sector + x.sectors - 1, plan->e->text);
		result = CKPT_DONE;
	}
	return result;
}

/* Is an item of its chain in it twice?  That cannot be saved, in part or as a whole. */
static bool is_ring(const struct ckpt_image *image, const struct ckpt_item *item)
{
	for (uint32_t steps = 0; item; steps++) {
		if (steps > image->item_count)
			return true;
		item = item->type == CKPT_RECORD_BASE ? NULL : ckpt_image_item(image, item->below);
	}
	return false;
}

static struct ckpt_item *keep(struct repair_plan *plan, const struct ckpt_item *item)
{
	struct ckpt_item **kept = &plan->items[item->number];

	if (!*kept)
		*kept = malloc(sizeof(**kept));
	if (*kept)
		**kept = *item;
	return *kept;
}

/* The item, and what it sits on.  What is below a part that is lost becomes zeros. */
static enum ckpt_result keep_chain(struct repair_plan *plan, const struct ckpt_item *item)
{
	while (item && !plan->items[item->number]) {
		const struct ckpt_item *below = ckpt_image_item(plan->image, item->below);
		struct ckpt_item *kept = keep(plan, item);

		if (!kept)
			return no_memory(plan);
		if (item->type == CKPT_RECORD_BASE)
			break;
		if (!ckpt_item_is_layer_or_base(below)) {
			kept->below = 0;
			break;
		}
		item = below;
	}
	return CKPT_DONE;
}

static enum ckpt_result try_item(struct repair_plan *plan, const struct ckpt_item *item)
{
	char name[300];
	enum ckpt_result result = CKPT_DONE;
	uint64_t lost = 0;

	call(plan, item, name, sizeof(name));
	if (!ckpt_item_is_layer_or_base(ckpt_image_item(plan->image, item->below))) {
		ckpt_fail(plan->e, CKPT_INTEGRITY, "record %u, which has it, is lost", item->below);
		result = CKPT_INTEGRITY;
	} else if (is_ring(plan->image, item)) {
		ckpt_fail(plan->e, CKPT_INTEGRITY, "its layers sit on one another in a ring");
		result = CKPT_INTEGRITY;
	} else {
		result = look_through(plan, item, name, &lost);
	}
	if (result && result != CKPT_INTEGRITY)
		return result;
	if (result) {
		plan->repair->lost++;
		repair_say(plan, "not saved: %s: %s", name, plan->e->text);
		return CKPT_DONE;
	}
	plan->repair->saved++;
	plan->repair->partly += lost != 0;
	repair_say(plan, lost ? "saved in part: %s" : "saved: %s", name);
	return keep_chain(plan, item);
}

/* ---- how it hangs together ---- */

/* A free number for an item that is made now; 0: there is none, or no memory. */
static struct ckpt_item *make(struct repair_plan *plan, enum ckpt_record_type type)
{
	struct ckpt_item *item = NULL;
	uint32_t number = 1;

	while (number < plan->count && plan->is_taken[number])
		number++;
	if (number < plan->count && number < CKPT_RECORD_MAX)
		item = calloc(1, sizeof(*item));
	if (!item || getrandom(item->uuid, sizeof(item->uuid), 0) != sizeof(item->uuid)) {
		free(item);
		ckpt_fail(plan->e, CKPT_FAILED, "there is no room for another record");
		return NULL;
	}
	item->type = type;
	item->number = number;
	item->created = (uint64_t)time(NULL);
	plan->items[number] = item;
	plan->is_taken[number] = true;
	return item;
}

/* An empty head on top of what a volume shall be. */
static enum ckpt_result give_head(struct repair_plan *plan, struct ckpt_item *volume,
				  uint32_t below)
{
	struct ckpt_item *head = make(plan, CKPT_RECORD_LAYER);
	__le32 tag;

	if (!head)
		return plan->e->result;
	memcpy(&tag, volume->uuid, sizeof(tag));
	head->sectors = plan->items[below]->sectors;
	head->volume = le32_to_cpu(tag);
	head->below = below;
	volume->below = head->number;
	volume->sectors = head->sectors;
	return CKPT_DONE;
}

/* The latest of a volume's checkpoints that are kept. */
static const struct ckpt_item *latest(const struct repair_plan *plan, uint32_t volume)
{
	const struct ckpt_item *best = NULL;

	for (uint32_t i = 0; i < plan->count; i++) {
		const struct ckpt_item *item = plan->items[i];

		if (item && item->type == CKPT_RECORD_CHECKPOINT && item->volume == volume &&
		    (!best || item->created > best->created))
			best = item;
	}
	return best;
}

/* A checkpoint has a volume: that which is lost becomes what it was then. */
static enum ckpt_result revive(struct repair_plan *plan, uint32_t number)
{
	const struct ckpt_item *old = ckpt_image_item(plan->image, number);
	const struct ckpt_item *checkpoint = latest(plan, number);
	struct ckpt_item *volume;

	if (old && old->type == CKPT_RECORD_VOLUME) {
		volume = keep(plan, old);
	} else {
		volume = make(plan, CKPT_RECORD_VOLUME);
		if (volume)
			snprintf(volume->name, sizeof(volume->name), "lost-%u", number);
	}
	if (!volume)
		return no_memory(plan);
	repair_say(plan, "volume %s is what its checkpoint %s was", volume->name, checkpoint->name);
	for (uint32_t i = 0; i < plan->count; i++)
		if (plan->items[i] && plan->items[i]->type == CKPT_RECORD_CHECKPOINT &&
		    plan->items[i]->volume == number)
			plan->items[i]->volume = volume->number;
	return give_head(plan, volume, checkpoint->below);
}

static enum ckpt_result revive_volumes(struct repair_plan *plan)
{
	enum ckpt_result result = CKPT_DONE;

	for (uint32_t i = 0; i < plan->count && !result; i++) {
		const struct ckpt_item *item = plan->items[i], *volume;

		if (!item || item->type != CKPT_RECORD_CHECKPOINT)
			continue;
		volume = item->volume < plan->count ? plan->items[item->volume] : NULL;
		if (!volume || volume->type != CKPT_RECORD_VOLUME)
			result = revive(plan, item->volume);
	}
	return result;
}

/* How often a layer or base is sat on or named, and by how many volumes. */
struct use {
	uint32_t others, volumes;
};

static void count_uses(const struct repair_plan *plan, struct use *uses)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct ckpt_item *item = plan->items[i];

		if (!item || !item->below || item->type == CKPT_RECORD_BASE)
			continue;
		if (item->type == CKPT_RECORD_VOLUME)
			uses[item->below].volumes++;
		else
			uses[item->below].others++;
	}
}

/* A volume's head is its alone; all that others need is frozen. */
static enum ckpt_result separate_heads(struct repair_plan *plan, const struct use *uses)
{
	enum ckpt_result result = CKPT_DONE;

	for (uint32_t i = 0; i < plan->count && !result; i++) {
		struct ckpt_item *item = plan->items[i], *top;

		if (!item || item->type != CKPT_RECORD_VOLUME)
			continue;
		top = plan->items[item->below];
		if (top->type == CKPT_RECORD_LAYER &&
		    (uses[top->number].others || uses[top->number].volumes > 1))
			top->flags |= CKPT_LAYER_FROZEN;
		if (top->type == CKPT_RECORD_LAYER ? top->flags & CKPT_LAYER_FROZEN :
		    uses[top->number].others || uses[top->number].volumes > 1)
			result = give_head(plan, item, top->number);
	}
	return result;
}

/* A layer is no smaller than what it sits on: from the lowest up.  @stack has room for all. */
static void mend_sizes(const struct repair_plan *plan, uint32_t number, bool *is_done,
		       uint32_t *stack)
{
	uint32_t depth = 0;

	for (; plan->items[number] && !is_done[number]; number = plan->items[number]->below) {
		is_done[number] = true;
		stack[depth++] = number;
		if (plan->items[number]->type == CKPT_RECORD_BASE)
			break;
	}
	while (depth--) {
		struct ckpt_item *item = plan->items[stack[depth]];
		const struct ckpt_item *below = plan->items[item->below];

		if (item->type != CKPT_RECORD_BASE && below && item->sectors < below->sectors)
			item->sectors = below->sectors;
	}
}

static enum ckpt_result mend_all_sizes(struct repair_plan *plan)
{
	bool *is_done = calloc(plan->count, sizeof(*is_done));
	uint32_t *stack = calloc(plan->count, sizeof(*stack));
	enum ckpt_result result = CKPT_DONE;

	if (!is_done || !stack)
		result = no_memory(plan);
	for (uint32_t i = 0; i < plan->count && !result; i++)
		mend_sizes(plan, i, is_done, stack);
	free(is_done);
	free(stack);
	return result;
}

/* Another name for what has that of something else, and another UUID. */
static void rename_item(const struct repair_plan *plan, struct ckpt_item *item)
{
	char name[CKPT_NAME_BYTES];

	snprintf(name, sizeof(name), "%.90s-%u", item->name, item->number);
	/* A character may have been cut in two. */
	if (ckpt_name_verify(name))
		snprintf(name, sizeof(name), "renamed-%u", item->number);
	repair_say(plan, "%s is called %s now: the name was there twice", item->name, name);
	memcpy(item->name, name, sizeof(name));
}

static enum ckpt_result mend_names(struct repair_plan *plan)
{
	struct ckpt_item **items = calloc(plan->count, sizeof(*items));
	enum ckpt_result result = CKPT_DONE;
	size_t count = 0;

	if (!items)
		return no_memory(plan);
	for (uint32_t i = 0; i < plan->count; i++)
		if (plan->items[i])
			items[count++] = plan->items[i];
	qsort(items, count, sizeof(*items), image_by_name);
	for (size_t i = count; i-- > 1; )
		if (*items[i]->name && !image_by_name(&items[i - 1], &items[i]))
			rename_item(plan, items[i]);
	qsort(items, count, sizeof(*items), image_by_uuid);
	for (size_t i = count; i-- > 1; )
		if (!image_by_uuid(&items[i - 1], &items[i]) &&
		    getrandom(items[i]->uuid, sizeof(items[i]->uuid), 0) != sizeof(items[i]->uuid))
			result = ckpt_fail(plan->e, CKPT_FAILED, "there are no random numbers");
	free(items);
	return result;
}

static void mend_fields(const struct repair_plan *plan, const struct use *uses)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		struct ckpt_item *item = plan->items[i], *owner, *below;

		if (!item)
			continue;
		owner = item->volume < plan->count ? plan->items[item->volume] : NULL;
		if (item->type == CKPT_RECORD_BASE && (!owner || owner->type != CKPT_RECORD_VOLUME))
			item->volume = 0;
		below = plan->items[item->below];
		if (item->type == CKPT_RECORD_LAYER && uses[i].others)
			item->flags |= CKPT_LAYER_FROZEN;
		/* What is below a volume's end cannot be seen. */
		if (item->type == CKPT_RECORD_VOLUME && below)
			item->sectors = below->sectors;
	}
}

/* Numbers that there were, or that anything refers to. */
static void take_numbers(struct repair_plan *plan)
{
	const struct ckpt_item *item;

	ckpt_image_for_each(plan->image, item) {
		plan->is_taken[item->number] = true;
		if (item->below < plan->count)
			plan->is_taken[item->below] = true;
		if (item->type != CKPT_RECORD_LAYER && item->volume < plan->count)
			plan->is_taken[item->volume] = true;
	}
}

enum ckpt_result repair_plan(struct repair_plan *plan)
{
	struct ckpt_image *image = plan->image;
	enum ckpt_result result = CKPT_DONE;
	const struct ckpt_item *item;
	struct use *uses;

	/* For each volume a head, and perhaps one that is revived. */
	plan->count = 3 * image->item_count + 64;
	plan->items = calloc(plan->count, sizeof(*plan->items));
	plan->is_taken = calloc(plan->count, sizeof(*plan->is_taken));
	uses = calloc(plan->count, sizeof(*uses));
	if (!plan->items || !plan->is_taken || !uses)
		result = no_memory(plan);
	else
		take_numbers(plan);
	for (item = ckpt_image_next(image, 0); item && !result;
	     item = ckpt_image_next(image, item->number + 1)) {
		if (item->type == CKPT_RECORD_VOLUME || item->type == CKPT_RECORD_CHECKPOINT)
			result = try_item(plan, item);
		else if (item->type == CKPT_RECORD_BASE && item->flags & CKPT_BASE_TEMPLATE)
			result = keep_chain(plan, item);
	}
	if (!result)
		result = revive_volumes(plan);
	if (!result)
		result = mend_all_sizes(plan);
	if (!result)
		result = mend_names(plan);
	if (!result) {
		count_uses(plan, uses);
		mend_fields(plan, uses);
		result = separate_heads(plan, uses);
	}
	free(uses);
	return result;
}

void repair_plan_free(struct repair_plan *plan)
{
	for (uint32_t i = 0; plan->items && i < plan->count; i++)
		free(plan->items[i]);
	free(plan->items);
	free(plan->is_taken);
}
