#include "mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef MVN_FAULT_INJECTION
static _Atomic unsigned long mvn_fail_at;
static _Atomic unsigned long mvn_asked;
static _Atomic unsigned long mvn_live;

void mvn_mem_fail_on(unsigned long n)
{
    mvn_fail_at = n;
    mvn_asked = 0;
}

unsigned long mvn_mem_count(void)
{
    return mvn_asked;
}

unsigned long mvn_mem_live(void)
{
    return mvn_live;
}

static int mvn_must_fail(void)
{
    return ++mvn_asked == mvn_fail_at;
}

static void mvn_note_made(bool made)
{
    mvn_live += made;
}

static void mvn_note_freed(bool freed)
{
    mvn_live -= freed;
}
#else
static inline int mvn_must_fail(void)
{
    return 0;
}

static inline void mvn_note_made(bool made)
{
    (void)made;
}

static inline void mvn_note_freed(bool freed)
{
    (void)freed;
}
#endif

void *mvn_malloc_array(size_t count, size_t size)
{
    return mvn_realloc_array(NULL, count, size);
}

void *mvn_realloc_array(void *block, size_t count, size_t size)
{
    if (size != 0 && count > (size_t)PTRDIFF_MAX / size) {
        return NULL;
    }
    if (mvn_must_fail()) {
        return NULL;
    }
    size_t total = count * size;
    bool is_new = block == NULL;
    void *moved = realloc(block, total == 0 ? 1 : total);
    mvn_note_made(is_new && moved != NULL);
    return moved;
}

void mvn_free(void *block)
{
    mvn_note_freed(block != NULL);
    free(block);
}
