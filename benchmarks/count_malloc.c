/* Counts allocations: preloaded, it stands before the C library's malloc, calloc and realloc.
 * With PYTHONMALLOC=malloc every object of Python passes here as well. */
#include <stdatomic.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_ulong calls, bytes;

static void count(size_t size)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, size, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count(size);
    return __libc_realloc(old, size);
}

unsigned long counted_calls(void);
unsigned long counted_bytes(void);

unsigned long counted_calls(void)
{
    return atomic_load(&calls);
}

unsigned long counted_bytes(void)
{
    return atomic_load(&bytes);
}
