#include "call.h"

#include <string.h>

#include "../core/mem.h"
#include "keepalive.h"

/* Sizes in one block: the call, then headers, then parts, then text; each starts aligned because
 * the structs before it are multiples of pointers. */
_Static_assert(sizeof(mvn_call) % sizeof(void *) == 0, "the headers follow the call");
_Static_assert(sizeof(nghttp2_nv) % sizeof(void *) == 0, "the parts follow the headers");

mvn_status mvn_call_new(const mvn_request_origin *origin, const mvn_request_head *head,
                        size_t max_header_list, const mvn_span *message, size_t message_count,
                        mvn_call **out, mvn_error *error)
{
    size_t header_count, text_size;
    size_t total = 0, parts = 1;
    mvn_status status = mvn_request_headers_measure(origin, head, max_header_list, &header_count,
                                                    &text_size, error);
    if (status != MVN_OK) {
        return status;
    }
    for (size_t i = 0; i < message_count; i++) {
        if (message[i].size > MVN_MAX_MESSAGE - total) {
            return mvn_fail(error, MVN_ETOOBIG, "a request is larger than %zu bytes",
                            MVN_MAX_MESSAGE);
        }
        total += message[i].size;
        parts += message[i].size != 0;
    }
    /* Header lists are far below SIZE_MAX; parts were counted from an array that exists. */
    size_t size = sizeof(mvn_call) + header_count * sizeof(nghttp2_nv) +
                  parts * sizeof(mvn_span) + text_size;
    mvn_call *call = mvn_malloc_array(size, 1);
    if (call == NULL) {
        return mvn_fail(error, MVN_ENOMEM, "%s", mvn_status_text(MVN_ENOMEM));
    }
    memset(call, 0, sizeof(*call));
    mvn_buffer_init(&call->text);
    mvn_reply_init(&call->reply);
    call->refs = 1;
    call->deadline = MVN_NEVER;
    call->headers = (nghttp2_nv *)(call + 1);
    call->header_count = header_count;
    call->parts = (mvn_span *)(call->headers + header_count);
    call->part_count = parts;
    mvn_request_headers_write(origin, head, call->headers, (uint8_t *)(call->parts + parts));

    call->prefix[1] = (uint8_t)(total >> 24);
    call->prefix[2] = (uint8_t)(total >> 16);
    call->prefix[3] = (uint8_t)(total >> 8);
    call->prefix[4] = (uint8_t)total;
    call->unframed = sizeof(call->prefix) + total;
    call->parts[0] = (mvn_span){call->prefix, sizeof(call->prefix)};
    for (size_t i = 0, part = 1; i < message_count; i++) {
        if (message[i].size != 0) {
            call->parts[part++] = message[i];
        }
    }
    *out = call;
    return MVN_OK;
}

void mvn_call_free(mvn_call *call, const mvn_reply_limits *limits)
{
    mvn_reply_reset(&call->reply, limits);
    mvn_buffer_reset(&call->text);
    mvn_free(call);
}

mvn_span mvn_call_next_bytes(mvn_call *call, size_t limit)
{
    const mvn_span *part = &call->parts[call->part];
    mvn_span run = {part->data + call->part_offset, part->size - call->part_offset};
    if (run.size > limit) {
        run.size = limit;
        call->part_offset += limit;
    } else {
        call->part++;
        call->part_offset = 0;
    }
    call->unframed -= run.size;
    return run;
}

void mvn_call_list_append(mvn_call_list *list, mvn_call *call)
{
    call->previous = list->last;
    call->next = NULL;
    if (list->last != NULL) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
    list->count++;
}

void mvn_call_list_prepend(mvn_call_list *list, mvn_call *call)
{
    call->previous = NULL;
    call->next = list->first;
    if (list->first != NULL) {
        list->first->previous = call;
    } else {
        list->last = call;
    }
    list->first = call;
    list->count++;
}

void mvn_call_list_remove(mvn_call_list *list, mvn_call *call)
{
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        list->first = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    } else {
        list->last = call->previous;
    }
    call->previous = call->next = NULL;
    list->count--;
}
