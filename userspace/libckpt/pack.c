// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "image_tree.h"
#include "pack.h"

#define MAGIC		"dm-ckpt packed\r\n"
#define MAGIC_BYTES	16u
#define THE_END		UINT64_MAX

/* ---- packing ---- */

struct packer {
	const struct ckpt_source *source;
	FILE *to;
	ZSTD_CStream *zstd;
	struct ckpt_error *e;
	uint8_t out[65536];
};

static enum ckpt_result compress(struct packer *p, const void *data, size_t bytes,
				 ZSTD_EndDirective mode)
{
	ZSTD_inBuffer in = { .src = data, .size = bytes };
	size_t left;

	do {
		ZSTD_outBuffer out = { p->out, sizeof(p->out), 0 };

		left = ZSTD_compressStream2(p->zstd, &out, &in, mode);
		if (ZSTD_isError(left))
			return ckpt_fail(p->e, CKPT_FAILED, "zstd: %s", ZSTD_getErrorName(left));
		if (fwrite(p->out, 1, out.pos, p->to) != out.pos)
			return ckpt_fail_errno(p->e, errno, "the output cannot be written");
	} while (in.pos < in.size || (mode == ZSTD_e_end && left));
	return CKPT_DONE;
}

static enum ckpt_result pack_number(struct packer *p, uint64_t number)
{
	__le64 le = cpu_to_le64(number);

	return compress(p, &le, sizeof(le), ZSTD_e_continue);
}

/* One that cannot be read is left out, and that says that it could not be. */
static enum ckpt_result pack_node(struct packer *p, uint64_t sector)
{
	uint8_t node[CKPT_NODE_BYTES];
	enum ckpt_result result;

	if (p->source->read(p->source->arg, node, sector << CKPT_SECTOR_SHIFT, sizeof(node)))
		return CKPT_DONE;
	result = pack_number(p, sector >> CKPT_NODE_SHIFT);
	return result ? result : compress(p, node, sizeof(node), ZSTD_e_continue);
}

static enum ckpt_result visit(void *arg, const struct image_tree *tree,
			      const struct image_node *node, uint64_t index,
			      const struct ckpt_ref *ref)
{
	(void)tree;
	(void)node;
	(void)index;
	return ckpt_ref_where(ref) ? pack_node(arg, ckpt_ref_where(ref)) : CKPT_DONE;
}

static enum ckpt_result pack_trees(struct packer *p, struct ckpt_image *image)
{
	enum ckpt_result result = image_walk(image, &image->records, visit, p, p->e);

	if (!result)
		result = image_walk(image, &image->space, visit, p, p->e);
	for (uint32_t i = 0; i < image->item_count && !result; i++)
		if (image->maps[i])
			result = image_walk(image, image->maps[i], visit, p, p->e);
	return result;
}

static enum ckpt_result pack_all(struct packer *p, struct ckpt_image *image)
{
	uint32_t journal = image ? image->geometry.journal_blocks : CKPT_JOURNAL_BLOCKS_MIN;
	enum ckpt_result result = compress(p, MAGIC, MAGIC_BYTES, ZSTD_e_continue);

	if (!result)
		result = pack_number(p, p->source->sectors);
	if (!result)
		result = pack_node(p, CKPT_SUPER_A);
	if (!result)
		result = pack_node(p, CKPT_SUPER_B);
	for (uint32_t i = 0; i < journal && !result; i++)
		result = pack_node(p, CKPT_JOURNAL_START + (uint64_t)i * CKPT_NODE_SECTORS);
	if (!result && image)
		result = pack_trees(p, image);
	if (!result)
		result = pack_number(p, THE_END);
	return result ? result : compress(p, NULL, 0, ZSTD_e_end);
}

enum ckpt_result ckpt_pack(struct ckpt_image *image, const struct ckpt_source *source, FILE *to,
			   struct ckpt_error *e)
{
	struct packer *p = calloc(1, sizeof(*p));
	enum ckpt_result result;

	if (p)
		p->zstd = ZSTD_createCStream();
	if (!p || !p->zstd) {
		free(p);
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	}
	p->source = source;
	p->to = to;
	p->e = e;
	result = pack_all(p, image);
	ZSTD_freeCStream(p->zstd);
	free(p);
	return result;
}

/* ---- unpacking ---- */

struct unpacker {
	FILE *from;
	ZSTD_DStream *zstd;
	ZSTD_inBuffer in;
	struct ckpt_error *e;
	uint8_t buffer[65536];
};

static enum ckpt_result not_packed(struct unpacker *u)
{
	return ckpt_fail(u->e, CKPT_USAGE, "this was not made by ckpt_pack, or is cut off");
}

static enum ckpt_result decompress(struct unpacker *u, void *data, size_t bytes)
{
	ZSTD_outBuffer out = { data, bytes, 0 };

	while (out.pos < out.size) {
		size_t before = out.pos, r;

		if (u->in.pos == u->in.size) {
			u->in.size = fread(u->buffer, 1, sizeof(u->buffer), u->from);
			u->in.pos = 0;
		}
		r = ZSTD_decompressStream(u->zstd, &out, &u->in);
		if (ZSTD_isError(r) || (!u->in.size && out.pos == before))
			return not_packed(u);
	}
	return CKPT_DONE;
}

static enum ckpt_result unpack_number(struct unpacker *u, uint64_t *number)
{
	enum ckpt_result result;
	__le64 le = 0;

	result = decompress(u, &le, sizeof(le));
	*number = le64_to_cpu(le);
	return result;
}

static enum ckpt_result unpack_head(struct unpacker *u, uint64_t *sectors)
{
	char magic[MAGIC_BYTES] = "";
	enum ckpt_result result;

	rewind(u->from);
	result = decompress(u, magic, sizeof(magic));
	if (!result)
		result = unpack_number(u, sectors);
	if (!result && (memcmp(magic, MAGIC, MAGIC_BYTES) || *sectors > CKPT_STORE_SECTORS_MAX))
		result = not_packed(u);
	return result;
}

static enum ckpt_result unpack_nodes(struct unpacker *u, const struct ckpt_file *file,
				     uint64_t sectors)
{
	for (;;) {
		uint8_t node[CKPT_NODE_BYTES];
		enum ckpt_result result;
		uint64_t number;
		int err;

		result = unpack_number(u, &number);
		if (result || number == THE_END)
			return result;
		if (number >= sectors >> CKPT_NODE_SHIFT)
			return not_packed(u);
		result = decompress(u, node, sizeof(node));
		if (result)
			return result;
		err = ckpt_file_write(file, node, number * CKPT_NODE_BYTES, sizeof(node));
		if (err)
			return ckpt_fail_errno(u->e, err, "the output cannot be written");
	}
}

/* Without a file only the head is read. */
static enum ckpt_result unpack(FILE *from, const struct ckpt_file *file, uint64_t *sectors,
			       struct ckpt_error *e)
{
	struct unpacker *u = calloc(1, sizeof(*u));
	enum ckpt_result result;

	if (u)
		u->zstd = ZSTD_createDStream();
	if (!u || !u->zstd) {
		free(u);
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	}
	u->from = from;
	u->e = e;
	u->in.src = u->buffer;
	result = unpack_head(u, sectors);
	if (!result && file)
		result = unpack_nodes(u, file, *sectors);
	ZSTD_freeDStream(u->zstd);
	free(u);
	return result;
}

enum ckpt_result ckpt_unpack_sectors(FILE *from, uint64_t *sectors, struct ckpt_error *e)
{
	return unpack(from, NULL, sectors, e);
}

enum ckpt_result ckpt_unpack(FILE *from, const struct ckpt_file *file, struct ckpt_error *e)
{
	uint64_t sectors;

	return unpack(from, file, &sectors, e);
}
