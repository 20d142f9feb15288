#include "mem.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef MVN_FAULT_INJECTION
static unsigned long mvn_fail_at;
static unsigned long mvn_asked;

void mvn_mem_fail_on(unsigned long n)
{
    mvn_fail_at = n;
    mvn_asked = 0;
}

unsigned long mvn_mem_count(void)
{
    return mvn_asked;
}

static int mvn_must_fail(void)
{
    mvn_asked++;
    return mvn_fail_at != 0 && mvn_asked == mvn_fail_at;
}
#else
static inline int mvn_must_fail(void)
{
    return 0;
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
    return realloc(block, total == 0 ? 1 : total);
}

void mvn_free(void *block)
{
    free(block);
}
