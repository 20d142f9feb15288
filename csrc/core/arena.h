/* Memory that is freed all at once. Indexing a reply allocates little, often nothing beyond the
 * block inside the struct, so an arena on the C stack costs no heap call for a small reply.
 *
 * An arena points into itself: it must not be copied or moved. Not thread-safe. */
#ifndef MVN_CORE_ARENA_H
#define MVN_CORE_ARENA_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#define MVN_ARENA_FIRST 1024

typedef struct mvn_arena_block mvn_arena_block;

typedef struct {
    mvn_arena_block *blocks; /* heap blocks, newest first */
    uint8_t *pos;            /* free part of the current block */
    uint8_t *end;
    size_t grown; /* bytes of the newest heap block, 0 while there is none */
    alignas(max_align_t) uint8_t first[MVN_ARENA_FIRST];
} mvn_arena;

void mvn_arena_init(mvn_arena *arena);

/* Frees every heap block and leaves an empty, usable arena; what was allocated is gone. */
void mvn_arena_reset(mvn_arena *arena);

/* count * size bytes, aligned for any type, uninitialised, valid until the next reset. NULL when
 * memory is out or the product overflows. */
void *mvn_arena_alloc(mvn_arena *arena, size_t count, size_t size);

#endif
