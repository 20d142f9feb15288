/* A queue of bytes that is filled completely before it is emptied, in pieces of memory that are
 * freed as they are emptied: what is too irregular to be sized first is kept in one, so that its
 * bytes and the message they end up in are not both in memory for long.
 *
 * Appends are all-or-nothing. The spool owns its memory; it must be reset when done. Not
 * thread-safe. */
#ifndef MVN_CORE_SPOOL_H
#define MVN_CORE_SPOOL_H

#include "status.h"
#include "wire_writer.h"

typedef struct mvn_spool_piece mvn_spool_piece;

typedef struct {
    mvn_spool_piece *first, *last;
    size_t size;  /* bytes that are in the spool */
    size_t taken; /* bytes of the first piece that were taken out */
} mvn_spool;

static inline void mvn_spool_init(mvn_spool *spool)
{
    spool->first = spool->last = NULL;
    spool->size = spool->taken = 0;
}

/* Frees everything and leaves an empty, usable spool. */
void mvn_spool_reset(mvn_spool *spool);

/* MVN_ETOOBIG when the spool would exceed MVN_MAX_MESSAGE. */
MVN_MUST_CHECK mvn_status mvn_spool_append(mvn_spool *spool, const void *data, size_t size);

/* A whole length-delimited field: tag, length, payload. */
MVN_MUST_CHECK mvn_status mvn_spool_append_bytes_field(mvn_spool *spool, uint32_t field,
                                                       const void *data, size_t size);

/* Takes the next bytes out: `most` of them, or all when there are fewer. */
void mvn_spool_take(mvn_spool *spool, size_t most, mvn_writer *out);

#endif
