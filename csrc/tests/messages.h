/* Memory for the messages of replies, counted, as the tests of the engine give it. */
#ifndef MVN_TESTS_MESSAGES_H
#define MVN_TESTS_MESSAGES_H

#include "../core/mem.h"
#include "../rpc/reply.h"

static int held; /* messages allocated and not released */

static inline uint8_t *allocate(void *context, size_t size, void **handle)
{
    (void)context;
    *handle = mvn_malloc_array(size, 1);
    held += *handle != NULL;
    return *handle;
}

static inline void release(void *context, void *handle)
{
    (void)context;
    held--;
    mvn_free(handle);
}

#endif
