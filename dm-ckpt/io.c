// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bio.h>
#include <linux/blkdev.h>

#include "format.h"
#include "io.h"

int ckpt_io(struct block_device *bdev, blk_opf_t opf, u64 sector, void *data,
	    unsigned int bytes)
{
	struct bio *bio = bio_alloc(bdev, DIV_ROUND_UP(bytes, PAGE_SIZE) + 1, opf, GFP_NOIO);
	int r;

	bio->bi_iter.bi_sector = sector;
	while (bytes) {
		unsigned int part = min_t(unsigned int, bytes,
					  PAGE_SIZE - offset_in_page(data));

		__bio_add_page(bio, virt_to_page(data), part, offset_in_page(data));
		data += part;
		bytes -= part;
	}
	r = submit_bio_wait(bio);
	bio_put(bio);
	return r;
}

int ckpt_io_pages(struct block_device *bdev, blk_opf_t opf, u64 sector, void **page,
		  unsigned int nr)
{
	struct bio *bio = bio_alloc(bdev, nr, opf, GFP_NOIO);
	unsigned int i;
	int r;

	bio->bi_iter.bi_sector = sector;
	for (i = 0; i < nr; i++)
		__bio_add_page(bio, virt_to_page(page[i]), CKPT_NODE_BYTES,
			       offset_in_page(page[i]));
	r = submit_bio_wait(bio);
	bio_put(bio);
	return r;
}

int ckpt_io_flush(struct block_device *bdev)
{
	return blkdev_issue_flush(bdev);
}
