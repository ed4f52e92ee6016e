/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The on-disk format of a dm-ckpt store.
 *
 * This header is the only definition of the format; the module and the
 * programs in userspace both compile it.  Documentation/format.rst explains it
 * field by field.  All integers are little endian, all disk addresses count
 * 512-byte sectors of the store device unless the name says otherwise.
 *
 * UNITS
 *	sector	 512 bytes
 *	block	 granularity of the maps, 512 B to 64 KiB, one size for a store
 *	cluster	 CKPT_CLUSTER_BLOCKS blocks of a volume: what a slot describes
 *	node	 4 KiB of metadata
 *	unit	 granularity of the space map, 4 KiB whatever the block: data and
 *		 nodes come from the same map, and a node never wastes a block
 */
#ifndef CKPT_FORMAT_H
#define CKPT_FORMAT_H

#include <linux/types.h>

#define CKPT_SECTOR_SHIFT	9
#define CKPT_NODE_BYTES		4096u
#define CKPT_NODE_SHIFT		3	/* sectors */
#define CKPT_NODE_SECTORS	(1u << CKPT_NODE_SHIFT)
#define CKPT_UNIT_SHIFT		CKPT_NODE_SHIFT

#define CKPT_CLUSTER_BLOCKS	32u
#define CKPT_FANOUT_SHIFT	8
#define CKPT_FANOUT		(1u << CKPT_FANOUT_SHIFT)

/*
 * Height of every layer's map, leaves included: 4 levels of 256 slots reach
 * 2^32 clusters, which is 64 TiB with the smallest block.
 */
#define CKPT_MAP_LEVELS		4u
/* The trees of records and of space: 256^2 and 256^3 leaves at most. */
#define CKPT_RECORD_LEVELS	3u
#define CKPT_SPACE_LEVELS	4u

#define CKPT_BLOCK_SECTORS_MIN	1u
#define CKPT_BLOCK_SECTORS_MAX	128u
#define CKPT_VOLUME_SECTORS_MAX	(1ull << (46 - CKPT_SECTOR_SHIFT))	/* 64 TiB */

/* Fixed places, in sectors. */
#define CKPT_SUPER_A		0u
#define CKPT_GUARD_PLACE	1024u
#define CKPT_SUPER_B		2048u
#define CKPT_JOURNAL_START	4096u

#define CKPT_JOURNAL_BLOCKS_MIN	256u			/* 1 MiB */
#define CKPT_JOURNAL_BLOCKS_MAX	(1u << 18)		/* 1 GiB */

#define CKPT_UUID_BYTES		16
#define CKPT_NAME_BYTES		112	/* with the closing NUL */

/*
 * A slot of a leaf says all about one cluster of one layer.  For each of its 32
 * blocks: present, the data stand at @where plus the block's place in the
 * cluster; zero, it reads as zeros; neither, the parent layer is asked.
 *
 * A *packed* slot has its blocks one behind the other instead: a block of @present stands behind
 * as many as there are before it in @present.  So none may leave @present, as long as others
 * stand behind it; one that has gone is in @zero as well, and reads as zeros, or as what the
 * parent has.
 */
struct ckpt_slot {
	/* Sector, a multiple of the unit, and flags; only what is present need be in the store. */
	__le64 where;
	__le32 present;
	__le32 zero;
};

/*
 * A slot of an inner node.  The checksum of the child stands here, in the
 * parent, so that a lost or misdirected write of the child is noticed.
 */
struct ckpt_ref {
	/* Sector of the child, 0: nothing below.  The top 16 bits are the top of @used. */
	__le64 where;
	__le32 crc;		/* crc32c of the child's 4 KiB, seed ~0 */
	__le32 used;		/* units of data, units in use or records below: low 32 bits */
};

/* Bits of @where that are no address: in a reference see there. */
#define CKPT_WHERE_FLAGS	(0xffffull << 48)
#define CKPT_WHERE_MASK		(~CKPT_WHERE_FLAGS)

/* Flags of a slot: it is packed, and what has gone of it does not read as zeros. */
#define CKPT_SLOT_PACKED	(1ull << 48)
#define CKPT_SLOT_BELOW		(1ull << 49)

/* Units of the space map in a leaf of it, one bit for each. */
#define CKPT_SPACE_LEAF_UNITS	(CKPT_NODE_BYTES * 8u)

/* As far as the space map reaches: 2 PiB. */
#define CKPT_STORE_SECTORS_MAX \
	((__u64)CKPT_SPACE_LEAF_UNITS << \
	 (CKPT_FANOUT_SHIFT * (CKPT_SPACE_LEVELS - 1) + CKPT_UNIT_SHIFT))

/*
 * Superblock: copy A is written and flushed, then copy B.  A readable A is
 * therefore never older than B, and what only the former superblock reached is
 * reused only when neither copy names it any more.
 */
#define CKPT_SUPER_MAGIC	"dm-ckpt store\r\n"	/* 16 bytes with the NUL */
#define CKPT_VERSION		1u

struct ckpt_super {
	__u8 magic[16];
	__le32 crc;		/* crc32c of the 4 KiB with this field zero */
	__le32 version;
	__u8 uuid[CKPT_UUID_BYTES];

	__le64 features_compat;	/* unknown bits: no matter */
	__le64 features_ro;	/* unknown bits: read-only at most */
	__le64 features_incompat;	/* unknown bits: hands off */

	__le64 sequence;	/* of superblocks, counts up */
	__le64 sectors;		/* of the store device that are in use */
	__le32 block_sectors;
	__le32 journal_blocks;	/* nodes from CKPT_JOURNAL_START on */

	__le64 epoch;		/* activations so far */
	__le64 epoch_seq;	/* first journal block of this epoch */
	__le64 journal_seq;	/* first journal block that is not in the trees */

	struct ckpt_ref records;	/* root of the records */
	struct ckpt_ref space;		/* root of the space map */
	__le64 created;		/* seconds since 1970, UTC */
	__le64 written;

	__u8 reserved[4096 - 160];
};

/* "present and zero both set", not packed: changed here, data below.  Not in use yet. */
#define CKPT_INCOMPAT_CHANGED	(1ull << 0)

#define CKPT_FEATURES_COMPAT	0ull
#define CKPT_FEATURES_RO	0ull
#define CKPT_FEATURES_INCOMPAT	0ull

/*
 * The guard: who has the store open, for other hosts that see the same device; see owner.h.
 * All of it is in one sector of 512 bytes, which is old or new after a power cut; it is written
 * with the rest of the node at CKPT_GUARD_PLACE, which is zero.  A store that was never open
 * has zeros here.
 */
#define CKPT_GUARD_MAGIC	0x44524147u	/* "GARD" */
#define CKPT_GUARD_HOST_BYTES	64

enum ckpt_guard_state {
	CKPT_GUARD_CLEAN	= 1,	/* nobody has it open */
	CKPT_GUARD_CLAIM	= 2,	/* somebody is about to */
	CKPT_GUARD_ACTIVE	= 3,
};

struct ckpt_guard_block {
	__le32 magic;
	__le32 crc;		/* crc32c of the 512 bytes with this field zero */
	__u8 uuid[CKPT_UUID_BYTES];	/* of the store */
	__u8 id[CKPT_UUID_BYTES];	/* of the activation, random */
	__u8 boot[CKPT_UUID_BYTES];	/* of the kernel that it is in, random */
	__le64 sequence;	/* of this activation's writes, counts up */
	__le64 written;		/* nanoseconds since 1970, UTC */
	__le64 since;		/* activated, likewise */
	__le32 state;		/* enum ckpt_guard_state */
	__le32 interval;	/* seconds from one write to the next */
	__u8 host[CKPT_GUARD_HOST_BYTES];	/* printable ASCII and NULs */
	__u8 reserved[512 - 152];
};

#define CKPT_GUARD_BYTES	((unsigned int)sizeof(struct ckpt_guard_block))
#define CKPT_GUARD_INTERVAL_MIN	1u		/* seconds */
#define CKPT_GUARD_INTERVAL_MAX	60u

/*
 * Records: 256 bytes, 16 to a leaf; the number of a record is its place in the
 * tree, starting at 1.  Type 0 is a free place.
 */
#define CKPT_RECORD_BYTES	256u
#define CKPT_RECORDS_PER_LEAF	(CKPT_NODE_BYTES / CKPT_RECORD_BYTES)
#define CKPT_RECORD_MAX		(1u << 18)

enum ckpt_record_type {
	CKPT_RECORD_FREE	= 0,
	CKPT_RECORD_BASE	= 1,
	CKPT_RECORD_LAYER	= 2,
	CKPT_RECORD_VOLUME	= 3,
	CKPT_RECORD_CHECKPOINT	= 4,
};

/* What every record begins with. */
struct ckpt_record_head {
	__le16 type;
	__le16 flags;		/* by type, see below */
	__le32 number;		/* its own */
	__le64 created;		/* seconds since 1970, UTC */
	__u8 uuid[CKPT_UUID_BYTES];
};

/* A raw device below a tree of layers. */
struct ckpt_base_record {
	struct ckpt_record_head head;
	__u8 name[CKPT_NAME_BYTES];	/* templates only */
	__le64 sectors;
	__le32 owner;		/* number of the volume it belongs to, or 0 */
	__le32 sample_crc;	/* of the content at fixed places, see base.h */
	__le64 origin_sectors;	/* that the origin may have, which has grown for its volume */
	__u8 reserved[256 - 168];
};

#define CKPT_BASE_TEMPLATE	(1u << 0)	/* never written */
#define CKPT_BASE_SAMPLED	(1u << 1)	/* sample_crc is valid */
#define CKPT_BASE_ADOPTED	(1u << 2)	/* goes when its volume and all above are gone */

struct ckpt_layer_record {
	struct ckpt_record_head head;
	__le32 parent;		/* layer or base, 0: zeros below */
	/* First four bytes of the UUID of the volume whose head it is or was. */
	__le32 volume;
	__le64 sectors;
	/* Write-back alone sets it; the journal has zeros here, and replay leaves it. */
	struct ckpt_ref root;
	__u8 reserved[256 - 64];
};

#define CKPT_LAYER_FROZEN	(1u << 0)

struct ckpt_volume_record {
	struct ckpt_record_head head;
	__u8 name[CKPT_NAME_BYTES];
	__le64 sectors;
	__le32 top;		/* its head, or its base while passed through */
	__le32 pad;
	__le64 limit;		/* units that its layers may take, 0: no limit */
	__u8 reserved[256 - 168];
};

/*
 * One volume's part of a checkpoint.  All parts that were taken as a group
 * share the UUID, so that the UUIDs of volume and checkpoint name a part.
 */
struct ckpt_checkpoint_record {
	struct ckpt_record_head head;
	__u8 name[CKPT_NAME_BYTES];
	__le32 volume;
	__le32 layer;		/* a frozen layer, or a base */
	__le32 kind;		/* enum ckpt_kind */
	__le32 group;		/* volumes that were taken together */
	__u8 reserved[256 - 160];
};

enum ckpt_kind {
	CKPT_KIND_STANDARD	= 0,
	CKPT_KIND_PRODUCTION	= 1,
	CKPT_KIND_OFFLINE	= 2,
	CKPT_KIND_RECOVERY	= 3,
};

#define CKPT_KINDS		4u

union ckpt_record {
	struct ckpt_record_head head;
	struct ckpt_base_record base;
	struct ckpt_layer_record layer;
	struct ckpt_volume_record volume;
	struct ckpt_checkpoint_record checkpoint;
	__u8 bytes[CKPT_RECORD_BYTES];
};

/*
 * Journal: a ring of nodes from CKPT_JOURNAL_START on; block with sequence
 * number s stands at place s modulo the ring's length.  A transaction is a run
 * of blocks that know its length and their place in it; it counts only when all
 * of them are there and belong to the same epoch.
 */
#define CKPT_JOURNAL_MAGIC	0x4c4e524au	/* "JRNL" */

struct ckpt_journal_head {
	__le32 magic;
	__le32 crc;		/* crc32c of the 4 KiB with this field zero */
	__u8 uuid[CKPT_UUID_BYTES];	/* of the store */
	__le64 seq;		/* of this block */
	__le64 epoch;
	/* Superblock known durable at that time: an older one has been rolled back. */
	__le64 super_sequence;
	__le16 txn_index;	/* this block's place in its transaction */
	__le16 txn_blocks;
	__le32 bytes;		/* used behind this header, records only */
	__u8 reserved[8];
};

/* Records of the journal begin at multiples of 8 bytes and never span blocks. */
enum ckpt_entry_type {
	CKPT_ENTRY_SLOT		= 1,
	CKPT_ENTRY_RECORD	= 2,
	CKPT_ENTRY_PRUNE	= 3,
	CKPT_ENTRY_SIZE		= 4,
	CKPT_ENTRY_MERGE	= 5,
	CKPT_ENTRY_ADOPT	= 6,
};

struct ckpt_entry_head {
	__le16 type;
	__le16 bytes;		/* of the whole entry */
	__le32 number;		/* of the layer, or of the record */
};

/* The cluster's slot in layer @number is now exactly this. */
struct ckpt_entry_slot {
	struct ckpt_entry_head head;
	__le64 cluster;
	struct ckpt_slot slot;
};

/* Record @number is now exactly this (a layer's root excepted). */
struct ckpt_entry_record {
	struct ckpt_entry_head head;
	__u8 record[CKPT_RECORD_BYTES];
};

/*
 * What layer @number had below the node of this level and index is freed, data
 * and nodes.  Level 0 is a leaf.
 */
struct ckpt_entry_prune {
	struct ckpt_entry_head head;
	__le32 level;
	__le32 pad;
	__le64 index;		/* of the node in its level */
};

/*
 * The cluster's slot in layer @number is now exactly this, and layer @from, which it sits on,
 * has nothing of the cluster any more.  Places that neither keeps are free.
 */
struct ckpt_entry_merge {
	struct ckpt_entry_head head;
	__le64 cluster;
	struct ckpt_slot slot;
	__le32 from;
	__le32 pad;
};

/*
 * What layer @from had below the node of this level and index, that node included, is layer
 * @number's now, which has no node there.
 */
struct ckpt_entry_adopt {
	struct ckpt_entry_head head;
	__le32 from;
	__le32 level;
	__le64 index;
};

/* The store has this many sectors now (it only grows). */
struct ckpt_entry_size {
	struct ckpt_entry_head head;	/* number: 0 */
	__le64 sectors;
};

#define CKPT_JOURNAL_PAYLOAD \
	(CKPT_NODE_BYTES - (unsigned int)sizeof(struct ckpt_journal_head))

#endif
