#include "arena.h"

#include "mem.h"

struct mvn_arena_block {
    mvn_arena_block *next;
    alignas(max_align_t) uint8_t data[];
};

#define ALIGNMENT alignof(max_align_t)
#define LARGEST_GROWTH ((size_t)1 << 20)

void mvn_arena_init(mvn_arena *arena)
{
    arena->blocks = NULL;
    arena->pos = arena->first;
    arena->end = arena->first + sizeof(arena->first);
    arena->grown = 0;
}

void mvn_arena_reset(mvn_arena *arena)
{
    mvn_arena_block *block = arena->blocks;
    while (block != NULL) {
        mvn_arena_block *next = block->next;
        mvn_free(block);
        block = next;
    }
    mvn_arena_init(arena);
}

void *mvn_arena_alloc(mvn_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > (size_t)PTRDIFF_MAX / 2 / size) {
        return NULL;
    }
    size_t need = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (need > (size_t)(arena->end - arena->pos)) {
        size_t room = arena->grown == 0 ? 4 * MVN_ARENA_FIRST : arena->grown;
        if (arena->grown != 0 && room < LARGEST_GROWTH) {
            room *= 2;
        }
        if (room < need) {
            room = need;
        }
        mvn_arena_block *block = mvn_malloc_array(1, sizeof(mvn_arena_block) + room);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        arena->blocks = block;
        arena->pos = block->data;
        arena->end = block->data + room;
        arena->grown = room;
    }
    void *result = arena->pos;
    arena->pos += need;
    return result;
}
