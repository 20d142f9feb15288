/* libFuzzer target: the control messages that protobuf-c reads, with memory that runs out somewhere
 * in every second input. All that was allocated is freed, and what was read can be written in the
 * size that it is said to have. */
#include <stdlib.h>

#include "../proto/control.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const kinds[] = {
    &mvn__describe_collection_response__descriptor,
    &mvn__describe_index_response__descriptor,
    &mvn__connect_response__descriptor,
};

typedef struct {
    unsigned left; /* allocations that succeed */
    int held;
} heap;

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void *take(void *context, size_t size)
{
    heap *from = context;
    if (from->left == 0) {
        return NULL;
    }
    from->left--;
    void *block = calloc(size == 0 ? 1 : size, 1); /* zeroed, see csrc/py/control.c */
    from->held += block != NULL;
    return block;
}

static void give_back(void *context, void *block)
{
    ((heap *)context)->held -= block != NULL;
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    heap memory = {data[0] & 0x80 ? data[0] & 0x1f : UINT32_MAX, 0};
    ProtobufCAllocator allocator = {take, give_back, &memory};
    const ProtobufCMessageDescriptor *kind =
        kinds[(data[0] >> 5 & 3) % (sizeof(kinds) / sizeof(kinds[0]))];
    ProtobufCMessage *message = protobuf_c_message_unpack(kind, &allocator, size - 1, data + 1);
    if (message != NULL) {
        size_t packed = protobuf_c_message_get_packed_size(message);
        uint8_t *out = malloc(packed + 1);
        require(out != NULL && protobuf_c_message_pack(message, out) == packed);
        free(out);
        protobuf_c_message_free_unpacked(message, &allocator);
    }
    require(memory.held == 0);
    return 0;
}
