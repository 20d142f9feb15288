/* The one door to the heap for csrc/core and csrc/rpc, so that a debug build can make the n-th
 * allocation fail. Sizes are checked for overflow before they are multiplied. */
#ifndef MVN_CORE_MEM_H
#define MVN_CORE_MEM_H

#include <stddef.h>

/* NULL when memory is out, when count * size overflows, or when fault injection says so.
 * A zero-sized request returns a non-NULL pointer. Thread-safe. */
void *mvn_malloc_array(size_t count, size_t size);

/* Like realloc; on failure the old block is untouched and still owned by the caller. */
void *mvn_realloc_array(void *block, size_t count, size_t size);

/* NULL is allowed. */
void mvn_free(void *block);

#ifdef MVN_FAULT_INJECTION
/* For tests only. Makes the n-th allocation from now, in whatever thread, fail once (1 is the next);
 * 0 switches it off. */
void mvn_mem_fail_on(unsigned long n);
/* Allocations asked for since the last mvn_mem_fail_on. */
unsigned long mvn_mem_count(void);
/* Blocks that are allocated and not freed. */
unsigned long mvn_mem_live(void);
#endif

#endif
