/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a store's records describe, as objects in memory: bases, layers, volumes,
 * checkpoints.  Objects are the live state; a change is made here and queued as journal
 * entries in the same critical section (see admin.h).
 *
 * LOCKS
 *	store->admin	 (mutex) every change of objects and of how they hang together
 *	store->chain	 (rwsem) written when a layer's parent changes, a head is frozen or begins
 *			 to write through, or a layer goes, inside admin; and by the background
 *			 worker when blocks go from one layer to another.  Read by whoever
 *			 walks down a chain, or prepares a write in a head
 *	RCU		 volume->top and a layer's map, for map(); a walk through all layers
 */
#ifndef CKPT_OBJECTS_H
#define CKPT_OBJECTS_H

#include <linux/mutex.h>

#include "node.h"

struct ckpt_base {
	bool template;
	bool adopted;			/* goes when its volume and all above are gone */
	bool sampled;
	u32 sample_crc;
	u32 owner;			/* number of a volume, or 0 */
	u64 origin_sectors;		/* what its origin may have: more if the owner has grown */
	char name[CKPT_NAME_BYTES];
	__u8 uuid[CKPT_UUID_BYTES];
};

/* A base is the bottom layer of its tree: one without a map. */
struct ckpt_layer {
	u32 number;
	bool frozen;
	bool settled;			/* frozen, and nothing is set aside for it */
	bool durable;			/* its record is in the journal */
	u64 created;
	u64 sectors;
	u32 volume;			/* ckpt_volume_tag() of the one whose head it is or was */
	struct ckpt_layer *parent;	/* NULL: zeros below */
	struct ckpt_base *base;		/* this is one */
	struct ckpt_tree map;
	u64 used;			/* units of data, as of the last commit */
	u32 checked;			/* number of the layer whose chain it was first found in */
	u32 merges;			/* number of the layer that is being merged into it */
	u32 full_turn;			/* store->gc_turn in which its merge found no space */
	u32 pack_turn[2];		/* store->pack_turn in which it has been packed */
	bool through;			/* a head whose writes go to the base: see through.h */
	bool stale;			/* leaves may remember what a merge has taken into them */
	bool rewritten;			/* it was, and is written itself again */
	bool was_through;
	bool broken;			/* merging or freeing it has failed */
	atomic_t pins;			/* by those who flush what it dropped */
	spinlock_t drops_lock;
	struct list_head drops;		/* leaves that have dropped something */
	struct mutex drops_flush;
	unsigned int children;
	unsigned int tags;		/* checkpoints */
	unsigned int heads;		/* volumes on it */
	unsigned int views;		/* tables that show it */
	__u8 uuid[CKPT_UUID_BYTES];
	struct rcu_head rcu;
};

struct ckpt_volume {
	u32 number;
	u64 created;
	u64 sectors;
	struct ckpt_layer __rcu *top;	/* head, or the base while passed through */
	unsigned int checkpoints;
	struct list_head targets;	/* its live tables, see target.h */
	unsigned int tables;		/* that name it, live or not */
	u64 limit;			/* units that its layers may take; 0: no limit */
	u64 used;			/* units that they have, see quota.h */
	atomic64_t taken;		/* units that its head began to write since */
	char name[CKPT_NAME_BYTES];
	__u8 uuid[CKPT_UUID_BYTES];
	struct rcu_head rcu;
};

struct ckpt_checkpoint {
	u32 number;
	u64 created;
	u32 kind;
	u32 group;
	struct ckpt_volume *volume;
	struct ckpt_layer *layer;
	unsigned int views;
	char name[CKPT_NAME_BYTES];
	__u8 uuid[CKPT_UUID_BYTES];
};

/*
 * One table of numbers for all of them; a number is the record's place.
 */
struct ckpt_object {
	enum ckpt_record_type type;
	union {
		struct ckpt_layer *layer;	/* bases too */
		struct ckpt_volume *volume;
		struct ckpt_checkpoint *checkpoint;
	};
	struct hlist_node by_name, by_uuid;	/* see names.h */
	struct rcu_head rcu;
};

/*
 * Opening a store takes three steps, all of which sleep and end with -EIO and a line in the
 * log when something makes no sense: the layers as the tree of records has them; each record
 * that replay changes (only layers matter then: their maps are replayed into); and at last
 * everything, from the records as they are now, with a check of how it hangs together.
 */
int ckpt_objects_begin(struct ckpt_store *store);
int ckpt_objects_replay(struct ckpt_store *store, const union ckpt_record *record, u32 number);
int ckpt_objects_finish(struct ckpt_store *store);
void ckpt_objects_free(struct ckpt_store *store);

/*
 * The record of an object, or of none (NULL: free).  store->admin is held.
 */
void ckpt_object_record(struct ckpt_store *store, const struct ckpt_object *object, u32 number,
			union ckpt_record *record);

/*
 * A new object with a free number; -ENOSPC, -ENOMEM.  store->admin is held.  A volume can be found
 * by name at once, a checkpoint when its volume is known (ckpt_name_changed()).
 */
struct ckpt_layer *ckpt_layer_new(struct ckpt_store *store, struct ckpt_layer *parent,
				  u64 sectors, bool base, u32 volume);
/* What layers know their volume by: unlike its number it is not used again. */
u32 ckpt_volume_tag(const struct ckpt_volume *volume);
struct ckpt_volume *ckpt_volume_new(struct ckpt_store *store, const char *name,
				    u64 sectors);
struct ckpt_checkpoint *ckpt_checkpoint_new(struct ckpt_store *store, const char *name);

/* The object goes; its number is free.  store->admin is held. */
void ckpt_object_drop(struct ckpt_store *store, u32 number);

/* By number, NULL if it is another kind of thing or nothing.  store->admin is held. */
struct ckpt_object *ckpt_object_find(struct ckpt_store *store, u32 number);

/* What a volume's head is now; store->admin is held. */
struct ckpt_layer *ckpt_volume_top(struct ckpt_store *store,
				   const struct ckpt_volume *volume);

/* The base at the end of a chain, or NULL.  store->admin or chain is held. */
struct ckpt_layer *ckpt_layer_base(struct ckpt_layer *layer);

/* The layer with the lowest number that sits on this one, or NULL; store->admin is held. */
struct ckpt_layer *ckpt_layer_child(struct ckpt_store *store, const struct ckpt_layer *layer);

/* Layers from @layer down, bases not counted; same context. */
unsigned int ckpt_layer_depth(const struct ckpt_layer *layer);

/* Is that layer this one, or below it?  Same context. */
bool ckpt_layer_is_below(const struct ckpt_layer *below, const struct ckpt_layer *layer);

/* Nobody needs this layer, and nothing sits on it: free it. */
static inline bool ckpt_layer_is_garbage(const struct ckpt_layer *layer)
{
	bool may_go = layer->base ? layer->base->adopted && !layer->base->owner : layer->frozen;

	return may_go && !layer->tags && !layer->children && !layer->heads &&
	       !layer->views;
}

#endif
