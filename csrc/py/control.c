#include "control.h"

#include "../core/mem.h"
#include "errors.h"

/* protobuf-c returns NULL for bad bytes and for want of memory alike; `context` is where the latter
 * is noted, or NULL. */
static void *take(void *context, size_t size)
{
    void *block = mvn_malloc_array(size, 1);
    if (block == NULL && context != NULL) {
        *(int *)context = 1;
    }
    return block;
}

static void give_back(void *context, void *block)
{
    (void)context;
    mvn_free(block);
}

void *PyMvn_Control_Unpack(PyMvn_State *state, const ProtobufCMessageDescriptor *descriptor,
                           PyObject *reply, const char *what)
{
    int no_memory = 0;
    ProtobufCAllocator allocator = {take, give_back, &no_memory};
    void *message =
        protobuf_c_message_unpack(descriptor, &allocator, (size_t)PyBytes_GET_SIZE(reply),
                                  (const uint8_t *)PyBytes_AS_STRING(reply));
    if (message == NULL) {
        (void)PyMvn_RaiseStatus(state, no_memory ? MVN_ENOMEM : MVN_EFORMAT, NULL, what);
    }
    return message;
}

void PyMvn_Control_Free(void *message)
{
    ProtobufCAllocator allocator = {take, give_back, NULL};
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, &allocator);
    }
}
